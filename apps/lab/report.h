/* What a run came to: the figures, as JSON or as words. */
#ifndef HW_APPS_LAB_REPORT_H
#define HW_APPS_LAB_REPORT_H

#include "lab/run.h"

struct report {
    enum run_end end;
    bool whole;          /* every byte arrived and was right, or the client's command says so */
    uint64_t bytes;      /* received; by commands: what the paths brought, repetitions too */
    uint64_t max_gap_ns; /* in which none of them arrived, since the first */
    double goodput_mbps; /* over the time from the client's connect call, or the first byte of commands, to the last */
    double limit_mbps;   /* sum of the rates less headers; 0 without paths */
    double ratio;        /* 0 without paths */
    uint64_t not_captured;   /* packets that are missing in the captures */
    char error[2 * LAB_WHY]; /* one line; empty when the stream was whole and the captures are */
};

void report_make(struct report *r, const struct run *run, const struct lab_options *o, enum run_end end);
void report_json(const struct report *r, const struct run *run, const struct lab_options *o);
/* A line a path and one plain verdict; only the error where nothing ran. */
void report_words(const struct report *r, const struct run *run, const struct lab_options *o);

#endif
