#include "sim/judges/judges.h"

#include "sim/judges/rules.h"
#include "sim/memory.h"

static void (*const rules[])(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns) = {
    form_sent, handshake_sent, manners_sent, acks_sent, windows_sent, mappings_sent, checksums_sent,
};

static void on_packet(struct tap *tap, const struct host *host, bool sent, const struct packet *packet, uint64_t now_ns)
{
    struct judge_host *at = HW_CONTAINER(tap, struct judge_host, tap);
    struct seen seen;
    (void)host;
    if (world_failed(at->all->world))
        return;
    bool is_tcp = decode(packet->data, packet->len, packet->checksum_pending, &seen);
    if (!sent) {
        if (is_tcp && !seen.checksum_wrong)
            model_delivered(at, &seen);
        return;
    }
    household_sent(at, &seen, now_ns);
    if (!form_good(at, &seen, is_tcp))
        return;
    struct judge_subflow *s = model_sending(at, &seen);
    for (size_t i = 0; s && i < HW_ARRAY_LEN(rules); i++)
        rules[i](s, &seen, now_ns);
    if (s)
        model_sent(s, &seen);
}

static void judges_begin(struct watcher *watcher, struct stage *stage)
{
    struct judges *all = HW_CONTAINER(watcher, struct judges, watcher);
    all->stage = stage;
    all->world = &stage->world;
    all->host_count = stage->scenario->host_count;
    all->hosts = sim_new((all->host_count + 1) * sizeof(struct judge_host *));
    for (size_t i = 0; i < all->host_count; i++) {
        struct judge_host *at = sim_new(sizeof *at);
        all->hosts[i] = at;
        model_add_host(at, all, stage->hosts[i]);
        at->spec = &stage->scenario->hosts[i];
        household_begin(at);
        at->tap.packet = on_packet;
        list_init(&at->tap.link);
        list_push_back(&at->host->taps, &at->tap.link);
    }
}

static void judges_end(struct watcher *watcher, struct stage *stage)
{
    struct judges *all = HW_CONTAINER(watcher, struct judges, watcher);
    for (size_t i = 0; i < all->host_count && !world_failed(&stage->world); i++)
        household_end(all->hosts[i]);
}

/* The hosts are gone by now, and their taps with them. */
static void judges_destroy(struct watcher *watcher)
{
    struct judges *all = HW_CONTAINER(watcher, struct judges, watcher);
    for (size_t i = 0; i < all->host_count; i++) {
        model_remove_host(all->hosts[i]);
        sim_free(all->hosts[i]);
    }
    sim_free(all->hosts);
    sim_free(all);
}

struct watcher *judges_new(void)
{
    struct judges *all = sim_new(sizeof *all);
    all->watcher = (struct watcher){.begin = judges_begin, .end = judges_end, .destroy = judges_destroy};
    list_init(&all->watcher.link);
    return &all->watcher;
}
