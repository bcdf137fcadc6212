/*
 * The least that a module with a daemon can do: connect, send some bytes, get them back, let in.
 * No identity, no deadline, no format: a yardstick, not a gate.
 */
#include <security/pam_modules.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo.h"

int pam_sm_acct_mgmt(pam_handle_t *handle, int flags, int count, const char **words)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = ECHO_SOCKET };
    char question[ECHO_BYTES], answer[ECHO_BYTES];
    const void *user = NULL;
    (void)flags, (void)count, (void)words;

    if (pam_get_item(handle, PAM_RUSER, &user) != PAM_SUCCESS || user == NULL)
        return PAM_PERM_DENIED;
    memset(question, 0, sizeof question);
    strncpy(question, user, sizeof question - 1);
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream < 0)
        return PAM_PERM_DENIED;
    int good = connect(stream, (struct sockaddr *)&address, sizeof address) == 0
        && send(stream, question, sizeof question, MSG_NOSIGNAL) == sizeof question
        && recv(stream, answer, sizeof answer, MSG_WAITALL) == sizeof answer
        && memcmp(question, answer, sizeof answer) == 0;
    close(stream);
    return good ? PAM_SUCCESS : PAM_PERM_DENIED;
}
