/* Two stacks and the paths between them, in simulated time: the whole core without a clock or a device. */
#ifndef HW_TESTS_WORLD_H
#define HW_TESTS_WORLD_H

#include <hawser/hawser.h>

#include "support.h"

#define WORLD_PATHS_MAX 4
#define WORLD_FLIGHT_MAX 8192
#define WORLD_PACKET_MAX 2048

struct world_path {
    uint64_t rate_bps, delay_ns; /* rate 0: unlimited */
    uint32_t queue_bytes;        /* 0: unlimited */
    double loss;
    uint16_t mtu; /* larger packets are dropped half-way, 0: none; */
    bool tells;   /* and their sender is told (RFC 1191, RFC 4443 3.2) */
    bool down;
    uint64_t busy_until_ns[2]; /* by direction: 0 from client to server */
    uint64_t delivered_bytes[2];
    uint64_t dropped, too_big;
};

struct world_packet {
    uint64_t at_ns, order;
    uint8_t to, path;
    uint16_t len;
    uint8_t bytes[WORLD_PACKET_MAX];
};

/* What a middlebox may do to a packet before it is put on the wire: false drops it. */
typedef bool world_tamper(void *ctx, int to, uint8_t *packet, uint16_t *len);

struct world {
    struct test_env env[2]; /* 0: client, 1: server */
    struct hawser_stack *stack[2];
    struct prng rng;
    struct world_path paths[WORLD_PATHS_MAX];
    unsigned path_count;
    bool v6;
    uint64_t now_ns, order;
    struct world_packet *flight; /* WORLD_FLIGHT_MAX of them */
    unsigned flight_count;
    world_tamper *tamper;
    void *tamper_ctx;
};

/* `server_addresses`: 1, or one per path. Options may be NULL. */
void world_init(struct world *w, uint64_t seed, unsigned paths, unsigned server_addresses, bool v6,
                const struct hawser_stack_options *client, const struct hawser_stack_options *server);
/* Frees all (a stack may be gone already, and be NULL) and asserts that nothing leaked. */
void world_destroy(struct world *w);

/* Sends what waits, then jumps to the next arrival or deadline; false when there is none before `until_ns`. */
bool world_step(struct world *w, uint64_t until_ns);

struct hawser_addr world_client_addr(const struct world *w, unsigned i);
struct hawser_addr world_server_addr(const struct world *w, unsigned i, uint16_t port);

/* Counter of one end by its public name. */
uint64_t world_counter(const struct world *w, int end, const char *name);

/* For those who tamper with IPv4 packets. Makes the TCP checksum right again. */
void world_fix_checksum(uint8_t *packet, uint16_t len);
/* The first MPTCP option from `from` on (NULL: from the first option), or NULL. */
uint8_t *world_find_mptcp(uint8_t *packet, uint8_t *from);

#endif
