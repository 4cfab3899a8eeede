/* The environment of a stack: its memory and its randomness. */
#ifndef HAWSER_ENV_H
#define HAWSER_ENV_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define HAWSER_VISIBLE __attribute__((visibility("default")))
#else
#define HAWSER_VISIBLE
#endif
#if defined(__cplusplus)
#define HAWSER_API extern "C" HAWSER_VISIBLE
#else
#define HAWSER_API HAWSER_VISIBLE
#endif

/*
 * Everything a stack needs from its surroundings beside packets and the time.
 * The same environment answers and the same inputs give the same bytes out.
 * The struct is copied at creation; `ctx` must outlive every object made with it.
 */
struct hawser_env {
    void *ctx;
    /* Returns `size` bytes aligned for any type, or NULL when none are to be had. */
    void *(*alloc)(void *ctx, size_t size);
    /* Takes back what alloc() gave. `ptr` is never NULL. */
    void (*free)(void *ctx, void *ptr);
    /* Fills `len` bytes at `dst`. Keys, nonces, initial sequence numbers, ports and hash seeds come from
     * here, so on a real host it must be the system's cryptographic generator. */
    void (*random)(void *ctx, void *dst, size_t len);
};

#endif
