#include "sim/recorder.h"

#include "base/compiler.h"
#include "sim/memory.h"
#include "trace/pcapng.h"

struct recorded_host {
    struct tap tap;
    struct recorder *recorder;
    uint32_t interface;
};

struct recorder {
    struct watcher watcher;
    struct pcapng *file;
    struct recorded_host *hosts;
    int *err;
};

static void on_packet(struct tap *tap, const struct host *host, bool sent, const struct packet *packet, uint64_t now_ns)
{
    const struct recorded_host *own = HW_CONTAINER(tap, struct recorded_host, tap);
    struct packet *copy = packet_copy(host->node.world->packets, packet); /* with the checksum it will have */
    if (!copy)
        return;
    packet_settle(copy);
    pcapng_write(own->recorder->file, own->interface, !sent, now_ns - WORLD_START_NS, copy->data, copy->len);
    packet_free(copy);
}

static void begin(struct watcher *watcher, struct stage *stage)
{
    struct recorder *r = HW_CONTAINER(watcher, struct recorder, watcher);
    size_t count = stage->scenario->host_count;
    r->hosts = sim_new((count + 1) * sizeof *r->hosts);
    for (size_t i = 0; i < count; i++) {
        struct recorded_host *host = &r->hosts[i];
        host->recorder = r;
        host->interface = pcapng_add_interface(r->file, stage->hosts[i]->node.name);
        host->tap.packet = on_packet;
        list_init(&host->tap.link);
        list_push_back(&stage->hosts[i]->taps, &host->tap.link);
    }
}

static void destroy(struct watcher *watcher)
{
    struct recorder *r = HW_CONTAINER(watcher, struct recorder, watcher);
    *r->err = pcapng_close(r->file);
    sim_free(r->hosts);
    sim_free(r);
}

struct watcher *recorder_new(const char *path, int *err)
{
    struct pcapng *file = pcapng_open(path, err);
    if (!file)
        return NULL;
    struct recorder *r = sim_new(sizeof *r);
    r->watcher = (struct watcher){.begin = begin, .destroy = destroy};
    list_init(&r->watcher.link);
    r->file = file;
    r->err = err;
    *err = 0;
    return &r->watcher;
}
