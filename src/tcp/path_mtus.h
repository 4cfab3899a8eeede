/*
 * What packets paths take that are narrower than their links (RFC 1191 6.2, 6.3): by addresses of both ends, so that
 * a subflow between them begins with what an earlier one has found out.
 */
#ifndef HW_TCP_PATH_MTUS_H
#define HW_TCP_PATH_MTUS_H

#include <hawser/addr.h>

#include "base/counters.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/pool.h"

/* At the limit the one that was found out longest ago makes way. */
#define PATH_MTUS_MAX 256u
/* RFC 1191 6.3: then it may be another path. */
#define PATH_MTU_NS (600 * NS_PER_S)

struct path_mtus {
    struct pool pool;
    struct hash_table table;
    struct list order; /* the latest comes last */
    struct counters *counters;
};

/* 0 or -ENOMEM. */
int path_mtus_init(struct path_mtus *p, const struct hawser_env *env, struct counters *counters);
void path_mtus_destroy(struct path_mtus *p);

/* From the one address to the other packets of `mtu` bytes pass. */
void path_mtus_note(struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                    uint16_t mtu, uint64_t now_ns);
/* They may be as large as the link's. */
void path_mtus_forget(struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote);
/* What passes, or 0: nothing is known. */
uint16_t path_mtus_find(const struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                        uint64_t now_ns);

#endif
