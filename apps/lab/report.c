#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lab/pattern.h"

/* Headers of a full packet: IP, TCP with timestamps, and on MPTCP a DSS with a 32-bit DATA_ACK and a 64-bit DSN. */
static double payload_share(const struct lab_options *o)
{
    double headers = (o->ipv6 ? 40 : 20) + 20 + 12;
    bool tcp = o->ends[LAB_CLIENT].tcp || o->ends[LAB_SERVER].tcp;
    return (LAB_MTU - headers - (tcp ? 0 : 24)) / LAB_MTU;
}

static void explain_stream(struct report *r, const struct lab_result *sent, const struct lab_result *received)
{
    size_t size = sizeof(r->error);
    if (sent->bytes != received->bytes)
        snprintf(r->error, size, "%" PRIu64 " bytes were sent, but %" PRIu64 " arrived", sent->bytes, received->bytes);
    else if (received->mismatch_at != UINT64_MAX)
        snprintf(r->error, size, "the byte at %" PRIu64 " is wrong", received->mismatch_at);
    else
        snprintf(r->error, size, "the hashes differ");
}

static void explain(struct report *r, const struct run *run, const struct lab_options *o)
{
    const struct lab_result *sent = &run->results[o->sender], *received = &run->results[!o->sender];
    size_t size = sizeof(r->error);
    int used = 0;
    switch (r->end) {
    case RUN_REFUSED:
        snprintf(r->error, size, "%s", run->why);
        return;
    case RUN_INTERRUPTED:
        snprintf(r->error, size, "interrupted");
        return;
    case RUN_TIMED_OUT:
        snprintf(r->error, size,
                 "no end after %" PRIu64 " s: %" PRIu64 " bytes sent, %" PRIu64 " received; see --timeout",
                 o->timeout_ns / 1000000000, lab_get(&run->shared.ends[o->sender].bytes),
                 lab_get(&run->shared.ends[!o->sender].bytes));
        return;
    case RUN_FAILED:
        for (unsigned side = 0; side < LAB_SIDES; side++)
            if (run->results[side].why[0])
                used += snprintf(r->error + used, size - (size_t)used, "%s%s: %s", used ? "; " : "",
                                 lab_side_name((enum lab_side)side), run->results[side].why);
        if (used == 0)
            snprintf(r->error, size, "%s", run->why[0] ? run->why : "a process of the run died");
        return;
    case RUN_DONE:
        break;
    }
    if (!lab_has_commands(o) && !r->whole)
        explain_stream(r, sent, received);
    else if (r->not_captured)
        snprintf(r->error, size, "%" PRIu64 " packets are missing in the captures: is there room in %.150s?",
                 r->not_captured, o->pcap_dir);
}

static void measure(struct report *r, uint64_t bytes, uint64_t max_gap_ns, uint64_t from_ns, uint64_t until_ns)
{
    r->bytes = bytes;
    r->max_gap_ns = max_gap_ns;
    if (until_ns > from_ns)
        r->goodput_mbps = (double)bytes * 8000 / (double)(until_ns - from_ns);
    if (r->limit_mbps > 0)
        r->ratio = r->goodput_mbps / r->limit_mbps;
}

static void judge_stream(struct report *r, const struct run *run, const struct lab_options *o)
{
    const struct lab_result *sent = &run->results[o->sender], *received = &run->results[!o->sender];
    uint8_t expected[LAB_SHA256_BYTES];
    bool right = o->no_verify || (r->end == RUN_DONE && pattern_digest(o->seed, received->bytes, expected) &&
                                  memcmp(expected, received->sha256, sizeof(expected)) == 0);
    r->whole = r->end == RUN_DONE && right && sent->bytes == received->bytes;
    measure(r, received->bytes, received->max_gap_ns, lab_get(&run->shared.start_ns), received->last_ns);
}

static void judge_commands(struct report *r, const struct run *run, const struct lab_options *o)
{
    const struct lab_payload *p = &run->shared.payload[o->sender];
    r->whole = r->end == RUN_DONE;
    measure(r, lab_get(&p->bytes), lab_get(&p->longest_gap_ns), lab_get(&p->first_ns), lab_get(&p->last_ns));
}

void report_make(struct report *r, const struct run *run, const struct lab_options *o, enum run_end end)
{
    memset(r, 0, sizeof(*r));
    r->end = end;
    for (unsigned i = 0; i < o->path_count; i++)
        r->limit_mbps += (double)o->paths[i].config.rate_bps * payload_share(o) / 1e6;
    if (lab_has_commands(o))
        judge_commands(r, run, o);
    else
        judge_stream(r, run, o);
    r->not_captured = lab_get(&run->shared.pcap_lost);
    explain(r, run, o);
}

static json_t *lane_json(const struct lab_lane *lane)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "bytes", (json_int_t)lab_get(&lane->bytes), "packets",
                     (json_int_t)lab_get(&lane->packets), "drops_queue", (json_int_t)lab_get(&lane->drops_queue),
                     "drops_loss", (json_int_t)lab_get(&lane->drops_loss), "drops_cut",
                     (json_int_t)lab_get(&lane->drops_cut), "queue_peak_bytes",
                     (json_int_t)lab_get(&lane->queue_peak_bytes));
}

static uint32_t subflows(const struct run *run, const struct lab_options *o)
{
    const struct lab_result *client = &run->results[LAB_CLIENT], *server = &run->results[LAB_SERVER];
    if (!o->direct && !o->in_process)
        return atomic_load(&run->shared.subflows);
    return client->subflows > server->subflows ? client->subflows : server->subflows;
}

/* A file name in it may be no UTF-8. */
static json_t *error_json(const struct report *r)
{
    if (!r->error[0])
        return json_null();
    json_t *error = json_string(r->error);
    return error ? error : json_string("the error names a file whose name is no UTF-8: see it without --json");
}

/* All of a file. */
static void report_file(int file, FILE *out)
{
    char part[4096];
    ssize_t n;
    off_t at = 0;
    for (; (n = pread(file, part, sizeof(part), at)) > 0; at += n)
        fwrite(part, 1, (size_t)n, out);
}

/* What the client's command said, and the server's where something failed. */
static void report_output(const struct report *r, const struct run *run, const struct lab_options *o)
{
    FILE *out = o->json ? stderr : stdout;
    if (!lab_has_commands(o))
        return;
    report_file(run->output[LAB_CLIENT], out);
    if (!r->whole)
        report_file(run->output[LAB_SERVER], out);
}

void report_json(const struct report *r, const struct run *run, const struct lab_options *o)
{
    bool compared = !o->no_verify && !lab_has_commands(o);
    json_t *paths = json_array();
    for (unsigned i = 0; i < o->path_count; i++)
        json_array_append_new(paths, json_pack("{s:o,s:o}", "up", lane_json(&run->shared.lanes[i][LAB_CLIENT]), "down",
                                               lane_json(&run->shared.lanes[i][LAB_SERVER])));
    json_t *out = json_pack("{s:f,s:f,s:f,s:I,s:o,s:f,s:i,s:b,s:f,s:f,s:f,s:o,s:o}", "goodput_mbps", r->goodput_mbps,
                            "limit_mbps", r->limit_mbps, "ratio", r->ratio, "bytes", (json_int_t)r->bytes, "sha256_ok",
                            compared ? json_boolean(r->whole) : json_null(), "max_gap_ms", (double)r->max_gap_ns / 1e6,
                            "subflows", (int)subflows(run, o), "mptcp",
                            run->results[LAB_CLIENT].mptcp && run->results[LAB_SERVER].mptcp, "client_cpu_s",
                            run->results[LAB_CLIENT].cpu_s, "server_cpu_s", run->results[LAB_SERVER].cpu_s,
                            "emulator_late_peak_ms", (double)lab_get(&run->shared.lateness_peak_ns) / 1e6, "paths",
                            paths, "error", error_json(r));
    report_output(r, run, o);
    json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(out);
}

static void report_sum(const struct report *r, const struct run *run, const struct lab_options *o)
{
    const char *verdict = lab_has_commands(o) ? "carried" : o->no_verify ? "done" : "whole";
    const char *compared = lab_has_commands(o) ? "" : o->no_verify ? ", not compared" : ", SHA-256 equal";
    const uint32_t count = subflows(run, o);
    printf("%s: %.1f MB%s, over %u subflow%s, %.1f Mbit/s", verdict, (double)r->bytes / 1e6, compared, count,
           count == 1 ? "" : "s", r->goodput_mbps);
    if (r->limit_mbps > 0)
        printf(" = %.1f %% of the paths' %.1f", r->ratio * 100, r->limit_mbps);
    printf(", longest pause %.0f ms\n", (double)r->max_gap_ns / 1e6);
}

/* The verdict comes last: that of the client's command, where there is one. */
void report_words(const struct report *r, const struct run *run, const struct lab_options *o)
{
    bool ran = lab_get(&run->shared.start_ns) != 0;
    for (unsigned i = 0; ran && i < o->path_count; i++) {
        const struct lab_lane *lane = &run->shared.lanes[i][o->sender];
        printf("path %u: %.1f MB; dropped %" PRIu64 " packets in the queue, %" PRIu64 " on the wire, %" PRIu64
               " while cut\n",
               i, (double)lab_get(&lane->bytes) / 1e6, lab_get(&lane->drops_queue), lab_get(&lane->drops_loss),
               lab_get(&lane->drops_cut));
    }
    if (r->whole)
        report_sum(r, run, o);
    report_output(r, run, o);
    fflush(stdout);
    if (r->error[0])
        fprintf(stderr, "hawser lab: %s\n", r->error);
}
