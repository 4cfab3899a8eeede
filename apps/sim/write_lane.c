/* The parameters of a lane, and the values that all parts write. */
#include <inttypes.h>

#include "sim/write_scenario.h"

/* `value` of `unit`, with as many decimals as it takes. */
static void write_scaled(FILE *out, const char *key, uint64_t value, uint64_t unit, const char *name)
{
    fprintf(out, "%s = \"%" PRIu64, key, value / unit);
    if (value % unit)
        fputc('.', out);
    for (uint64_t rest = value % unit, step = unit; rest; rest %= step) {
        step /= 10;
        fprintf(out, "%" PRIu64, rest / step);
    }
    fprintf(out, "%s\"\n", name);
}

void write_time(FILE *out, const char *key, uint64_t ns)
{
    if (ns >= UINT64_C(1000000000) || ns == 0)
        write_scaled(out, key, ns, UINT64_C(1000000000), "s");
    else if (ns >= 1000000)
        write_scaled(out, key, ns, 1000000, "ms");
    else
        write_scaled(out, key, ns, 1000, "us");
}

void write_rate(FILE *out, const char *key, uint64_t bps)
{
    write_scaled(out, key, bps, bps >= 1000000 ? 1000000 : 1000, bps >= 1000000 ? "mbit" : "kbit");
}

void write_share(FILE *out, const char *key, uint32_t ppm) { write_scaled(out, key, ppm, 10000, "%"); }

void write_number(FILE *out, const char *key, uint64_t number) { fprintf(out, "%s = %" PRIu64 "\n", key, number); }

void write_flag(FILE *out, const char *key, bool flag) { fprintf(out, "%s = %s\n", key, flag ? "true" : "false"); }

void write_word(FILE *out, const char *key, const char *word) { fprintf(out, "%s = \"%s\"\n", key, word); }

/* ---- what transmits ---- */

static void write_trace(const struct rate_trace *trace, FILE *out)
{
    for (uint32_t i = 0; i < trace->count; i++)
        fprintf(out, "%s%" PRIu32, i ? ", " : "trace = [", trace->at_ms[i]);
    fprintf(out, "]\n");
}

static void write_transmitter(const struct lane_config *before, const struct lane_config *now, FILE *out)
{
    if (before->trace == now->trace && before->rate_bps == now->rate_bps)
        return;
    if (now->trace)
        write_trace(now->trace, out);
    else if (now->rate_bps)
        write_rate(out, "rate", now->rate_bps);
    else
        write_word(out, "rate", "unlimited");
}

static void write_queue(const struct queue_config *before, const struct queue_config *now, FILE *out)
{
    static const char *const names[] = {[QUEUE_DROP_TAIL] = "droptail", [QUEUE_RED] = "red", [QUEUE_CODEL] = "codel"};
    if (before->bytes != now->bytes || before->packets != now->packets) {
        if (now->packets)
            fprintf(out, "queue = \"%" PRIu32 "p\"\n", now->packets);
        else if (now->bytes)
            write_number(out, "queue", now->bytes);
        else
            write_word(out, "queue", "unlimited");
    }
    if (before->kind != now->kind)
        write_word(out, "discipline", names[now->kind]);
    if (before->ecn != now->ecn)
        write_flag(out, "ecn", now->ecn);
    if (before->red_min_bytes != now->red_min_bytes)
        write_number(out, "red_min", now->red_min_bytes);
    if (before->red_max_bytes != now->red_max_bytes)
        write_number(out, "red_max", now->red_max_bytes);
    if (before->red_max_ppm != now->red_max_ppm)
        write_share(out, "red_share", now->red_max_ppm);
    if (before->codel_target_ns != now->codel_target_ns)
        write_time(out, "codel_target", now->codel_target_ns);
    if (before->codel_interval_ns != now->codel_interval_ns)
        write_time(out, "codel_interval", now->codel_interval_ns);
}

/* ---- the wire ---- */

static bool loss_same(const struct loss_config *a, const struct loss_config *b)
{
    return a->kind == b->kind && a->ppm == b->ppm && a->to_bad_ppm == b->to_bad_ppm &&
           a->to_good_ppm == b->to_good_ppm && a->good_ppm == b->good_ppm && a->bad_ppm == b->bad_ppm;
}

static void write_loss(const struct loss_config *before, const struct loss_config *now, FILE *out)
{
    static const char *const keys[] = {"to_bad", "to_good", "good", "bad"};
    const uint32_t shares[] = {now->to_bad_ppm, now->to_good_ppm, now->good_ppm, now->bad_ppm};
    if (loss_same(before, now))
        return;
    if (now->kind != LOSS_BURSTY) {
        write_share(out, "loss", now->kind == LOSS_INDEPENDENT ? now->ppm : 0);
        return;
    }
    for (unsigned i = 0; i < 4; i++) /* millionths as percents */
        fprintf(out, "%s%s = \"%" PRIu32 ".%04" PRIu32 "%%\"", i ? ", " : "loss = { ", keys[i], shares[i] / 10000,
                shares[i] % 10000);
    fprintf(out, " }\n");
}

void lane_write(const struct lane_config *before, const struct lane_config *now, FILE *out)
{
    write_transmitter(before, now, out);
    write_queue(&before->queue, &now->queue, out);
    if (before->delay_ns != now->delay_ns)
        write_time(out, "delay", now->delay_ns);
    if (before->jitter_ns != now->jitter_ns)
        write_time(out, "jitter", now->jitter_ns);
    if (before->jitter_reorders != now->jitter_reorders)
        write_flag(out, "jitter_reorders", now->jitter_reorders);
    write_loss(&before->loss, &now->loss, out);
    if (before->corrupt_ppm != now->corrupt_ppm)
        write_share(out, "corrupt", now->corrupt_ppm);
    if (before->duplicate_ppm != now->duplicate_ppm)
        write_share(out, "duplicate", now->duplicate_ppm);
    if (before->reorder_ppm != now->reorder_ppm)
        write_share(out, "reorder", now->reorder_ppm);
    if (before->reorder_ns != now->reorder_ns)
        write_time(out, "reorder_delay", now->reorder_ns);
    if (before->mtu != now->mtu)
        write_number(out, "mtu", now->mtu);
    if (before->mtu_told != now->mtu_told)
        write_flag(out, "mtu_told", now->mtu_told);
    if (before->down != now->down)
        write_flag(out, "down", now->down);
}
