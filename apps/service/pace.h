/*
 * How often an address (IPv6: a /64) may begin what costs us something: so many at once, and so many a second from then
 * on (the virtual scheduling of ITU-T I.371). What comes to a good end is given back. Addresses share places, of which
 * there is a fixed number, by a keyed hash: nobody chooses whose he shares.
 */
#ifndef HW_APPS_SERVICE_PACE_H
#define HW_APPS_SERVICE_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_PLACES = 4096 };

struct pace {
    uint64_t interval_ns, burst_ns;
    uint64_t due_ns[PACE_PLACES]; /* when all that was begun is paid for */
};

void pace_init(struct pace *pace, uint32_t at_once, uint32_t per_s);

/* May one more begin, of who has that hash? */
bool pace_begin(struct pace *pace, uint64_t hash, uint64_t now_ns);
/* One that could, is given back. */
void pace_give_back(struct pace *pace, uint64_t hash);

#endif
