/* Reading a scenario: what its parts are made of. */
#ifndef HW_APPS_SIM_READER_H
#define HW_APPS_SIM_READER_H

#include "sim/scenario.h"
#include "sim/workloads.h"
#include "toml/reader.h"

/* How much of the scenario there was once a part had been read. */
struct reader_mark {
    const struct toml_node *node; /* the part */
    size_t hosts, routers, links, boxes, changes, flows, addresses;
};

/* What is read. */
struct reading {
    struct scenario *scenario;
    uint64_t seed;
    struct reader_mark *marks; /* in the order of reading */
    size_t mark_count;
};

static inline struct reading *reading_of(const struct reader *r) { return r->of; }
static inline struct scenario *scenario_of(const struct reader *r) { return reading_of(r)->scenario; }

/* ---- parts (read_lane.c, read_parts.c, read_check.c) ---- */
/* The keys of a lane in `table` into both lanes, then those of its sub-tables forward and backward into one each. Other
 * keys are those in `others`. `set[i]` tells which lanes something was said about. */
bool read_lanes(struct reader *r, const struct toml_node *table, const char *const *others, struct lane_config lanes[2],
                bool set[2]);
bool read_host(struct reader *r, const struct toml_node *table);
bool read_router(struct reader *r, const struct toml_node *table);
bool read_link(struct reader *r, const struct toml_node *table);
bool read_box(struct reader *r, const struct toml_node *table);
bool read_event(struct reader *r, const struct toml_node *table);
bool read_workload(struct reader *r, const struct toml_node *table);
bool read_flow(struct reader *r, const struct toml_node *table); /* read_flow.c */
/* The name of a part, which each has; it is read first, so that complaints can use it. */
bool read_own_name(struct reader *r, const struct toml_node *table, char name[NODE_NAME_MAX]);
/* A number of bytes, or "endless"; uint64_t. */
bool read_stream(struct reader *r, const struct toml_node *node, void *out);
bool read_published(struct reader *r, const struct toml_node *table);

/* ---- what no part can tell alone (read_check.c) ---- */
void reader_mark(struct reader *r, const struct toml_node *node);
/* Do the parts fit together? Complains about the first one that does not fit to those before it. */
bool reader_check(struct reader *r, const struct toml_node *tree);

/* What the report for people is made of; `measure` in a file chooses. */
enum report_section {
    REPORT_FLOWS = 1 << 0,
    REPORT_WORKLOADS = 1 << 1,
    REPORT_LINKS = 1 << 2,
    REPORT_BOXES = 1 << 3,
    REPORT_HOSTS = 1 << 4,
    REPORT_ALL = (1 << 5) - 1,
};

/* What a scenario file holds beside the scenario. */
struct scenario_file {
    struct toml_node *tree;
    struct scenario scenario;
    uint64_t seed;
    bool has_seed;
    unsigned sections; /* set of enum report_section */
};

/* Reads a file with changes of the form KEY=VALUE. False with one line in `why`: FILE:LINE: what is wrong. */
bool scenario_file_read(struct scenario_file *file, const char *path, const char *const *sets, size_t set_count,
                        const uint64_t *seed, char *why, size_t why_size);
void scenario_file_free(struct scenario_file *file);

#endif
