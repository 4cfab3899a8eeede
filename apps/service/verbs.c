#include "service/verbs.h"

#include <stdlib.h>
#include <unistd.h>

#include <hawser/version.h>

#include "base/units.h"
#include "service/proxies.h"
#include "service/stall.h"
#include "service/ways_out.h"

enum { VERBS_DOORS = 100 }; /* listed in an answer, which has its bounds */

static json_t *of_door(const struct service_door *door)
{
    struct door_counts c;
    door_count(door->door, &c);
    json_t *refused = json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I}", "refused",
        (json_int_t)(c.refused[HAWSER_REFUSE_RESET] + c.refused[HAWSER_REFUSE_PORT] +
                     c.refused[HAWSER_REFUSE_PROTOCOL]),
        "unreachable", (json_int_t)(c.refused[HAWSER_REFUSE_NETWORK] + c.refused[HAWSER_REFUSE_HOST]), "prohibited",
        (json_int_t)c.refused[HAWSER_REFUSE_PROHIBITED], "silent", (json_int_t)c.refused[HAWSER_REFUSE_SILENTLY],
        "without_mptcp", (json_int_t)c.without_mptcp, "without_port", (json_int_t)c.without_port);
    json_t *all =
        json_pack("{s:s,s:I,s:I,s:I,s:I}", "door", door->name, "asked", (json_int_t)c.asked, "accepted",
                  (json_int_t)c.accepted, "waiting", (json_int_t)c.waiting, "gave_up", (json_int_t)c.withdrawn);
    json_object_update(all, refused);
    json_decref(refused);
    return all;
}

static json_t *of_uplinks(const struct service *service)
{
    char inside[HAWSER_ADDR_STRLEN], outside[HAWSER_ADDR_STRLEN];
    const struct uplink *u;
    json_t *all = json_array();
    for (size_t i = 0; service->ways && (u = ways_uplink(service->ways, i)); i++)
        json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:I,s:b,s:b}", "uplink", u->name, "outside",
                                             hawser_addr_format(&u->outside[0], outside, sizeof(outside)), "inside",
                                             hawser_addr_format(&u->inside, inside, sizeof(inside)), "mtu_bytes",
                                             (json_int_t)u->mtu, "carrier", u->carrier, "backup",
                                             names_have(&service->choice.backup, u->name)));
    return all;
}

static json_t *of_remarks(const struct service *service)
{
    const char *remark;
    json_t *all = json_array();
    if (service->ways)
        ways_look_for_firewall(service->ways);
    for (size_t i = 0; service->ways && (remark = ways_remark(service->ways, i)); i++)
        json_array_append_new(all, json_string(remark));
    return all;
}

static void add_tls(json_t *to, const struct tls_counts *c)
{
    const struct {
        const char *key;
        uint64_t value;
    } all[] = {
        {"no_room", c->no_room}, {"tls_bytes", c->held_bytes},    {"tls_overlong", c->overlong},
        {"tls_reset", c->reset}, {"tls_bytes_copied", c->copied},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        json_object_set_new(to, all[i].key, json_integer((json_int_t)all[i].value));
}

static json_t *of_port(const char *name, const struct session_counts *c)
{
    const struct {
        const char *key;
        uint64_t value;
    } all[] = {
        {"accepted", c->joined},         {"waiting", c->count},
        {"gave_up", c->gave_up},         {"crowded_out", c->crowded_out},
        {"turned_away", c->turned_away}, {"hasty", c->hasty},
        {"refused", c->refused},         {"refused_by_destination", c->failed},
        {"nonsense", c->nonsense},
    };
    json_t *one = json_pack("{s:s}", "port", name);
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        json_object_set_new(one, all[i].key, json_integer((json_int_t)all[i].value));
    add_tls(one, &c->tls);
    return one;
}

static json_t *of_ports(const struct proxies *proxies)
{
    struct session_counts c;
    const char *name;
    json_t *all = json_array();
    for (size_t i = 0; proxies && (name = proxies_status(proxies, i, &c)); i++)
        json_array_append_new(all, of_port(name, &c));
    return all;
}

static json_t *of_published(const struct stalls *stalls)
{
    struct stall_status s;
    json_t *all = json_array();
    for (size_t i = 0; stalls && stalls_status(stalls, i, &s); i++) {
        json_t *one = json_pack("{s:i,s:I,s:I,s:I,s:I}", "port", s.port, "accepted", (json_int_t)s.counts.accepted,
                                "waiting", (json_int_t)s.counts.waiting, "refused", (json_int_t)s.counts.refused,
                                "turned_away", (json_int_t)s.counts.turned_away);
        if (s.owner.is_program)
            json_object_set_new(one, "user", json_integer(s.owner.user));
        if (s.owner.is_program && s.owner.program[0])
            json_object_set_new(one, "program", json_string(s.owner.program));
        json_array_append_new(all, one);
    }
    return all;
}

/* Clients hear that the host is unreachable: here is why. */
static void add_upstream(json_t *answer, const struct proxies *proxies)
{
    struct upstream_counts c;
    const char *failure;
    if (!proxies || !proxies_upstream(proxies, &c, &failure))
        return;
    json_t *upstream =
        json_pack("{s:s,s:I,s:I,s:I,s:s}", "server", proxies_upstream_name(proxies), "asked", (json_int_t)c.asked,
                  "unreachable", (json_int_t)c.unreachable, "strangers", (json_int_t)c.strangers, "failure", failure);
    add_tls(upstream, &c.tls);
    json_object_set_new(answer, "upstream", upstream);
}

static json_t *of_control(const struct control *control)
{
    const struct control_counts *c = &control->counts;
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "peers", (json_int_t)control->peer_count, "requests",
                     (json_int_t)c->requests, "nonsense", (json_int_t)c->nonsense, "crowded_out",
                     (json_int_t)c->crowded_out, "did_not_read", (json_int_t)c->did_not_read);
}

static json_t *of_counters(struct hawser_host *host)
{
    struct hawser_counter counter;
    json_t *all = json_object();
    for (size_t i = 0; hawser_stack_counter(hawser_host_stack(host), i, &counter); i++)
        if (counter.value)
            json_object_set_new(all, counter.name, json_integer((json_int_t)counter.value));
    for (size_t i = 0; hawser_host_counter(host, i, &counter); i++)
        if (counter.value)
            json_object_set_new(all, counter.name, json_integer((json_int_t)counter.value));
    return all;
}

static enum control_verdict status(void *user, struct control_request *request, json_t *answer)
{
    struct service *service = user;
    const struct joints *joints = &service->joints;
    json_t *doors = json_array();
    (void)request;
    size_t left = 0;
    LIST_EACH (it, &service->doors) {
        if (json_array_size(doors) < VERBS_DOORS)
            json_array_append_new(doors, of_door(LIST_ENTRY(it, struct service_door, link)));
        else
            left++;
    }
    json_object_set_new(answer, "version", json_string(hawser_version()));
    json_object_set_new(answer, "pid", json_integer(getpid()));
    json_object_set_new(answer, "uptime_s",
                        json_integer((json_int_t)((hawser_host_now(service->host) - service->since_ns) / NS_PER_S)));
    json_object_set_new(answer, "doors", doors);
    json_object_set_new(answer, "uplinks", of_uplinks(service));
    json_object_set_new(answer, "remarks", of_remarks(service));
    json_object_set_new(answer, "ports", of_ports(service->proxies));
    json_object_set_new(answer, "published", of_published(service->stalls));
    add_upstream(answer, service->proxies);
    if (left)
        json_object_set_new(answer, "doors_not_listed", json_integer((json_int_t)left));
    json_object_set_new(answer, "connections",
                        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "now", (json_int_t)joints->count, "so_far",
                                  (json_int_t)joints->made, "reset", (json_int_t)joints->broken, "bytes_out",
                                  (json_int_t)joints->bytes[0], "bytes_in", (json_int_t)joints->bytes[1],
                                  "bytes_copied", (json_int_t)joints->copied_bytes));
    json_object_set_new(answer, "control", of_control(&service->control));
    json_object_set_new(answer, "counters", of_counters(service->host));
    return CONTROL_DONE;
}

static enum control_verdict down(void *user, struct control_request *request, json_t *answer)
{
    struct service *service = user;
    (void)request;
    (void)answer;
    sd_event_exit(service->loop, EXIT_SUCCESS);
    return CONTROL_DONE;
}

int verbs_add(struct service *service)
{
    const struct control_verb verbs[] = {
        {.name = "status", .run = status, .user = service},
        {.name = "down", .owner_only = true, .run = down, .user = service},
    };
    int error = 0;
    for (size_t i = 0; i < HW_ARRAY_LEN(verbs) && !error; i++)
        error = control_add_verb(&service->control, &verbs[i]);
    return error;
}
