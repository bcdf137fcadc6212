/*
 * Times what a caller of PAM feels: each sample is a new process, the candidates take turns.
 *
 *   driver ROUNDS pam:FOLDER:SERVICE:USER ...   start PAM and ask its account phase, from before
 *                                               the module is loaded until its answer
 *   driver ROUNDS run:USER:PROGRAM[:ARG...] ... run a program as USER, from fork to its end
 *
 * Prints one line a sample: the candidate's number, from 0, and nanoseconds; for pam also the
 * part until pam_start returned, which is the loading. Anything but success ends the run with 1.
 *
 * A pam sample runs as sudo does: real uid USER's, effective uid 0, PAM_RUSER set. FOLDER holds
 * the service's file alone, so that no other module is loaded with it.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 5, MOST_ARGS = 16 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        fail("clock_gettime");
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Becomes the user: wholly, or with the effective uid kept at 0 as in a set-uid program. */
static void become(const char *user, uid_t effective_root)
{
    struct passwd *account = getpwnam(user);
    if (account == NULL) {
        fprintf(stderr, "driver: no such user: %s\n", user);
        exit(1);
    }
    uid_t effective = effective_root ? 0 : account->pw_uid;
    if (initgroups(user, account->pw_gid) != 0
        || setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0
        || setresuid(account->pw_uid, effective, effective) != 0)
        fail("becoming the user");
}

static int converse(int count, const struct pam_message **messages,
                    struct pam_response **responses, void *data)
{
    (void)data;
    for (int i = 0; i < count; i++)
        fprintf(stderr, "%s\n", messages[i]->msg);
    *responses = calloc((size_t)count, sizeof **responses);
    return *responses == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

/* One pam sample, in a process of its own. */
static int one(const char *folder, const char *service, const char *user)
{
    struct pam_conv conversation = { converse, NULL };
    pam_handle_t *handle = NULL;
    become(user, 1);

    int64_t before = now();
    int code = pam_start_confdir(service, user, &conversation, folder, &handle);
    int64_t loaded = now();
    if (code == PAM_SUCCESS)
        code = pam_set_item(handle, PAM_RUSER, user);
    if (code == PAM_SUCCESS)
        code = pam_acct_mgmt(handle, PAM_SILENT);
    int64_t after = now();

    if (code != PAM_SUCCESS) {
        fprintf(stderr, "driver: %s: %s\n", service, pam_strerror(handle, code));
        return 1;
    }
    printf("%lld %lld\n", (long long)(after - before), (long long)(loaded - before));
    return pam_end(handle, code) == PAM_SUCCESS ? 0 : 1;
}

static void reap(pid_t child, const char *what)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        fail("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "driver: %s did not succeed\n", what);
        exit(1);
    }
}

/* Splits at colons, in place; ends with NULL. */
static int split(char *text, char *parts[MOST_ARGS])
{
    int count = 0;
    for (char *part = strtok(text, ":"); part != NULL; part = strtok(NULL, ":")) {
        if (count == MOST_ARGS - 1) {
            fprintf(stderr, "driver: too many parts\n");
            exit(2);
        }
        parts[count++] = part;
    }
    parts[count] = NULL;
    return count;
}

static void sample_pam(char *parts[], int number, int counts)
{
    char line[64] = "";
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "driver", "one", parts[1], parts[2], parts[3], (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    if (said == NULL || fgets(line, sizeof line, said) == NULL)
        line[0] = '\0';
    if (said != NULL)
        fclose(said);
    reap(child, parts[2]);
    if (counts)
        printf("%d %s", number, line);
}

static void sample_run(char *parts[], int number, int counts)
{
    int64_t before = now();
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        become(parts[1], 0);
        execv(parts[2], &parts[2]);
        _exit(127);
    }
    reap(child, parts[2]);
    int64_t after = now();
    if (counts)
        printf("%d %lld\n", number, (long long)(after - before));
}

/*
 * Whose turn it is. Over the rounds everybody comes after everybody equally often (a Williams design,
 * and its mirror image): each leaves the caches to the next as it does.
 */
static int turn(long round, int place, int candidates)
{
    if (round / candidates % 2 == 1)
        place = candidates - 1 - place;
    int zigzag = place % 2 == 1 ? (place + 1) / 2 : candidates - place / 2;
    return (int)((zigzag + round) % candidates);
}

int main(int count, char *words[])
{
    if (count == 5 && strcmp(words[1], "one") == 0)
        return one(words[2], words[3], words[4]);
    long rounds = count > 2 ? strtol(words[1], NULL, 10) : 0;
    if (rounds <= 0) {
        fprintf(stderr, "usage: driver ROUNDS pam:FOLDER:SERVICE:USER|run:USER:PROGRAM[:ARG] ...\n");
        return 2;
    }
    int candidates = count - 2;
    char *(*parts)[MOST_ARGS] = calloc((size_t)candidates, sizeof *parts);
    if (parts == NULL)
        fail("calloc");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < candidates; i++) {
        int found = split(words[i + 2], parts[i]);
        int is_pam = found == 4 && strcmp(parts[i][0], "pam") == 0;
        int is_run = found >= 3 && strcmp(parts[i][0], "run") == 0;
        if (!is_pam && !is_run) {
            fprintf(stderr, "driver: candidate %d is neither pam nor run\n", i);
            return 2;
        }
    }
    for (long round = -WARM_UP; round < rounds; round++) {
        for (int place = 0; place < candidates; place++) {
            int i = turn(round + WARM_UP, place, candidates);
            if (strcmp(parts[i][0], "pam") == 0)
                sample_pam(parts[i], i, round >= 0);
            else
                sample_run(parts[i], i, round >= 0);
        }
    }
    free(parts);
    return 0;
}
