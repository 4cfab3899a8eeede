#include "service/ss_tell.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "service/kernel_paths.h"
#include "service/programs.h"
#include "service/proxies.h"
#include "service/ways_out.h"

static json_t *of_addr(const struct hawser_addr *addr)
{
    char text[HAWSER_ADDR_STRLEN];
    return json_string(hawser_addr_format(addr, text, sizeof text));
}

static json_t *of_peer(struct end end)
{
    struct hawser_addr addr;
    end_peer(end, &addr);
    return of_addr(&addr);
}

static json_t *of_number(uint64_t number) { return json_integer((json_int_t)number); }

/* The uplink by which an address of the stack leaves, by what it is called there, and as whom others see it. */
static void tell_uplink(const struct service *service, const struct hawser_addr *local, json_t *out)
{
    const struct uplink *found = service->ways ? ways_find(service->ways, local) : NULL;
    if (found) {
        json_object_set_new(out, "uplink", json_string(found->name));
        json_object_set_new(out, "outside", of_addr(&found->outside[0]));
        return;
    }
    for (unsigned i = 0; i < service->choice.source_count; i++) {
        const struct choice_source *source = &service->choice.sources[i];
        if (hawser_addr_same_ip(&source->addr, local))
            json_object_set_new(out, "uplink", json_string(source->uplink));
    }
}

static json_t *of_subflow(const struct service *service, const struct hawser_subflow_info *s, bool of_kernel)
{
    json_t *out = json_object();
    tell_uplink(service, &s->local, out);
    const struct {
        const char *key;
        json_t *value;
    } members[] = {
        {"id", of_kernel ? NULL : of_number(s->id)},
        {"local", of_addr(&s->local)},
        {"remote", of_addr(&s->remote)},
        {"state", json_string(s->state)},
        {"backup", of_kernel ? NULL : json_boolean(s->backup)},
        {"rtt_us", of_number(s->srtt_ns / NS_PER_US)},
        {"rtt_min_us", of_number(s->min_rtt_ns / NS_PER_US)},
        {"cwnd_bytes", of_number(s->cwnd_bytes)},
        {"in_flight_bytes", of_number(s->in_flight_bytes)},
        {"peer_window_bytes", of_number(s->peer_window_bytes)},
        {"rate_bps", of_number(s->srtt_ns ? (uint64_t)s->cwnd_bytes * 8 * NS_PER_S / s->srtt_ns : 0)},
        {"sent_bytes", of_number(s->sent_bytes)},
        {"recv_bytes", of_number(s->recv_bytes)},
        {"retransmitted_bytes", of_number(s->retransmitted_bytes)},
        {"timeouts", of_kernel ? NULL : of_number(s->timeouts)},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(members); i++)
        if (members[i].value)
            json_object_set_new(out, members[i].key, members[i].value);
    return out;
}

static void tell_conn(const struct service *service, const struct hawser_conn *conn, json_t *out)
{
    struct hawser_conn_info info = {.size = sizeof info};
    struct hawser_subflow_info subflow = {.size = sizeof subflow};
    json_t *subflows = json_array();
    hawser_conn_get_info(conn, &info);
    json_object_set_new(out, "mptcp", json_boolean(info.mptcp));
    if (info.plain_why)
        json_object_set_new(out, "plain_why", json_string(info.plain_why));
    json_object_set_new(out, "scheduler", json_string(info.scheduler));
    json_object_set_new(out, "reinjected_bytes", of_number(info.reinjected_bytes));
    json_object_set_new(out, "copied_bytes", of_number(info.copied_bytes));
    json_object_set_new(out, "duplicate_bytes", of_number(info.duplicate_bytes));
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &subflow) == 0; i++)
        json_array_append_new(subflows, of_subflow(service, &subflow, false));
    json_object_set_new(out, "subflows", subflows);
}

/* A client of an upstream that comes by the kernel's sockets. */
static void tell_socket(const struct service *service, int fd, json_t *out)
{
    struct kernel_paths paths;
    if (kernel_paths_read(fd, &paths) < 0)
        return;
    json_t *subflows = json_array();
    json_object_set_new(out, "mptcp", json_boolean(paths.mptcp));
    if (paths.plain_why)
        json_object_set_new(out, "plain_why", json_string(paths.plain_why));
    for (unsigned i = 0; i < paths.count; i++)
        json_array_append_new(subflows, of_subflow(service, &paths.at[i], true));
    json_object_set_new(out, "subflows", subflows);
}

/* A door is that of the link by which its client came in. */
static const char *door_of(const struct service *service, struct end near)
{
    struct hawser_subflow_info first = {.size = sizeof first};
    const struct hawser_conn *conn = end_conn(near);
    if (!conn || hawser_subflow_get_info(conn, 0, &first) != 0)
        return NULL;
    LIST_EACH (it, &service->doors) {
        const struct service_door *door = LIST_ENTRY(it, struct service_door, link);
        if (door->link_index == first.link)
            return door->name;
    }
    return NULL;
}

static json_t *of_door(const struct service *service, const struct joint *joint)
{
    const struct joint_origin *origin = &joint->origin;
    const char *port = origin->port ? origin->port : "?";
    switch (origin->way) {
    case JOINT_BY_SOCKS:
        return json_sprintf("SOCKS %s", port);
    case JOINT_BY_CONNECT:
        return json_sprintf("CONNECT %s", port);
    case JOINT_BY_PORT:
        return json_sprintf("published %u", origin->published);
    case JOINT_BY_UPSTREAM:
        return json_sprintf("upstream %s", port);
    case JOINT_BY_LINK:
        break;
    }
    const char *door = door_of(service, joint->ends[0].end);
    return door ? json_string(door) : NULL;
}

/* Who came in at a port may be anybody, and so may be where the clients of an upstream go. */
static void tell_program(const struct service *service, const struct joint *joint, json_t *out)
{
    uid_t user;
    struct hawser_addr addr;
    end_peer(joint->ends[0].end, &addr);
    const char *name = service->programs && joint->origin.way != JOINT_BY_UPSTREAM
                           ? programs_name_at(service->programs, &addr, &user)
                           : NULL;
    if (!name)
        return;
    if (name[0])
        json_object_set_new(out, "program", json_string(name));
    json_object_set_new(out, "user", of_number(user));
}

/* By which upstream, if it is not reached directly. */
static const char *upstream_of(const struct service *service, const struct joint *joint)
{
    const bool goes_out = joint->origin.way != JOINT_BY_PORT && joint->origin.way != JOINT_BY_UPSTREAM;
    return service->proxies && goes_out ? proxies_upstream_name(service->proxies) : NULL;
}

/* Whom the client asked for, which a door's client says by the address that it called, and where that is. */
static void tell_destination(const struct service *service, const struct joint *joint, json_t *out)
{
    const char *upstream = upstream_of(service, joint), *asked = joint->origin.asked;
    const struct hawser_conn *client = end_conn(joint->ends[0].end);
    struct hawser_addr called;
    if (asked) {
        json_object_set_new(out, "destination", json_string(asked));
    } else if (upstream && joint->origin.way == JOINT_BY_LINK && client) {
        hawser_conn_local(client, &called);
        json_object_set_new(out, "destination", of_addr(&called));
    } else {
        json_object_set_new(out, "destination", of_peer(joint_server(joint)));
    }
    if (upstream)
        json_object_set_new(out, "upstream", json_string(upstream));
    else if (asked)
        json_object_set_new(out, "address", of_peer(joint_server(joint)));
}

json_t *ss_tell(const struct service *service, const struct joint *joint)
{
    json_t *out = json_object(), *door = of_door(service, joint);
    const struct end outer = joint->ends[1].end;
    json_object_set_new(out, "id", of_number(joint->id));
    if (door)
        json_object_set_new(out, "door", door);
    tell_program(service, joint, out);
    json_object_set_new(out, "client", of_peer(joint_client(joint)));
    tell_destination(service, joint, out);
    json_object_set_new(out, "age_ms", of_number(hawser_host_now(service->host) / NS_PER_MS - joint->origin.since_ms));
    json_object_set_new(out, "out_bytes", of_number(joint->ends[0].bytes));
    json_object_set_new(out, "in_bytes", of_number(joint->ends[1].bytes));
    if (end_conn(outer))
        tell_conn(service, end_conn(outer), out);
    else if (end_fd(outer) >= 0)
        tell_socket(service, end_fd(outer), out);
    return out;
}
