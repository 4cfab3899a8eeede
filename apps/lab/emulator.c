#include "emulator.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/flows.h"
#include "lab/lane.h"
#include "run/system.h"

/* Under load the emulator looks around this often: a packet is late by half of it on average, and many are moved at
 * once. */
#define EMULATOR_GRAIN_NS UINT64_C(50000)
#define EMULATOR_IDLE_NS (50 * NS_PER_MS)

enum { EMULATOR_BATCH = 64 };

struct emulator {
    const struct topology *topology;
    struct lanes lanes;
    struct flows flows;
};

/* The ends must not keep the network waiting: on two cores they otherwise would. Where that is not permitted, the
 * lateness in the report tells. */
static void emulator_hurry(void)
{
    struct sched_param param = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &param) != 0)
        setpriority(PRIO_PROCESS, 0, -20);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

/* Reads what an end sent into a path. Returns how many packets. */
static unsigned emulator_fill(struct emulator *e, unsigned path, enum lab_side side, uint64_t now_ns)
{
    struct lanes *l = &e->lanes;
    unsigned count = 0;
    for (; count < EMULATOR_BATCH; count++) {
        struct packet *packet = packet_take(&l->store);
        if (!packet)
            break;
        ssize_t n = read(e->topology->tun[path][side], packet->bytes, sizeof(packet->bytes));
        if (n <= 0) {
            packet_give(&l->store, packet);
            break;
        }
        packet->len = (uint32_t)n;
        lab_lane_push(l, &l->lane[path][side], packet, now_ns);
    }
    return count;
}

static void emulator_note_payload(struct lab_payload *p, size_t len, uint64_t now_ns)
{
    uint64_t last_ns = lab_get(&p->last_ns);
    if (len == 0)
        return;
    if (last_ns == 0)
        lab_set(&p->first_ns, now_ns);
    else if (now_ns - last_ns > lab_get(&p->longest_gap_ns))
        lab_set(&p->longest_gap_ns, now_ns - last_ns);
    lab_set(&p->last_ns, now_ns);
    lab_add(&p->bytes, len);
}

/* Hands the other end what has arrived. Returns how many packets. */
static unsigned emulator_empty(struct emulator *e, unsigned path, enum lab_side side, uint64_t now_ns)
{
    struct lanes *l = &e->lanes;
    unsigned count = 0;
    for (struct packet *packet; (packet = lab_lane_pop(l, &l->lane[path][side], now_ns)) != NULL; count++) {
        size_t payload = flows_note(&e->flows, packet->bytes, packet->len);
        emulator_note_payload(&l->shared->payload[side], payload, now_ns);
        /* A device whose namespace is going away takes nothing any more: that is the end of the run. */
        ssize_t ignored = write(e->topology->tun[path][!side], packet->bytes, packet->len);
        (void)ignored;
        packet_give(&l->store, packet);
    }
    return count;
}

static unsigned emulator_turn(struct emulator *e)
{
    unsigned moved = 0, paths = e->lanes.options->path_count;
    uint64_t now_ns = system_now();
    lanes_update_cuts(&e->lanes, now_ns);
    for (unsigned path = 0; path < paths; path++) {
        for (enum lab_side side = LAB_CLIENT; side < LAB_SIDES; side++) {
            moved += emulator_empty(e, path, side, now_ns);
            moved += emulator_fill(e, path, side, now_ns);
            lane_publish(&e->lanes.lane[path][side], now_ns);
        }
    }
    atomic_store_explicit(&e->lanes.shared->subflows, e->flows.established, memory_order_relaxed);
    return moved;
}

static struct timespec emulator_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Sleeps until a packet comes in or goes out. */
static void emulator_wait(struct emulator *e)
{
    struct pollfd fds[LAB_PATHS * LAB_SIDES];
    nfds_t count = 0;
    for (unsigned path = 0; path < e->lanes.options->path_count; path++) {
        for (unsigned side = 0; side < LAB_SIDES; side++)
            fds[count++] = (struct pollfd){.fd = e->topology->tun[path][side], .events = POLLIN};
    }
    uint64_t now_ns = system_now(), next_ns = lanes_next_time(&e->lanes);
    uint64_t wait_ns = next_ns <= now_ns ? 0 : next_ns - now_ns;
    struct timespec timeout = emulator_timespec(wait_ns < EMULATOR_IDLE_NS ? wait_ns : EMULATOR_IDLE_NS);
    ppoll(fds, count, &timeout, NULL);
}

static void emulator_loop(struct emulator *e)
{
    const struct timespec grain = emulator_timespec(EMULATOR_GRAIN_NS);
    while (!atomic_load_explicit(&e->lanes.shared->stop, memory_order_relaxed)) {
        if (emulator_turn(e))
            clock_nanosleep(CLOCK_MONOTONIC, 0, &grain, NULL);
        else
            emulator_wait(e);
    }
}

int emulator_run(const struct lab_options *o, const struct topology *t, struct lab_shared *shared, char why[LAB_WHY])
{
    struct emulator *e = calloc(1, sizeof(*e));
    if (!e) {
        snprintf(why, LAB_WHY, "no memory for the emulator: free some and try again");
        return -ENOMEM;
    }
    e->topology = t;
    int error = lanes_init(&e->lanes, o, shared, why);
    if (!error) {
        emulator_hurry();
        emulator_loop(e);
    }
    lanes_destroy(&e->lanes);
    free(e);
    return error;
}
