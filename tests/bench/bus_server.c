/* Says yes to everybody, over the system bus. */
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "bus.h"

static int check(sd_bus_message *call, void *data, sd_bus_error *error)
{
    const char *user, *service;
    (void)data, (void)error;
    int code = sd_bus_message_read(call, "ss", &user, &service);
    return code < 0 ? code : sd_bus_reply_method_return(call, "b", 1);
}

static const sd_bus_vtable table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Check", "ss", "b", check, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int main(void)
{
    sd_bus *bus = NULL;
    int code = sd_bus_open_system(&bus);
    if (code >= 0)
        code = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_NAME, table, NULL);
    if (code >= 0)
        code = sd_bus_request_name(bus, BUS_NAME, 0);
    while (code >= 0) {
        code = sd_bus_process(bus, NULL);
        if (code == 0)
            code = sd_bus_wait(bus, UINT64_MAX);
    }
    fprintf(stderr, "bus_server: %s\n", strerror(-code));
    return 1;
}
