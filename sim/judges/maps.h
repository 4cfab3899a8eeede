/* Mappings of one subflow in one direction (RFC 8684 3.3.1), in order of the subflow sequence number. */
#ifndef HW_SIM_JUDGES_MAPS_H
#define HW_SIM_JUDGES_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_MAX 16384u

/* Subflow bytes [start, end) are the bytes of the stream from `data` on; the SYN, as the IDSN, has number 0. */
struct map {
    uint64_t start, end, data;
    uint16_t checksum;
    bool has_checksum;
};

struct maps {
    struct map *all;
    size_t first, count, capacity; /* those in use are [first, first + count) */
};

enum maps_result { MAPS_NEW, MAPS_KNOWN, MAPS_CONFLICT, MAPS_FULL };

void maps_fini(struct maps *m);

/* Adds a mapping. One that overlaps another conflicts with it unless both are the same to the letter. */
enum maps_result maps_declare(struct maps *m, const struct map *map);
/* Likewise, but only the relation counts: mappings that continue each other become one. */
enum maps_result maps_learn(struct maps *m, const struct map *map);

/* The first mapping that ends after `at`, or NULL; maps_next() gives the one after it. */
const struct map *maps_find(const struct maps *m, uint64_t at);
const struct map *maps_next(const struct maps *m, const struct map *map);

/* Is every byte of [start, end) mapped? */
bool maps_cover(const struct maps *m, uint64_t start, uint64_t end);

/* Forgets mappings that end at or before `before`, except the last of them. */
void maps_retire(struct maps *m, uint64_t before);

#endif
