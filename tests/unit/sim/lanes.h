/* A lane on a bench, without nodes: packets are numbered, pushed in by hand and taken out at the far end. */
#ifndef HW_TESTS_SIM_LANES_H
#define HW_TESTS_SIM_LANES_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/lane.h"
#include "sim/world.h"
#include "wire/bytes.h"

#define ROOM 2000u
#define T0 WORLD_START_NS

struct bench {
    struct world world;
    struct lane lane;
};

static inline void bench_start(struct bench *b, struct lane_config config)
{
    struct prng rng;
    world_init(&b->world, 1, ROOM);
    world_stream(&b->world, "bench", &rng);
    lane_init(&b->lane, &config, &rng, b->world.packets, T0);
}

static inline void bench_finish(struct bench *b)
{
    lane_fini(&b->lane);
    world_destroy(&b->world); /* the pool checks that no packet is left */
}

/* A packet that carries its number in its last four bytes. */
static inline struct packet *numbered(struct world *world, uint32_t len, uint32_t number)
{
    struct packet *packet = packet_new(world->packets);
    assert_non_null(packet);
    packet->len = len;
    memset(packet->data, 0, len);
    put32(packet->data + len - 4, number);
    return packet;
}

static inline uint32_t number_of(const struct packet *packet) { return get32(packet->data + packet->len - 4); }

static inline void push(struct bench *b, uint64_t now_ns, uint32_t len, uint32_t number)
{
    lane_push(&b->lane, numbered(&b->world, len, number), now_ns);
}

struct exit {
    uint64_t at_ns; /* TIME_NEVER: none */
    uint32_t number;
};

/* The next packet that leaves by `until_ns`. */
static inline struct exit next_exit(struct bench *b, uint64_t until_ns)
{
    for (uint64_t at; (at = lane_next_at(&b->lane)) <= until_ns && at != TIME_NEVER;) {
        struct packet *packet = lane_pop(&b->lane, at);
        if (packet) {
            struct exit out = {at, number_of(packet)};
            packet_free(packet);
            return out;
        }
    }
    return (struct exit){TIME_NEVER, 0};
}

/* Takes out all that leaves by `until_ns`; how many. */
static inline unsigned drain(struct bench *b, uint64_t until_ns)
{
    unsigned n = 0;
    while (next_exit(b, until_ns).at_ns != TIME_NEVER)
        n++;
    return n;
}

static inline void expect_exit(struct bench *b, uint64_t at_ns, uint32_t number)
{
    struct exit out = next_exit(b, TIME_NEVER - 1);
    if (out.at_ns != at_ns || out.number != number)
        fail_msg("packet %u left at %" PRIu64 ", not %u at %" PRIu64, out.number, out.at_ns - T0, number, at_ns - T0);
}

static inline void expect_silence(struct bench *b) { assert_true(next_exit(b, TIME_NEVER - 1).at_ns == TIME_NEVER); }

#endif
