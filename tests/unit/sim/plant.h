/*
 * A bug planted in the stack through a hook: packets changed on their way out, or internals changed while the world
 * runs. Never by code in the stack itself.
 */
#ifndef HW_TEST_SIM_PLANT_H
#define HW_TEST_SIM_PLANT_H

#include "exchange.h"

#include "sim/judges/decode.h"
#include "stack/stack.h"

#define MS NS_PER_MS
#define MEDDLE_END_MS 5000

struct plant;

struct bug {
    const char *what, *rule;
    void (*arrange)(struct scenario *s);
    unsigned host;                                              /* whose packets are changed: 0 client, 1 server */
    bool (*tamper)(struct plant *plant, struct packet *packet); /* false drops it */
    uint64_t at_ns, every_ns;                                   /* when internals are changed; every_ns 0: once */
    void (*meddle)(struct plant *plant);
    void (*undo)(struct plant *plant); /* after the run, lest the stack's own checks stop the test */
};

struct plant {
    const struct bug *bug;
    struct stage *stage;
    struct host *host;
    struct deadline timer;
    struct seen seen; /* of the packet at hand */
    uint8_t *tcp;     /* its TCP header */
    uint32_t highest; /* sequence number sent on the first subflow that had data */
    uint16_t port;
    unsigned count; /* tampered so far */
    void *held;
};

static inline bool on_output(void *ctx, struct packet *packet)
{
    struct plant *plant = ctx;
    if (!decode(packet->data, packet->len, packet->checksum_pending, &plant->seen))
        return true;
    plant->tcp = packet->data + (packet->len - plant->seen.len - plant->seen.option_bytes - 20);
    return plant->bug->tamper(plant, packet);
}

static inline uint64_t world_ms(const struct plant *plant)
{
    return (plant->stage->world.now_ns - WORLD_START_NS) / NS_PER_MS;
}

static inline void on_meddle(struct deadline *timer, uint64_t now_ns)
{
    struct plant *plant = HW_CONTAINER(timer, struct plant, timer);
    plant->bug->meddle(plant);
    host_wake(plant->host, now_ns);
    if (plant->bug->every_ns && world_ms(plant) < MEDDLE_END_MS)
        world_timer_set(&plant->stage->world, timer, now_ns + plant->bug->every_ns);
}

static inline bool is_data(const struct plant *plant) { return plant->seen.len > 0; }

static inline void plant_bug(struct plant *plant, const struct bug *bug, struct stage *stage)
{
    *plant = (struct plant){.bug = bug, .stage = stage, .host = stage->hosts[bug->host]};
    if (bug->tamper) {
        plant->host->tamper = on_output;
        plant->host->tamper_ctx = plant;
    }
    if (bug->meddle) {
        world_timer_init(&stage->world, &plant->timer, on_meddle);
        world_timer_set(&stage->world, &plant->timer, WORLD_START_NS + bug->at_ns);
    }
}

/* Plays each bug of a table; counts those that its rule did not catch. */
static inline unsigned play_bugs(const struct bug *bugs, size_t count)
{
    unsigned missed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct bug *bug = &bugs[i];
        struct scenario s;
        base(&s, 2, false);
        if (bug->arrange)
            bug->arrange(&s);
        struct stage *stage = stage_for(&s, 1);
        struct plant planted;
        plant_bug(&planted, bug, stage);
        stage_run(stage);
        if (bug->undo)
            bug->undo(&planted);
        stage_close(stage);
        bool caught = strcmp(stage->world.first_rule, bug->rule) == 0;
        printf("  %-40s %-20s %s\n", bug->what, bug->rule, caught ? stage->world.first_story : "MISSED");
        if (!caught)
            printf("    instead: %s\n", stage->world.violations ? stage->world.first_story : "nothing was seen");
        missed += !caught;
        stage_fini(stage);
        free(stage);
        scenario_fini(&s);
    }
    return missed;
}

#endif
