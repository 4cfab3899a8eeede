#include "sim/flow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"

#define WRITE_BYTES 16384u
#define READ_PARTS 16
#define TINKER_BYTES 30000u
#define PRIORITY_BYTES 50000u
/* A slow reader takes what it may every so often. */
#define SLOW_READ_NS (10 * NS_PER_MS)

static uint64_t rounds(const struct flow *flow) { return HW_MAX(flow->plan.rounds, 1u); }

static uint64_t times(uint64_t bytes, uint64_t count)
{
    return bytes == FLOW_ENDLESS || (count && bytes > UINT64_MAX / count) ? FLOW_ENDLESS : bytes * count;
}

uint64_t flow_total(const struct flow *flow, enum flow_side side)
{
    return times(side == FLOW_CLIENT ? flow->plan.request_bytes : flow->plan.response_bytes, rounds(flow));
}

bool flow_finished(const struct flow *flow)
{
    const struct flow_end *client = &flow->ends[FLOW_CLIENT], *server = &flow->ends[FLOW_SERVER];
    bool never_met = client->finished && !server->conn; /* the client gave up before its connection was accepted */
    return flow->started && client->finished && (server->finished || never_met);
}

void flow_end_info(const struct flow_end *end, struct hawser_conn_info *out)
{
    *out = end->last;
    out->size = sizeof *out;
    if (end->conn)
        CHECK(hawser_conn_get_info(end->conn, out) == 0);
}

static struct host *host_at(const struct flow_end *end)
{
    return end->side == FLOW_CLIENT ? end->flow->plan.client : end->flow->plan.server;
}

/* The stream that the program reads. */
static uint64_t incoming(const struct flow_end *end) { return end->flow->stream + (end->side == FLOW_CLIENT); }

static void expect_kept(struct flow_end *end, bool same)
{
    if (!same)
        world_violation(end->flow->world, "stream-equal", "%s: what the %s kept has changed", end->flow->plan.name,
                        end->side == FLOW_CLIENT ? "client" : "server");
}

static void finish(struct flow_end *end, int error, uint64_t now_ns)
{
    struct flow *flow = end->flow;
    if (end->finished)
        return;
    end->finished = true;
    end->error = error;
    end->finished_ns = now_ns;
    world_timer_set(flow->world, &end->pause, TIME_NEVER);
    world_timer_set(flow->world, &end->slow, TIME_NEVER);
    world_timer_set(flow->world, &end->rest, TIME_NEVER);
    expect_kept(end, habit_give_back(&end->kept, flow->pattern, incoming(end)));
    if (end->conn) {
        flow_end_info(end, &end->last);
        host_own(end->conn, NULL);
        hawser_close(end->conn);
        end->conn = NULL;
        host_wake(host_at(end), now_ns);
    }
    if (flow->on_finished)
        flow->on_finished(flow, end, flow->ctx);
}

static uint64_t expected(const struct flow_end *end)
{
    return flow_total(end->flow, end->side == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT);
}

/* How far the program may write by now. */
static uint64_t write_limit(const struct flow_end *end)
{
    const struct flow *flow = end->flow;
    if (end->side == FLOW_CLIENT)
        return times(flow->plan.request_bytes, HW_MIN(flow->rounds_done + 1, rounds(flow)));
    if (flow->plan.duplex || flow->plan.request_bytes == 0)
        return flow_total(flow, FLOW_SERVER);
    return times(flow->plan.response_bytes, end->received / flow->plan.request_bytes);
}

/* With everything sent: is the silence before the close over? */
static bool has_rested(struct flow_end *end, uint64_t now_ns)
{
    uint64_t rest_ns = end->flow->plan.rest_ns;
    if (rest_ns && end->rest_until_ns == 0) {
        end->rest_until_ns = now_ns + rest_ns;
        world_timer_set(end->flow->world, &end->rest, end->rest_until_ns);
    }
    return now_ns >= end->rest_until_ns;
}

/* No more to say: the end of the stream, or of all. */
static void say_last_word(struct flow_end *end)
{
    bool heard_all = end->at_end || end->received == expected(end);
    if (!end->flow->plan.finishes) {
        end->shut = true;
        hawser_shutdown(end->conn);
    } else if (heard_all) {
        end->shut = end->finishing = true;
        hawser_finish(end->conn);
    }
}

/* Is there room, or does who obeys a low-water mark find out by asking, to be told later? */
static bool may_write(const struct flow_end *end, bool obeys)
{
    return obeys ? !end->full : hawser_conn_ready(end->conn) & HAWSER_WRITABLE;
}

static void write_some(struct flow_end *end, uint64_t now_ns)
{
    uint8_t bytes[WRITE_BYTES];
    const struct flow *flow = end->flow;
    uint64_t limit = write_limit(end), stream = flow->stream + (end->side == FLOW_SERVER);
    bool obeys = flow->plan.options[end->side].send_low_water_bytes;
    while (end->sent < limit && may_write(end, obeys)) {
        size_t want = (size_t)HW_MIN(limit - end->sent, (uint64_t)WRITE_BYTES);
        pattern_make(flow->pattern, stream, end->sent, bytes, want);
        ssize_t taken =
            flow->plan.by_reference ? habit_send(end->conn, bytes, want) : hawser_send(end->conn, bytes, want);
        end->refused_writes += taken == -ENOBUFS;
        end->full = obeys && taken < (ssize_t)want;
        if (taken <= 0)
            return;
        end->sent += (uint64_t)taken;
    }
    if (!end->shut && end->sent == flow_total(flow, end->side) && has_rested(end, now_ns))
        say_last_word(end);
}

static void note_read(struct flow_end *end, uint64_t len, uint64_t now_ns)
{
    if (end->first_read_ns == 0)
        end->first_read_ns = now_ns;
    else
        end->longest_gap_ns = HW_MAX(end->longest_gap_ns, now_ns - end->last_read_ns);
    end->last_read_ns = now_ns;
    end->received += len;
}

static bool check_part(struct flow_end *end, const struct hawser_part *part, uint64_t now_ns)
{
    struct flow *flow = end->flow;
    size_t good = pattern_check(flow->pattern, incoming(end), end->received, part->data, part->len);
    if (good < part->len)
        world_violation(flow->world, "stream-equal", "%s: byte %" PRIu64 " at the %s is not what was sent",
                        flow->plan.name, end->received + good, end->side == FLOW_CLIENT ? "client" : "server");
    note_read(end, part->len, now_ns);
    return good == part->len;
}

/* Takes what is readable to keep it for a while; without memory some is left. */
static void keep_some(struct flow_end *end, uint64_t now_ns)
{
    struct hawser_slice slice;
    while (hawser_recv_slices(end->conn, &slice, 1) == 1) {
        uint64_t at = end->received;
        if (!check_part(end, &(struct hawser_part){slice.data, slice.len}, now_ns)) {
            hawser_buf_unref(slice.buf);
            return;
        }
        expect_kept(end, habit_keep(&end->kept, slice, at, end->flow->pattern, incoming(end)));
    }
}

/* Bytes the program reads now. */
static uint64_t read_allowance(struct flow_end *end, uint64_t now_ns)
{
    const struct flow_plan *plan = &end->flow->plan;
    uint64_t bps = plan->read_bps[end->side];
    if (bps == 0 || (plan->slow_until_ns && now_ns >= WORLD_START_NS + plan->slow_until_ns))
        return UINT64_MAX;
    if (end->read_budget_ns > now_ns)
        return 0;
    end->read_budget_ns = now_ns + SLOW_READ_NS;
    world_timer_set(end->flow->world, &end->slow, end->read_budget_ns);
    return HW_MAX(bps / 8 * SLOW_READ_NS / NS_PER_S, UINT64_C(1));
}

static void read_some(struct flow_end *end, uint64_t now_ns)
{
    struct hawser_part parts[READ_PARTS];
    uint64_t allowed = read_allowance(end, now_ns);
    size_t n;
    if (end->flow->plan.by_reference && allowed == UINT64_MAX)
        keep_some(end, now_ns);
    while (allowed && (n = hawser_peek(end->conn, parts, READ_PARTS)) > 0) {
        uint64_t taken = 0;
        for (size_t i = 0; i < n && allowed; i++) {
            parts[i].len = (uint32_t)HW_MIN(parts[i].len, allowed);
            if (!check_part(end, &parts[i], now_ns))
                return;
            taken += parts[i].len;
            allowed -= parts[i].len;
        }
        hawser_consume(end->conn, taken);
    }
}

static bool has_round(const struct flow_end *end)
{
    const struct flow *flow = end->flow;
    uint64_t answered = times(flow->plan.response_bytes, flow->rounds_done + 1);
    return end->side == FLOW_CLIENT && flow->rounds_done + 1 < rounds(flow) && end->received >= answered &&
           end->sent == write_limit(end);
}

/* The client's next request is due a pause after the last response. Without one as many as there are answers for: no
 * event tells of what has come already. */
static void next_rounds(struct flow_end *end, uint64_t now_ns)
{
    struct flow *flow = end->flow;
    while (flow->plan.pause_ns == 0 && has_round(end)) {
        flow->rounds_done++;
        write_some(end, now_ns);
    }
    if (has_round(end) && end->pause.pos == 0)
        world_timer_set(flow->world, &end->pause, now_ns + flow->plan.pause_ns);
}

static bool ends_now(const struct flow_end *end)
{
    const struct flow_plan *plan = &end->flow->plan;
    return plan->ending != FLOW_ORDERLY && plan->ender == end->side && end->received >= plan->end_after;
}

static void end_early(struct flow_end *end, uint64_t now_ns)
{
    if (end->flow->plan.ending == FLOW_ABORT) {
        flow_end_info(end, &end->last);
        host_own(end->conn, NULL);
        hawser_abort(end->conn);
        end->conn = NULL;
        host_wake(host_at(end), now_ns);
    }
    finish(end, 0, now_ns);
}

/* The stream ended: was it whole? An end that was cut off by its own plan or the peer's has no claim. */
static void judge_end(struct flow_end *end)
{
    const struct flow *flow = end->flow;
    bool peer_cuts = flow->plan.ending != FLOW_ORDERLY && flow->plan.ender != end->side;
    if (end->received != expected(end) && !peer_cuts)
        world_violation(flow->world, "stream-whole", "%s: the %s saw the end after %" PRIu64 " of %" PRIu64 " bytes",
                        flow->plan.name, end->side == FLOW_CLIENT ? "client" : "server", end->received, expected(end));
}

/* Another option for each so many bytes. */
static void tinker(struct flow_end *end)
{
    if (end->flow->plan.tinkers && (end->sent + end->received) / TINKER_BYTES > end->tinkered)
        habit_tinker(end->conn, end->flow->stream + end->tinkered++);
}

/* Likewise a priority. */
static void prioritise(struct flow_end *end)
{
    if (end->flow->plan.prioritises && (end->sent + end->received) / PRIORITY_BYTES > end->prioritised)
        habit_prioritise(end->conn, end->flow->stream + end->side + end->prioritised++);
}

static void expect_subflows(const struct flow_end *end)
{
    struct hawser_conn_info info = {.size = sizeof info};
    uint32_t most = end->flow->plan.options[end->side].max_subflows;
    CHECK(hawser_conn_get_info(end->conn, &info) == 0);
    if (most && info.subflows > most)
        world_violation(end->flow->world, "subflows-bound", "%s: the %s has %u subflows, and wants %u at most",
                        end->flow->plan.name, end->side == FLOW_CLIENT ? "client" : "server", info.subflows, most);
}

/* After hawser_finish(): the rest is the stack's. */
static void await_delivery(struct flow_end *end, uint64_t now_ns)
{
    int error = hawser_conn_error(end->conn);
    bool delivered = hawser_conn_ready(end->conn) & HAWSER_DELIVERED;
    if (delivered || error)
        finish(end, delivered ? 0 : error, now_ns);
    else
        host_wake(host_at(end), now_ns);
}

static void pump(struct flow_end *end, uint64_t now_ns)
{
    uint8_t byte;
    if (end->finished || !end->conn)
        return;
    if (hawser_conn_ready(end->conn) & HAWSER_CONNECTED && end->connected_ns == 0)
        end->connected_ns = now_ns;
    if (end->finishing) {
        await_delivery(end, now_ns);
        return;
    }
    expect_subflows(end);
    if (end->connected_ns) {
        read_some(end, now_ns);
        write_some(end, now_ns);
        next_rounds(end, now_ns);
        tinker(end);
        prioritise(end);
        if (ends_now(end)) {
            end_early(end, now_ns);
            return;
        }
        if (!end->at_end && hawser_peek(end->conn, &(struct hawser_part){0}, 1) == 0 &&
            hawser_recv(end->conn, &byte, 1) == 0) {
            end->at_end = true;
            judge_end(end);
        }
    }
    int error = hawser_conn_error(end->conn);
    if (error || (end->at_end && end->shut))
        finish(end, end->at_end && end->shut ? 0 : error, now_ns);
    else
        host_wake(host_at(end), now_ns);
}

static void on_event(struct host_user *user, unsigned what, uint64_t now_ns)
{
    struct flow_end *end = HW_CONTAINER(user, struct flow_end, user);
    if (end->full && what & HAWSER_WRITABLE) {
        end->full = false;
        end->told_of_room++;
    }
    pump(end, now_ns);
}

static void on_pause_over(struct deadline *timer, uint64_t now_ns)
{
    struct flow_end *end = HW_CONTAINER(timer, struct flow_end, pause);
    end->flow->rounds_done++;
    pump(end, now_ns);
}

static void on_slow_read(struct deadline *timer, uint64_t now_ns)
{
    pump(HW_CONTAINER(timer, struct flow_end, slow), now_ns);
}

static void on_rested(struct deadline *timer, uint64_t now_ns)
{
    pump(HW_CONTAINER(timer, struct flow_end, rest), now_ns);
}

static void on_accepted(struct host_listener *listener, struct hawser_conn *conn, uint64_t now_ns)
{
    struct flow *flow = HW_CONTAINER(listener, struct flow, listener);
    struct flow_end *end = &flow->ends[FLOW_SERVER];
    CHECK(!end->conn && !end->finished);
    end->conn = conn;
    host_own(conn, &end->user);
    host_stop_listening(flow->plan.server, listener);
    pump(end, now_ns);
}

static void on_start(struct deadline *starter, uint64_t now_ns)
{
    struct flow *flow = HW_CONTAINER(starter, struct flow, starter);
    struct flow_plan *plan = &flow->plan;
    struct flow_end *client = &flow->ends[FLOW_CLIENT];
    flow->started = true;
    int err = host_listen(plan->server, &flow->listener, plan->server_addr.port, 4, &plan->options[FLOW_SERVER]);
    CHECK(err == 0 || err == -ENOMEM);
    if (err == 0)
        err =
            hawser_connect(plan->client->stack, &plan->server_addr, &plan->options[FLOW_CLIENT], now_ns, &client->conn);
    if (err < 0) {
        client->conn = NULL;
        finish(client, err, now_ns);
        finish(&flow->ends[FLOW_SERVER], err, now_ns);
        return;
    }
    host_own(client->conn, &client->user);
    host_wake(plan->client, now_ns);
}

static void init_end(struct flow *flow, enum flow_side side)
{
    struct flow_end *end = &flow->ends[side];
    *end = (struct flow_end){.user = {on_event}, .flow = flow, .side = side};
    world_timer_init(flow->world, &end->pause, on_pause_over);
    world_timer_init(flow->world, &end->slow, on_slow_read);
    world_timer_init(flow->world, &end->rest, on_rested);
    flow->plan.options[side].size = sizeof flow->plan.options[side];
}

struct flow *flow_new(struct world *world, const struct pattern *pattern, const struct flow_plan *plan)
{
    struct flow *flow = sim_new(sizeof *flow);
    flow->plan = *plan;
    flow->world = world;
    flow->pattern = pattern;
    flow->stream = digest_bytes(0, (const uint8_t *)plan->name, strlen(plan->name)) & ~UINT64_C(1);
    flow->listener.accepted = on_accepted;
    list_init(&flow->link);
    list_init(&flow->listener.link);
    init_end(flow, FLOW_CLIENT);
    init_end(flow, FLOW_SERVER);
    world_timer_init(world, &flow->starter, on_start);
    world_timer_set(world, &flow->starter, WORLD_START_NS + plan->start_ns);
    return flow;
}

void flow_free(struct flow *flow)
{
    for (unsigned side = 0; side < 2; side++) {
        world_timer_set(flow->world, &flow->ends[side].pause, TIME_NEVER);
        world_timer_set(flow->world, &flow->ends[side].slow, TIME_NEVER);
        world_timer_set(flow->world, &flow->ends[side].rest, TIME_NEVER);
        (void)habit_give_back(&flow->ends[side].kept, flow->pattern, incoming(&flow->ends[side]));
        if (flow->ends[side].conn)
            host_own(flow->ends[side].conn, NULL);
    }
    world_timer_set(flow->world, &flow->starter, TIME_NEVER);
    list_remove(&flow->link);
    list_remove(&flow->listener.link);
    sim_free(flow);
}
