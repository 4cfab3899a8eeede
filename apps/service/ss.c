#include "service/ss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "service/programs.h"
#include "service/ways_out.h"

/* How far a peer has come. */
struct listing {
    struct control_watch watch;
    struct ss *ss;
    struct list link;
    struct control_peer *peer;
    uid_t user;
    struct joints_walk walk;
};

static void end_listing(struct listing *listing)
{
    joints_walk_end(&listing->walk);
    list_remove(&listing->link);
    listing->ss->listing_count--;
    free(listing);
}

static void peer_gone(struct control_watch *watch) { end_listing(HW_CONTAINER(watch, struct listing, watch)); }

/* Nobody but root gets more than he leaves for others. */
static bool has_room(const struct ss *ss, uid_t user)
{
    const unsigned left = SS_LISTINGS - ss->listing_count;
    unsigned own = 0;
    LIST_EACH (it, &ss->listings)
        own += LIST_ENTRY(it, struct listing, link)->user == user;
    return left > 0 && (user == 0 || own < left);
}

static struct listing *listing_of(struct ss *ss, struct control_peer *peer, uid_t user)
{
    LIST_EACH (it, &ss->listings) {
        struct listing *listing = LIST_ENTRY(it, struct listing, link);
        if (listing->peer == peer)
            return listing;
    }
    struct listing *listing = has_room(ss, user) ? calloc(1, sizeof *listing) : NULL;
    if (!listing)
        return NULL;
    *listing = (struct listing){.watch = {.gone = peer_gone}, .ss = ss, .peer = peer, .user = user};
    list_push_back(&ss->listings, &listing->link);
    ss->listing_count++;
    joints_walk_begin(&ss->service->joints, &listing->walk);
    control_watch(peer, &listing->watch);
    return listing;
}

static json_t *of_addr(const struct hawser_addr *addr)
{
    char text[HAWSER_ADDR_STRLEN];
    return json_string(hawser_addr_format(addr, text, sizeof text));
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

static json_t *of_subflow(const struct service *service, const struct hawser_subflow_info *s)
{
    json_t *out = json_object();
    tell_uplink(service, &s->local, out);
    const struct {
        const char *key;
        json_t *value;
    } members[] = {
        {"id", of_number(s->id)},
        {"local", of_addr(&s->local)},
        {"remote", of_addr(&s->remote)},
        {"state", json_string(s->state)},
        {"backup", json_boolean(s->backup)},
        {"rtt_us", of_number(s->srtt_ns / NS_PER_US)},
        {"rtt_min_us", of_number(s->min_rtt_ns / NS_PER_US)},
        {"cwnd_bytes", of_number(s->cwnd_bytes)},
        {"in_flight_bytes", of_number(s->in_flight_bytes)},
        {"peer_window_bytes", of_number(s->peer_window_bytes)},
        {"rate_bps", of_number(s->srtt_ns ? (uint64_t)s->cwnd_bytes * 8 * NS_PER_S / s->srtt_ns : 0)},
        {"sent_bytes", of_number(s->sent_bytes)},
        {"recv_bytes", of_number(s->recv_bytes)},
        {"retransmitted_bytes", of_number(s->retransmitted_bytes)},
        {"timeouts", of_number(s->timeouts)},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(members); i++)
        json_object_set_new(out, members[i].key, members[i].value);
    return out;
}

/* The door by which the first end came in: that of its link. */
static const char *door_of(const struct service *service, const struct hawser_conn *near)
{
    struct hawser_subflow_info first = {.size = sizeof first};
    if (!near || hawser_subflow_get_info(near, 0, &first) != 0)
        return NULL;
    LIST_EACH (it, &service->doors) {
        const struct service_door *door = LIST_ENTRY(it, struct service_door, link);
        if (door->link_index == first.link)
            return door->name;
    }
    return NULL;
}

static void tell_far(const struct service *service, const struct hawser_conn *far, json_t *out)
{
    struct hawser_conn_info info = {.size = sizeof info};
    struct hawser_subflow_info subflow = {.size = sizeof subflow};
    json_t *subflows = json_array();
    hawser_conn_get_info(far, &info);
    json_object_set_new(out, "mptcp", json_boolean(info.mptcp));
    if (info.plain_why)
        json_object_set_new(out, "plain_why", json_string(info.plain_why));
    json_object_set_new(out, "scheduler", json_string(info.scheduler));
    json_object_set_new(out, "reinjected_bytes", of_number(info.reinjected_bytes));
    json_object_set_new(out, "duplicate_bytes", of_number(info.duplicate_bytes));
    for (size_t i = 0; hawser_subflow_get_info(far, i, &subflow) == 0; i++)
        json_array_append_new(subflows, of_subflow(service, &subflow));
    json_object_set_new(out, "subflows", subflows);
}

static void tell_program(const struct service *service, const struct hawser_addr *client, json_t *out)
{
    uid_t user;
    const char *name = service->programs ? programs_name_at(service->programs, client, &user) : NULL;
    if (!name)
        return;
    if (name[0])
        json_object_set_new(out, "program", json_string(name));
    json_object_set_new(out, "user", of_number(user));
}

static json_t *of_joint(const struct service *service, const struct joint *joint)
{
    struct hawser_addr addr;
    const struct hawser_conn *near = end_conn(joint->ends[0].end), *far = end_conn(joint->ends[1].end);
    const char *door = door_of(service, near);
    json_t *out = json_object();
    json_object_set_new(out, "id", of_number(joint->id));
    if (door)
        json_object_set_new(out, "door", json_string(door));
    end_peer(joint->ends[0].end, &addr);
    tell_program(service, &addr, out);
    json_object_set_new(out, "client", of_addr(&addr));
    end_peer(joint->ends[1].end, &addr);
    json_object_set_new(out, "destination", of_addr(&addr));
    json_object_set_new(out, "age_ms", of_number((hawser_host_now(service->host) - joint->since_ns) / NS_PER_MS));
    json_object_set_new(out, "out_bytes", of_number(joint->ends[0].bytes));
    json_object_set_new(out, "in_bytes", of_number(joint->ends[1].bytes));
    if (far)
        tell_far(service, far, out);
    return out;
}

static size_t count_subflows(const struct joint *joint)
{
    struct hawser_conn_info info = {.size = sizeof info};
    const struct hawser_conn *far = end_conn(joint->ends[1].end);
    if (!far || hawser_conn_get_info(far, &info) != 0)
        return 0;
    return info.subflows;
}

static enum control_verdict run(void *user, struct control_request *request, json_t *answer)
{
    struct ss *ss = user;
    const struct joint *joint;
    struct listing *listing = listing_of(ss, request->peer, request->from.uid);
    size_t subflows = 0, connections = 0;
    if (!listing)
        return control_refuse(request, "too many listings at once: try again");
    if (!json_is_true(json_object_get(request->body, "more"))) {
        joints_walk_end(&listing->walk);
        joints_walk_begin(&ss->service->joints, &listing->walk);
    }
    json_t *list = json_array();
    while ((joint = joints_walk_at(&listing->walk)) != NULL && connections < SS_CONNECTIONS) {
        subflows += count_subflows(joint);
        if (connections > 0 && subflows > SS_SUBFLOWS)
            break;
        json_array_append_new(list, of_joint(ss->service, joint));
        joints_walk_on(&listing->walk);
        connections++;
    }
    json_object_set_new(answer, "connections", list);
    json_object_set_new(answer, "more", json_boolean(joint != NULL));
    if (!joint) {
        control_unwatch(&listing->watch);
        end_listing(listing);
    }
    return CONTROL_DONE;
}

int ss_add_verb(struct ss *ss, struct service *service)
{
    *ss = (struct ss){.service = service};
    list_init(&ss->listings);
    return control_add_verb(&service->control, &(struct control_verb){.name = "ss", .run = run, .user = ss});
}
