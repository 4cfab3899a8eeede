#include "service/program_ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/listening.h"

static bool read_port(const char **text, uint16_t *out)
{
    char *end;
    unsigned long value = strtoul(*text, &end, 10);
    bool good = **text >= '0' && **text <= '9' && value > 0 && value <= UINT16_MAX;
    *out = (uint16_t)value;
    *text = end;
    return good;
}

int port_ranges_add(struct port_ranges *ranges, const char *text)
{
    uint16_t first, last;
    if (!read_port(&text, &first))
        return -EINVAL;
    last = first;
    if (*text == '-') {
        text++;
        if (!read_port(&text, &last))
            return -EINVAL;
    }
    if (*text || last < first)
        return -EINVAL;
    if (ranges->count == PORT_RANGES)
        return -ENOSPC;
    ranges->at[ranges->count].first = first;
    ranges->at[ranges->count++].last = last;
    return 0;
}

static bool is_allowed(const struct port_ranges *ranges, uint16_t port)
{
    for (unsigned i = 0; i < ranges->count; i++)
        if (ranges->at[i].first <= port && port <= ranges->at[i].last)
            return true;
    return false;
}

static int check_free(uint16_t port, char *why, size_t why_size)
{
    uid_t user = 0;
    int found = listening_user(port, &user);
    if (found > 0)
        snprintf(why, why_size,
                 "port %u: a program of user %u listens there on this host: end that, or choose another port", port,
                 user);
    else if (found < 0)
        snprintf(why, why_size, "port %u: cannot find out whether somebody listens there: %s", port, strerror(-found));
    return found > 0 ? -EADDRINUSE : found;
}

static int check(const struct program_ports_source *from, const struct program_wishes *wishes, char *why,
                 size_t why_size)
{
    if (from->user == 0)
        return 0;
    if (from->others + wishes->port_count > PORTS_OF_USER_MAX) {
        snprintf(why, why_size, "more than %d ports published of yours: end a program", PORTS_OF_USER_MAX);
        return -EDQUOT;
    }
    for (unsigned i = 0; i < wishes->port_count; i++) {
        const uint16_t port = wishes->ports[i].outside;
        if (is_allowed(from->allowed, port))
            continue;
        if (port < PORTS_FIRST_FREE) {
            snprintf(
                why, why_size,
                "port %u: ports below %d are for root, and for those whom the service's configuration allows them: "
                "publish another one, as in 8080:80",
                port, PORTS_FIRST_FREE);
            return -EACCES;
        }
        int error = check_free(port, why, why_size);
        if (error)
            return error;
    }
    return 0;
}

static bool find_program(void *of, const struct hawser_addr *inside, struct hawser_addr *to)
{
    const struct program_port *port = of;
    const struct program_ports *ports = port->ports;
    const char *uplink = choice_name(ports->choice, inside);
    bool v4 = hawser_addr_is_v4(inside);
    *to = v4 ? ports->addresses.v4 : ports->addresses.v6;
    to->port = port->inside;
    bool wanted = ports->demands->only.count == 0 || (uplink && names_have(&ports->demands->only, uplink));
    return wanted && (v4 || ports->has_v6);
}

static int open_all(struct program_ports *ports, const struct program_ports_source *from,
                    const struct program_wishes *wishes, char *why, size_t why_size)
{
    struct choice_room room;
    struct hawser_path_options paths = {.size = sizeof paths};
    choice_limit(from->choice, &wishes->demands, &room, &paths);
    for (unsigned i = 0; i < wishes->port_count; i++) {
        struct program_port *port = &ports->at[ports->count];
        *port = (struct program_port){.ports = ports, .inside = wishes->ports[i].inside};
        const struct stall_options options = {
            .port = wishes->ports[i].outside,
            .link = from->link,
            .owner = {.is_program = true, .user = from->user, .program = wishes->name},
            .paths = &paths,
            .server = find_program,
            .of = port};
        int error = stall_open(ports->stalls, &options, &port->stall, why, why_size);
        if (error)
            return error;
        ports->count++;
    }
    return ports->count ? stalls_apply(ports->stalls, why, why_size) : 0;
}

int program_ports_open(struct program_ports *ports, const struct program_ports_source *from,
                       const struct program_wishes *wishes, const struct program_addresses *addresses, char *why,
                       size_t why_size)
{
    *ports = (struct program_ports){
        .stalls = from->stalls, .choice = from->choice, .demands = &wishes->demands, .addresses = *addresses};
    int error = check(from, wishes, why, why_size);
    if (!error)
        error = open_all(ports, from, wishes, why, why_size);
    if (error)
        program_ports_close(ports);
    return error;
}

void program_ports_close(struct program_ports *ports)
{
    char why[256];
    if (ports->count == 0)
        return;
    while (ports->count)
        stall_close(ports->at[--ports->count].stall);
    stalls_apply(ports->stalls, why, sizeof why); /* it is tried again with the next change of the uplinks */
}
