/* Gives each connection its bytes back. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo.h"

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

int main(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = ECHO_SOCKET };
    char bytes[ECHO_BYTES];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail("socket");
    unlink(ECHO_SOCKET);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        fail(ECHO_SOCKET);
    if (listen(listener, 128) != 0)
        fail("listen");
    for (;;) {
        int stream = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (stream < 0)
            continue;
        if (recv(stream, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes)
            (void)!send(stream, bytes, sizeof bytes, MSG_NOSIGNAL);
        close(stream);
    }
}
