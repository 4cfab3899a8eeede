/*
 * What a path manager sees of paths and subflows, and what it wishes (hawser/path_manager.h). Built for one call of it,
 * from facts; it knows neither connection nor subflow.
 */
#ifndef HW_MPTCP_PATH_POLICY_H
#define HW_MPTCP_PATH_POLICY_H

#include "mptcp/paths.h"

/* Most subflows of a view. */
#define PATH_USES_MAX 32

/* A subflow that serves its addresses. */
struct path_use {
    const struct hawser_addr *local, *remote;
    enum hawser_pm_state state;
    uint32_t id;
    bool ours, backup_local, backup_remote;
    uint64_t srtt_ns, sent_bytes, recv_bytes, heard_ns;
};

/* What there is now. */
struct paths_view {
    struct path_locals locals;
    const struct path_use *uses;
    unsigned use_count;
    unsigned limit; /* subflows that there may be at once */
    uint64_t bytes; /* that have moved */
};

/* A pair that shall have a subflow. */
struct path_wish {
    const struct local_address *local;
    struct path_remote remote;
    bool backup;
};

struct hawser_pm {
    struct paths *paths;
    struct account *payer;
    struct hawser_pm_view view;
    unsigned used;   /* subflows before any was wished for */
    unsigned untold; /* addresses of which too much is to be told already */
    struct hawser_pm_address locals[HOST_ADDRESSES_MAX], remotes[PATH_REMOTES_MAX];
    struct hawser_pm_subflow subflows[PATH_USES_MAX];
    const struct hawser_pm_address *local_list[HOST_ADDRESSES_MAX], *remote_list[PATH_REMOTES_MAX];
    const struct hawser_pm_subflow *subflow_list[PATH_USES_MAX];
    const struct local_address *sources[HOST_ADDRESSES_MAX]; /* what `locals` are to the host */
    bool refused[PATH_REMOTES_MAX];                          /* paths_is_refused() */
    uint32_t changed;                                        /* subflows whose priority is another */
    uint8_t reasons[PATH_USES_MAX];                          /* why those are closed that are HAWSER_PM_CLOSING */
};

/* Calls the path manager with what it is to hear of. Wishes that concern addresses are done, others are in `pm`. */
void path_policy_run(struct hawser_pm *pm, struct paths *paths, struct account *payer, const struct paths_view *view,
                     uint64_t now_ns);

/* Does nothing wait for its time? */
bool path_policy_is_done(const struct hawser_pm *pm);
/* How many pairs are to be opened; and which. */
static inline unsigned path_policy_opens(const struct hawser_pm *pm) { return pm->view.subflow_count - pm->used; }
struct path_wish path_policy_open_at(const struct hawser_pm *pm, unsigned i);

#endif
