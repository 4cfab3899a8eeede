/* A stack attached to the real world: its links, the clock and the system's randomness, behind one descriptor. */
#ifndef HAWSER_HOST_H
#define HAWSER_HOST_H

#include <hawser/stack.h>

struct hawser_host;

/*
 * Creates a host with an empty stack. `options` may be NULL. Returns 0 and *out, owned by the caller; what
 * hawser_stack_new() says; or what the system said, such as -EMFILE.
 * Part of libhawser-host, not of the core library.
 */
HAWSER_API int hawser_host_new(const struct hawser_stack_options *options, struct hawser_host **out);
/* Frees everything, at once: what connections still had to deliver is lost, and their peers are told by resets
 * (hawser_stack_abort()), as far as the links take them now. hawser_host_drain() comes before. In a child that fork()
 * made of the process it would end the parent's connections: such a one calls _exit(). */
HAWSER_API void hawser_host_free(struct hawser_host *host);

/* The host's stack, for the socket interface. Owned by the host. */
HAWSER_API struct hawser_stack *hawser_host_stack(struct hawser_host *host);

/*
 * Attaches a link described as "tun,dev=NAME,addr=A/LEN[,addr=...][,mtu=N][,pcap=FILE][,nogso][,door]". The device is
 * made (or an existing persistent one joined), set up, and the prefix of each address is routed to it; the stack owns
 * the addresses. A door (<hawser/door.h>) needs none: what leads there is the caller's to set up, an address of the
 * kernel's own included, without which it takes no ICMP error from there; nor does one with "addr=none", which gets its
 * addresses by hawser_stack_add_address(). Returns the link's index in the stack, or a
 * negative errno; on failure `why` (of `why_size` bytes) holds one line that says what was wrong and what to do.
 */
HAWSER_API int hawser_host_add_link(struct hawser_host *host, const char *spec, char *why, size_t why_size);

/*
 * Gives a link, by its index, one more address: its prefix is routed there, and the stack owns it, so that live
 * connections may grow new subflows from it. Returns 0; -ENODEV: there is no such device, or it was deleted; -EINVAL:
 * no prefix has that length; -EEXIST, -ENOSPC; -EADDRINUSE: the kernel has it; or what the kernel said; on failure
 * nothing is changed, and `why` holds one line as before.
 */
HAWSER_API int hawser_host_add_address(struct hawser_host *host, int link, const struct hawser_addr *addr,
                                       unsigned prefix_len, char *why, size_t why_size);

/* Takes an address away that a link was given, as hawser_stack_remove_address() does, and the route of its prefix,
 * unless another one of that link lies in it. Returns 0; or -ENOENT: no link was given it. */
HAWSER_API int hawser_host_remove_address(struct hawser_host *host, const struct hawser_addr *addr);

/* Takes a link away, and its device where the host made it: nothing is said any more to who is there, so end its
 * connections and step before. Returns 0; -EINVAL or -EBUSY as hawser_stack_remove_link(); or -ENODEV: it is away now,
 * but its device had gone before, which hawser_host_step() has told. */
HAWSER_API int hawser_host_remove_link(struct hawser_host *host, int link);

/*
 * Joins two hosts of this process by a pair of links, as a cable would, without any privilege: for tests and examples.
 * `addr_a` and `addr_b` become addresses of `a` and `b`, each with the other on-link by `prefix_len`. Call it again
 * with other addresses for a second path. What one host sends makes the other's descriptor readable. The hosts may be
 * freed in any order. Both belong to one thread. Returns 0 or a negative errno: -EINVAL, -EEXIST, -ENOSPC, -ENOMEM, or
 * what the system said.
 */
HAWSER_API int hawser_host_add_pair(struct hawser_host *a, const struct hawser_addr *addr_a, struct hawser_host *b,
                                    const struct hawser_addr *addr_b, unsigned prefix_len);

/*
 * A descriptor for any event loop. It is readable while hawser_host_step() has work to do, and, level-triggered, from a
 * step that leaves events (hawser_stack_pending()) until a step that finds them taken. So a program that sleeps on it
 * misses nothing if it takes events until there are none, however few at a time:
 *
 *     for (;;) {
 *         poll(...);
 *         hawser_host_step(host);
 *         while (hawser_next_event(stack, &event)) ... hawser_accept(), hawser_recv(), hawser_send() ...
 *         hawser_host_step(host);
 *     }
 *
 * One that leaves events where they are does not sleep: it is woken for them again and again.
 */
HAWSER_API int hawser_host_fd(const struct hawser_host *host);

/* Takes in packets, runs timers, sends packets. Never blocks. Call it when the descriptor is readable and after every
 * socket call that has something to say. Returns 0, or -ENODEV once for each link that failed for good (its device was
 * deleted); the other links go on. */
HAWSER_API int hawser_host_step(struct hawser_host *host);

/*
 * Steps until closed connections have delivered all, or `patience_ns` nanoseconds are over: the one call that blocks,
 * except with a patience of 0. *left is what hawser_stack_unfinished() says then. Open connections are served like by
 * hawser_host_step(), and their events wait. Delivered means acknowledged by the peer's host, not read by its program,
 * nor that its end was acknowledged: for that, wait for HAWSER_CLOSED before hawser_close().
 * A peer joined by hawser_host_add_pair() in the same thread must be stepped in turn: there, use a patience of 0.
 * Returns 0; -ECONNRESET when a connection failed meanwhile that had not delivered all; -ETIMEDOUT; or -EINTR when a
 * signal came in between. A link that fails is told by the next step.
 */
HAWSER_API int hawser_host_drain(struct hawser_host *host, uint64_t patience_ns, struct hawser_unfinished *left);

/* The host's memory and randomness, the system's, for the calls that ask for an environment, such as
 * hawser_buf_wrap(). Good for as long as the process lasts. */
HAWSER_API const struct hawser_env *hawser_host_env(const struct hawser_host *host);

/* The host's monotonic clock in nanoseconds, for the calls that ask for the time. */
HAWSER_API uint64_t hawser_host_now(const struct hawser_host *host);

/* The i-th counter of the links, summed over them, in the manner of hawser_stack_counter(); false past the end. */
HAWSER_API bool hawser_host_counter(const struct hawser_host *host, size_t i, struct hawser_counter *out);

#endif
