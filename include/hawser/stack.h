/* A host: packets in at a time, packets out, the next deadline, and who has news. No input or output of its own. */
#ifndef HAWSER_STACK_H
#define HAWSER_STACK_H

#include <hawser/addr.h>
#include <hawser/congestion.h>
#include <hawser/env.h>
#include <hawser/packet.h>
#include <hawser/path_manager.h>

/* No deadline: nothing will happen until a packet or a call arrives. */
#define HAWSER_NEVER UINT64_MAX
#define HAWSER_SHARDS_MAX 256
/* Bytes of a stack's secret. */
#define HAWSER_SECRET_LEN 32

struct hawser_stack;
struct hawser_scheduler;

/* Begins with its size so that it can grow. Zero in any field means the default. */
struct hawser_stack_options {
    size_t size;               /* sizeof(struct hawser_stack_options) */
    uint32_t max_connections;  /* connections, beside TIME-WAITs; default 4096, at most 2^24 */
    uint32_t max_memory_bytes; /* all that connections make the stack hold, buffers that links lent included; default
                                * 256 MiB; less than 394 KiB counts as that */
    bool checksum_required;    /* ask for DSS checksums (RFC 8684 3.1, flag A) */
    bool no_mptcp;             /* plain TCP only, both as client and as server */
    const char *congestion;    /* "cubic" (default), "reno" or "bbr" */
    /* What initial sequence numbers and timestamps are derived from. All zero: drawn from the environment. Several
     * stacks that stand for one host (shards) are given the same one, drawn by a cryptographic generator. */
    uint8_t secret[HAWSER_SECRET_LEN];
    uint32_t max_time_wait;      /* closed subflows, and those of MPTCP connections that were aborted, remembered for a
                                  * minute, for late segments (TIME-WAIT), beside the connections; at the limit the
                                  * oldest is forgotten; default 65536, at most 2^24 */
    uint32_t shard, shard_count; /* several stacks stand for one host, at most HAWSER_SHARDS_MAX, and this is number
                                  * `shard` of them, from 0 on: the ports it opens connections from are its own */
    const struct hawser_path_options *paths; /* of connections that have none of their own; copied; may be NULL */
    /* Who says which bytes of a connection leave on which path, where its options name nobody (hawser/scheduler.h); it
     * must outlive the stack. NULL: "lowest-rtt". */
    const struct hawser_scheduler *scheduler;
    /* The ports that connections are opened from; both 0: 32768 to 60999. For one whose packets are translated (NAT):
     * ports that the translation keeps can be used again at once, as sequence numbers and timestamps go on by port. Not
     * for shards. */
    uint16_t first_port, last_port;
    /* Who says how much is under way and how fast it leaves (hawser/congestion.h), in place of what `congestion` names;
     * it must outlive the stack. NULL: what that names. */
    const struct hawser_congestion *controller;
};

/* What a link can do and how large its packets may be. */
struct hawser_link_options {
    size_t size;        /* sizeof(struct hawser_link_options) */
    uint32_t mtu;       /* bytes of an IP packet on the wire, 1280 to 65535; default 1500 */
    uint32_t gso_bytes; /* largest payload of a super-segment it takes; 0: it cannot segment */
    /* A door (<hawser/door.h>): programs of this machine come in by it, or hosts that it is the router of. Whatever
     * address a packet is to, it is for the stack; and connections come from any source, even those that nobody beyond
     * a link can have: loopback, broadcast, the stack's own addresses. What came in by a door, and what was opened from
     * there, has its packets on that link only. Who comes in by two doors of a stack needs an address for each. */
    bool door;
};

/*
 * Options begin with their size so that they can grow, and whoever takes some says of it: -EINVAL when it is less than
 * that of any version of the struct, as where it was forgotten; -E2BIG when it is more than this library's, and what
 * lies beyond is not zero: the program asks for what the library does not know. So it is with tables of functions, of
 * schedulers and path managers, to which options point.
 */

/*
 * Creates a stack. `options` may be NULL. Returns 0 and *out, owned by the caller; -EINVAL (the size of the options, no
 * congestion control has that name, the scheduler or the controller is none, or `shard` is not below `shard_count`, or
 * that is above HAWSER_SHARDS_MAX, or the ports are none, or shards have any); -E2BIG; or -ENOMEM.
 */
HAWSER_API int hawser_stack_new(const struct hawser_env *env, const struct hawser_stack_options *options,
                                struct hawser_stack **out);

/* Ends every connection without a word on the wire and frees everything, delivered or not (hawser_stack_unfinished()).
 * All handles of the stack become invalid. For a word, hawser_stack_abort() and hawser_stack_output() come before. */
HAWSER_API void hawser_stack_free(struct hawser_stack *stack);

/* Adds a link; returns its index (0, 1, ...), -EINVAL for impossible options, -E2BIG, or -ENOSPC when there
 * are too many. `options` may be NULL. */
HAWSER_API int hawser_stack_add_link(struct hawser_stack *stack, const struct hawser_link_options *options);

/* Takes a link away; hawser_stack_add_link() may give its index to another one. Connections that came in by it, as by a
 * door, are the caller's to end before; one whose handshake is under way there fails with -ENETDOWN. Returns 0;
 * -EINVAL: there is no such link; or -EBUSY: it has an address or a listener. */
HAWSER_API int hawser_stack_remove_link(struct hawser_stack *stack, int link);

/*
 * Gives the stack a local address on a link; `prefix_len` (0..32 or 0..128) says what is on-link. Returns 0, -EINVAL,
 * -EEXIST for an address it has already, -ENOSPC. Live connections may grow new subflows from it.
 */
HAWSER_API int hawser_stack_add_address(struct hawser_stack *stack, int link, const struct hawser_addr *addr,
                                        unsigned prefix_len, uint64_t now_ns);

/*
 * Says where peers reach a local address that is translated on the way (NAT): that is what they are told of it (RFC
 * 8684 3.4.1), and the port, unless it is 0, where they are to join; NULL: itself, as at first. What arrives is to the
 * stack's own address, by which its address ID goes. Nothing is told before the next hawser_stack_output(), so that the
 * call right after hawser_stack_add_address() is early enough. Who was told of another place hears that it is gone, and
 * closes subflows there that do not answer, and hears of the new one some seconds later.
 * Returns 0; -ENOENT when the stack has no such address; -EINVAL for an `outside` of the other family, or that no host
 * can have.
 */
HAWSER_API int hawser_stack_set_outside(struct hawser_stack *stack, const struct hawser_addr *addr,
                                        const struct hawser_addr *outside, uint64_t now_ns);

/*
 * Makes a local address a backup, or again a regular one, of all connections whose options name no backups of their own
 * (struct hawser_path_options): peers are asked to use subflows there only when no regular one works (RFC 8684 3.3.8),
 * and connections begin there last. It holds for subflows that are opened from now on. Returns 0, or -ENOENT when the
 * stack has no such address.
 */
HAWSER_API int hawser_stack_set_backup(struct hawser_stack *stack, const struct hawser_addr *addr, bool backup);

/*
 * Takes a local address away. Subflows from it are reset, peers are told (REMOVE_ADDR). A connection that has no other
 * subflow which answers waits for the address: it says nothing, and goes on once the stack has it again, if peers reach
 * it at the same place (hawser_stack_set_outside()). One of plain TCP, or whose peer has not answered to Multipath TCP
 * yet, has five seconds, and fails with -EADDRNOTAVAIL then; another has half a minute for that or for a join from
 * elsewhere, and fails with -ETIMEDOUT. A longer user timeout counts instead. Returns 0, or -ENOENT when the stack has
 * no such address.
 */
HAWSER_API int hawser_stack_remove_address(struct hawser_stack *stack, const struct hawser_addr *addr, uint64_t now_ns);

/*
 * Every call that takes the time takes it as `now_ns`, monotonic nanoseconds. A time before that of an earlier call is
 * counted ("time.went_back") and the latest one holds. What calls without it ask for begins at the next
 * hawser_stack_output().
 */

/* Packets that arrived on `link`. Malformed or unwanted ones are counted and dropped. */
HAWSER_API void hawser_stack_input(struct hawser_stack *stack, int link, const struct hawser_rx *packets, size_t count,
                                   uint64_t now_ns);

/*
 * The same for one of several stacks that stand for one host. What belongs to another one is left alone: SYNs that ask
 * to join a connection whose token it does not know (RFC 8684 3.2), and ICMP errors about segments that it did not
 * send. Sets declined[i] for each of `count` packets and
 * returns how many were declined; who owns the stacks offers those to the others, and to the last one by
 * hawser_stack_input(), which answers them by a RST if it does not know the token either. From then on packets between
 * the same addresses and ports go to the stack that took it; others go by hawser_shard_of_port() of their destination
 * port, and where that is nobody's by anything that is a function of addresses and ports.
 */
HAWSER_API size_t hawser_stack_offer(struct hawser_stack *stack, int link, const struct hawser_rx *packets,
                                     size_t count, uint64_t now_ns, bool *declined);

/* The shard, of `shard_count` (at most HAWSER_SHARDS_MAX; 0 counts as 1), that opens connections from this port, or -1:
 * nobody does. */
HAWSER_API int hawser_shard_of_port(uint16_t port, uint32_t shard_count);

/*
 * Fills up to `max` packets that should leave now and returns how many. Call until it returns less than `max`, after
 * every input, deadline or socket call. The packets are valid until the next call into the stack.
 */
HAWSER_API size_t hawser_stack_output(struct hawser_stack *stack, struct hawser_tx *packets, size_t max,
                                      uint64_t now_ns);

/* When hawser_stack_advance() must next be called, by the clock of `now_ns`, or HAWSER_NEVER. */
HAWSER_API uint64_t hawser_stack_deadline(const struct hawser_stack *stack);

/* Runs every timer that is due at `now_ns`. */
HAWSER_API void hawser_stack_advance(struct hawser_stack *stack, uint64_t now_ns);

/* hawser_next_event() has something to tell. Who is about to sleep looks here first. O(1). */
HAWSER_API bool hawser_stack_pending(struct hawser_stack *stack);

/* What closed connections owe to their peers: nobody else asks for it any more. */
struct hawser_unfinished {
    uint32_t connections; /* closed by their programs, and bytes or the end of the stream are not acknowledged yet */
    uint64_t bytes;       /* that are not */
    uint64_t failed;      /* connections that were like that when they failed, since the stack was made */
};

/*
 * Says how much is not delivered of what was sent before hawser_close(). It does not count the peer's direction, nor
 * connections that only remain for late segments (TIME-WAIT), nor aborted ones. Looks at every connection.
 */
HAWSER_API void hawser_stack_unfinished(const struct hawser_stack *stack, struct hawser_unfinished *out);

/*
 * Ends every connection at the next hawser_stack_output(), as hawser_abort() does, but the handles stay: HAWSER_ERROR
 * is told, -ECONNABORTED. So it is with those that were closed and have not delivered all, and with those that nobody
 * has accepted yet; what was closed, and has delivered all, or whose streams have both ended, has nothing to say any
 * more. Looks at every connection. For the end of a program: the peers of one that just goes learn of it minutes later,
 * or never.
 */
HAWSER_API void hawser_stack_abort(struct hawser_stack *stack);

/* Closed subflows, and those of aborted connections, that only remain for late segments (TIME-WAIT). They belong to no
 * connection any more. */
HAWSER_API uint32_t hawser_stack_time_wait(const struct hawser_stack *stack);

/* A destination to which SYNs with MP_CAPABLE got lost and a plain one, right after, did not: a middlebox eats what it
 * does not know. New connections to it are plain TCP from the first SYN on. */
struct hawser_plain_peer {
    struct hawser_addr addr; /* whatever the port, which is 0 */
    uint64_t until_ns;       /* MP_CAPABLE is tried again from then on: a minute after the first proof, and with each
                              * further one after eight times as long, up to a day */
    uint32_t times;          /* how often it was found out */
};

/*
 * The i-th of these (0, 1, ...), the latest proof last; false past the end. At most 256 are remembered, the latest
 * ("limit.plain_peers"); until a connection to one of them is MPTCP, or the stack gets an address, from which the way
 * may be another.
 */
HAWSER_API bool hawser_stack_plain_peer(const struct hawser_stack *stack, size_t i, struct hawser_plain_peer *out);

/* Forgets that of an address, whatever its port; NULL: all. Connections try MP_CAPABLE there again. */
HAWSER_API void hawser_stack_forget_plain_peers(struct hawser_stack *stack, const struct hawser_addr *addr);

/* One counter of the stack: name in the manner of "tcp.bad_checksum", and its count. */
struct hawser_counter {
    const char *name;
    uint64_t value;
};

/*
 * The i-th counter (0, 1, ...); false past the end. Names are stable, order is not; counters of dropped packets have
 * names beginning with "drop.".
 */
HAWSER_API bool hawser_stack_counter(const struct hawser_stack *stack, size_t i, struct hawser_counter *out);

#endif
