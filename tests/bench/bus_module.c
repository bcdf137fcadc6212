/*
 * A module that asks over the system bus as most would write it: libsystemd, open the bus, call a
 * method, let in on a yes. A yardstick, not a gate: it believes the environment.
 */
#include <security/pam_modules.h>
#include <systemd/sd-bus.h>

#include "bus.h"

int pam_sm_acct_mgmt(pam_handle_t *handle, int flags, int count, const char **words)
{
    const void *user = NULL, *service = NULL;
    sd_bus *bus = NULL;
    sd_bus_message *reply = NULL;
    int allowed = 0;
    (void)flags, (void)count, (void)words;

    if (pam_get_item(handle, PAM_RUSER, &user) != PAM_SUCCESS || user == NULL
        || pam_get_item(handle, PAM_SERVICE, &service) != PAM_SUCCESS || service == NULL)
        return PAM_PERM_DENIED;
    int good = sd_bus_open_system(&bus) >= 0
        && sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_NAME, "Check", NULL, &reply, "ss",
                              user, service) >= 0
        && sd_bus_message_read(reply, "b", &allowed) >= 0 && allowed;
    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(bus);
    return good ? PAM_SUCCESS : PAM_PERM_DENIED;
}
