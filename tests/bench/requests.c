/*
 * One person's requests, made by raw calls on the system bus from this process, so run it as them.
 *
 *   requests flood CALLS CONNECTIONS WINDOW STEM ROLES   ask CALLS times, each connection with
 *                                                        WINDOW calls under way, for the roles
 *                                                        STEM0, STEM1 and so on, as many as ROLES,
 *                                                        in turn
 *   requests time MOST PAUSE ROLE FILE                   ask and take it back, MOST times or until
 *                                                        FILE is there, with a pause of PAUSE
 *                                                        milliseconds after each
 *
 * "flood" prints one line: how many requests were made, how many were refused by the policy, and
 * how many were turned away before it was asked. A call that is not answered ends it with 1.
 * "time" prints a line for each round: 0, and nanoseconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"

enum { MOST_CONNECTIONS = 250, PATIENCE_SECONDS = 280 };

struct plan {
    long calls, connections, window;
    const char *stem;
    long roles;
};

struct tally {
    long sent, answered, made, refused, turned_away;
};

static void fail(const char *what, int code)
{
    fprintf(stderr, "requests: %s: %s\n", what, strerror(-code));
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void rest(long milliseconds)
{
    struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static sd_bus *open_bus(void)
{
    sd_bus *bus = NULL;
    int code = sd_bus_open_system(&bus);
    if (code >= 0)
        code = sd_bus_set_method_call_timeout(bus, (uint64_t)PATIENCE_SECONDS * 1000000);
    if (code < 0)
        fail("the system bus", code);
    return bus;
}

static sd_bus_message *request(sd_bus *bus, const char *role)
{
    sd_bus_message *call = NULL;
    int code = sd_bus_message_new_method_call(bus, &call, STINT_NAME, STINT_PATH, STINT_NAME,
                                              "Request");
    if (code >= 0)
        code = sd_bus_message_append(call, "a{sv}", 2, "role", "s", role, "reason", "s",
                                     "the benchmark");
    if (code < 0)
        fail("a call", code);
    return call;
}

static int answered(sd_bus_message *reply, void *data, sd_bus_error *error)
{
    struct tally *tally = data;
    const sd_bus_error *why = sd_bus_message_get_error(reply);
    (void)error;
    tally->answered++;
    if (why == NULL)
        tally->made++;
    else if (strcmp(why->name, STINT_NAME ".Error.Refused") == 0)
        tally->refused++;
    else if (strcmp(why->name, STINT_NAME ".Error.Failed") == 0
             || strcmp(why->name, SD_BUS_ERROR_LIMITS_EXCEEDED) == 0)
        tally->turned_away++;
    else {
        fprintf(stderr, "requests: %s: %s\n", why->name, why->message);
        exit(1);
    }
    return 0;
}

/* Makes calls on one connection until its window is full. */
static void fill(sd_bus *bus, struct tally *tally, struct tally *all, const struct plan *plan)
{
    while (all->sent < plan->calls && tally->sent - tally->answered < plan->window) {
        char role[64];
        snprintf(role, sizeof role, "%s%ld", plan->stem, all->sent % plan->roles);
        sd_bus_message *call = request(bus, role);
        int code = sd_bus_call_async(bus, NULL, call, answered, tally, 0);
        if (code < 0)
            fail("a call", code);
        sd_bus_message_unref(call);
        tally->sent++;
        all->sent++;
    }
}

static int flood(const struct plan *plan)
{
    sd_bus *buses[MOST_CONNECTIONS];
    struct tally tallies[MOST_CONNECTIONS] = { 0 }, all = { 0 };
    for (long i = 0; i < plan->connections; i++)
        buses[i] = open_bus();
    while (all.answered < plan->calls) {
        int busy = 0;
        all.answered = 0;
        for (long i = 0; i < plan->connections; i++) {
            fill(buses[i], &tallies[i], &all, plan);
            int code = sd_bus_process(buses[i], NULL);
            if (code < 0)
                fail("the bus", code);
            busy |= code;
            all.answered += tallies[i].answered;
        }
        if (!busy)
            rest(1);
    }
    for (long i = 0; i < plan->connections; i++) {
        all.made += tallies[i].made;
        all.refused += tallies[i].refused;
        all.turned_away += tallies[i].turned_away;
        sd_bus_flush_close_unref(buses[i]);
    }
    printf("%ld %ld %ld\n", all.made, all.refused, all.turned_away);
    return 0;
}

/* The id in a request's dictionary. */
static const char *id_of(sd_bus_message *reply)
{
    const char *key, *id;
    int code = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (code >= 0 && (code = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        if (sd_bus_message_read(reply, "s", &key) > 0 && strcmp(key, "id") == 0
            && sd_bus_message_read(reply, "v", "s", &id) > 0)
            return id;
        sd_bus_message_skip(reply, "v");
        code = sd_bus_message_exit_container(reply);
    }
    fail("a request has no id", code < 0 ? code : -ENOENT);
    return NULL;
}

static int timed(long most, long pause, const char *role, const char *file)
{
    sd_bus *bus = open_bus();
    for (long round = 0; round < most && access(file, F_OK) != 0; round++) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *call = request(bus, role), *reply = NULL;
        int64_t before = now();
        int code = sd_bus_call(bus, call, 0, &error, &reply);
        if (code >= 0)
            code = sd_bus_call_method(bus, STINT_NAME, STINT_PATH, STINT_NAME, "Cancel", &error,
                                      NULL, "s", id_of(reply));
        if (code < 0) {
            fprintf(stderr, "requests: %s: %s\n", role, error.message);
            return 1;
        }
        printf("0 %lld\n", (long long)(now() - before));
        sd_bus_message_unref(reply);
        sd_bus_message_unref(call);
        rest(pause);
    }
    sd_bus_flush_close_unref(bus);
    return 0;
}

static long number(const char *word)
{
    return strtol(word, NULL, 10);
}

int main(int count, char *words[])
{
    if (count == 6 && strcmp(words[1], "time") == 0)
        return timed(number(words[2]), number(words[3]), words[4], words[5]);
    if (count == 7 && strcmp(words[1], "flood") == 0) {
        struct plan plan = { number(words[2]), number(words[3]), number(words[4]), words[5],
                             number(words[6]) };
        if (plan.calls > 0 && plan.window > 0 && plan.roles > 0 && plan.connections > 0
            && plan.connections <= MOST_CONNECTIONS)
            return flood(&plan);
    }
    fprintf(stderr, "usage: requests flood CALLS CONNECTIONS WINDOW STEM ROLES\n"
                    "       requests time MOST PAUSE ROLE FILE\n");
    return 2;
}
