#include "service/ss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/ss_tell.h"

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

/* The next page of them; false: it was the last one. */
static bool fill_page(struct listing *listing, json_t *list)
{
    const struct ss *ss = listing->ss;
    const struct joint *joint;
    size_t bytes = 0;
    while ((joint = joints_walk_at(&listing->walk)) != NULL && json_array_size(list) < SS_CONNECTIONS) {
        json_t *told = ss_tell(ss->service, joint);
        bytes += json_dumpb(told, NULL, 0, JSON_COMPACT);
        if (json_array_size(list) > 0 && bytes > ss->page_bytes) {
            json_decref(told);
            return true;
        }
        json_array_append_new(list, told);
        joints_walk_on(&listing->walk);
    }
    return joint != NULL;
}

static enum control_verdict run(void *user, struct control_request *request, json_t *answer)
{
    struct ss *ss = user;
    struct listing *listing = listing_of(ss, request->peer, request->from.uid);
    if (!listing)
        return control_refuse(request, "too many listings at once: try again");
    if (!json_is_true(json_object_get(request->body, "more"))) {
        joints_walk_end(&listing->walk);
        joints_walk_begin(&ss->service->joints, &listing->walk);
    }
    json_t *list = json_array();
    const bool more = fill_page(listing, list);
    json_object_set_new(answer, "connections", list);
    json_object_set_new(answer, "more", json_boolean(more));
    if (!more) {
        control_unwatch(&listing->watch);
        end_listing(listing);
    }
    return CONTROL_DONE;
}

int ss_add_verb(struct ss *ss, struct service *service)
{
    *ss = (struct ss){.service = service, .page_bytes = SS_PAGE_BYTES};
    list_init(&ss->listings);
    return control_add_verb(&service->control, &(struct control_verb){.name = "ss", .run = run, .user = ss});
}
