#include "lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/units.h"
#include "run/system.h"

struct packet *packet_take(struct packet_store *store)
{
    struct packet *packet = store->free;
    if (!packet)
        return malloc(sizeof(*packet));
    store->free = packet->next;
    return packet;
}

void packet_give(struct packet_store *store, struct packet *packet)
{
    packet->next = store->free;
    store->free = packet;
}

void packet_store_destroy(struct packet_store *store)
{
    while (store->free) {
        struct packet *packet = store->free;
        store->free = packet->next;
        free(packet);
    }
}

static int lane_open_capture(struct pcap_writer **writer, const char *dir, unsigned path, enum lab_side side,
                             const char *what, char why[LAB_WHY])
{
    char name[4096];
    int error = -ENAMETOOLONG;
    *writer = NULL;
    int len = snprintf(name, sizeof(name), "%s/path%u-%s-%s.pcap", dir, path, lab_side_name(side), what);
    if (len > 0 && (size_t)len < sizeof(name))
        *writer = pcap_open(name, &error);
    if (*writer)
        return 0;
    snprintf(why, LAB_WHY, "cannot write the capture %.150s: %s; choose another --pcap", name, strerror(-error));
    return error;
}

/* A path's captures: at each end, what the end sent into the network and what came out to it. */
static int lanes_open_captures(struct lanes *l, unsigned path, char why[LAB_WHY])
{
    const char *dir = l->options->pcap_dir;
    int error = 0;
    for (enum lab_side side = LAB_CLIENT; !error && side < LAB_SIDES; side++) {
        struct lane *out = &l->lane[path][side], *in = &l->lane[path][!side];
        error = lane_open_capture(&out->entry, dir, path, side, "sent", why);
        if (!error)
            error = lane_open_capture(&in->exit, dir, path, side, "received", why);
    }
    return error;
}

int lanes_init(struct lanes *l, const struct lab_options *o, struct lab_shared *shared, char why[LAB_WHY])
{
    memset(l, 0, sizeof(*l));
    l->options = o;
    l->shared = shared;
    if (o->pcap_dir)
        mkdir(o->pcap_dir, 0777); /* where that fails, opening the first capture says so */
    for (unsigned path = 0; path < o->path_count; path++) {
        for (unsigned side = 0; side < LAB_SIDES; side++) {
            struct lane *lane = &l->lane[path][side];
            lane->shared = &shared->lanes[path][side];
            int error = impair_init(&lane->impair, system_env(), &o->paths[path].config,
                                    o->seed * LAB_PATHS * LAB_SIDES + (uint64_t)path * LAB_SIDES + side);
            if (error) {
                snprintf(why, LAB_WHY, "no memory for the emulated paths: free some and try again");
                return error;
            }
        }
        int error = o->pcap_dir ? lanes_open_captures(l, path, why) : 0;
        if (error)
            return error;
    }
    return 0;
}

static void lane_close_capture(struct lanes *l, struct pcap_writer *writer)
{
    if (!writer)
        return;
    uint64_t lost = pcap_lost(writer);
    if (pcap_close(writer) != 0 && lost == 0)
        lost = 1;
    lab_add(&l->shared->pcap_lost, lost);
}

void lanes_destroy(struct lanes *l)
{
    for (unsigned path = 0; path < l->options->path_count; path++) {
        for (unsigned side = 0; side < LAB_SIDES; side++) {
            struct lane *lane = &l->lane[path][side];
            for (struct packet *packet; (packet = impair_drain(&lane->impair)) != NULL;)
                packet_give(&l->store, packet);
            impair_destroy(&lane->impair);
            lane_close_capture(l, lane->entry);
            lane_close_capture(l, lane->exit);
        }
    }
    packet_store_destroy(&l->store);
}

static bool path_is_cut(const struct lab_path *path, uint64_t elapsed_ns)
{
    for (unsigned i = 0; i < path->cut_count; i++) {
        if (elapsed_ns >= path->cuts[i].from_ns && elapsed_ns < path->cuts[i].until_ns)
            return true;
    }
    return false;
}

void lanes_update_cuts(struct lanes *l, uint64_t now_ns)
{
    uint64_t start_ns = lab_get(&l->shared->start_ns);
    for (unsigned i = 0; start_ns && i < l->options->path_count; i++) {
        const struct lab_path *path = &l->options->paths[i];
        if (path->cut_count == 0)
            continue;
        bool down = now_ns >= start_ns && path_is_cut(path, now_ns - start_ns);
        for (unsigned side = 0; side < LAB_SIDES; side++)
            impair_set_down(&l->lane[i][side].impair, down);
        atomic_store_explicit(&l->shared->path_down[i], down, memory_order_relaxed);
    }
}

uint64_t lanes_next_time(const struct lanes *l)
{
    uint64_t next_ns = TIME_NEVER;
    for (unsigned path = 0; path < l->options->path_count; path++) {
        for (unsigned side = 0; side < LAB_SIDES; side++) {
            uint64_t at_ns = impair_next_time(&l->lane[path][side].impair);
            next_ns = at_ns < next_ns ? at_ns : next_ns;
        }
    }
    return next_ns;
}

void lab_lane_push(struct lanes *l, struct lane *lane, struct packet *packet, uint64_t now_ns)
{
    if (lane->entry)
        pcap_write(lane->entry, now_ns, packet->bytes, packet->len);
    switch (impair_push(&lane->impair, now_ns, packet, packet->len)) {
    case IMPAIR_TAKEN:
        return;
    case IMPAIR_DOWN:
        lab_add(&lane->shared->drops_cut, 1);
        break;
    case IMPAIR_QUEUE_FULL:
    case IMPAIR_TOO_MANY:
        lab_add(&lane->shared->drops_queue, 1);
        break;
    }
    packet_give(&l->store, packet);
}

static void lanes_note_lateness(struct lanes *l, uint64_t late_ns)
{
    lab_add(&l->shared->lateness_ns, late_ns);
    lab_add(&l->shared->on_wire, 1);
    if (late_ns > lab_get(&l->shared->lateness_peak_ns))
        lab_set(&l->shared->lateness_peak_ns, late_ns);
}

struct packet *lab_lane_pop(struct lanes *l, struct lane *lane, uint64_t now_ns)
{
    for (;;) {
        void *handle;
        uint64_t due_ns = impair_next_time(&lane->impair);
        enum impair_exit exit = impair_pop(&lane->impair, now_ns, &handle);
        struct packet *packet = handle;
        switch (exit) {
        case IMPAIR_NOTHING:
            return NULL;
        case IMPAIR_LOST:
            lab_add(&lane->shared->drops_loss, 1);
            break;
        case IMPAIR_CUT:
            lab_add(&lane->shared->drops_cut, 1);
            break;
        case IMPAIR_DELIVER:
            lanes_note_lateness(l, now_ns - due_ns);
            if (lane->exit)
                pcap_write(lane->exit, now_ns, packet->bytes, packet->len);
            lab_add(&lane->shared->bytes, packet->len);
            lab_add(&lane->shared->packets, 1);
            return packet;
        }
        packet_give(&l->store, packet);
    }
}

void lane_publish(struct lane *lane, uint64_t now_ns)
{
    lab_set(&lane->shared->queue_bytes, impair_backlog(&lane->impair, now_ns));
    lab_set(&lane->shared->queue_peak_bytes, lane->impair.queue_peak_bytes);
}
