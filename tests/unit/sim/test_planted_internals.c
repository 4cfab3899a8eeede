/* Bugs inside the stack: its state is changed as it runs, and the table at the end says which rule catches it. */
#include "mptcp/dss.h"
#include "plant.h"

/* ---- scenarios in which the bug can show ---- */

static void arrange_slow_reader(struct scenario *s) { s->flows[0].plan.read_bps[FLOW_SERVER] = 2 * MBIT; }
static void arrange_plain(struct scenario *s)
{
    s->flows[0].plan.options[FLOW_CLIENT].no_mptcp = true;
    s->link_count = 1;
}
static void arrange_one_way(struct scenario *s)
{
    s->flows[0].plan.response_bytes = 0;
    s->flows[0].plan.duplex = false;
}
static void arrange_checksums(struct scenario *s) { s->hosts[0].options.checksum_required = true; }
static void arrange_closed_window(struct scenario *s)
{
    s->flows[0].plan.options[FLOW_SERVER].recv_buffer_bytes = 100000;
    s->flows[0].plan.read_bps[FLOW_SERVER] = MBIT;
}
static void arrange_outage(struct scenario *s)
{
    for (unsigned i = 0; i < 2; i++) {
        struct change_spec *change = scenario_add_change(s, (i ? 1500 : 200) * NS_PER_MS, "path0");
        memcpy(change->lanes, s->links[0].lanes, sizeof change->lanes);
        change->lanes_set[0] = change->lanes_set[1] = true;
        change->lanes[0].down = change->lanes[1].down = i == 0;
    }
    s->link_count = 1;
}
static void arrange_outage_one_way(struct scenario *s)
{
    arrange_outage(s);
    arrange_one_way(s);
}
static void arrange_endless_outage(struct scenario *s)
{
    arrange_outage(s);
    s->heal_ns = s->patience_ns = 0; /* nobody asks for liveness */
}
static void arrange_idle(struct scenario *s)
{
    struct flow_plan *plan = &s->flows[0].plan;
    plan->request_bytes = plan->response_bytes = 1000;
    plan->rounds = 2;
    plan->duplex = false;
    plan->pause_ns = 5 * NS_PER_S;
}

static struct conn *conn_of(struct host *host)
{
    struct list *first = list_first(&host->stack->host.connections);
    return first ? LIST_ENTRY(first, struct conn, link) : NULL;
}

/* ---- changes as a packet leaves ---- */

static struct subflow *subflow_to(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (conn)
        EACH_SUBFLOW (it, conn)
            if (subflow_at(it)->tcp.config.local.port == plant->seen.src.port &&
                hawser_addr_same_ip(&subflow_at(it)->tcp.config.local, &plant->seen.src))
                return subflow_at(it);
    return NULL;
}

static bool trust_too_early(struct plant *plant, struct packet *packet)
{
    (void)packet;
    struct subflow *subflow = subflow_to(plant);
    if (subflow && subflow->join && !subflow->passive && subflow->stage == SUBFLOW_PROVING) {
        subflow->stage = SUBFLOW_JOINED;
        conn_wake(subflow->conn);
    }
    return true;
}

static bool join_too_early(struct plant *plant, struct packet *packet)
{
    (void)packet;
    struct conn *conn = conn_of(plant->host);
    if (conn && conn->fallback.mode == CONN_MPTCP && plant->count++ == 0) {
        identity_reach(&conn->identity, IDENTITY_CONFIRMED);
        conn_paths_confirmed(conn);
        conn_settle(conn, plant->stage->world.now_ns);
    }
    return true;
}

static bool stop_every_timer(struct plant *plant, struct packet *packet)
{
    (void)packet;
    struct deadline_queue *timers = &plant->host->stack->host.tcp.timers;
    while (world_ms(plant) > 300 && is_data(plant) && timers->count)
        deadline_set(timers, *segments_at(&timers->heap, 0), TIME_NEVER);
    return true;
}

static bool set_a_timer_in_the_past(struct plant *plant, struct packet *packet)
{
    (void)packet;
    struct conn *conn = conn_of(plant->host);
    if (conn && world_ms(plant) > 300)
        deadline_set(&plant->host->stack->host.tcp.timers, &conn->timer, plant->stage->world.now_ns);
    return true;
}

/* ---- changes at some time ---- */

static void consume_a_byte(struct plant *plant)
{
    struct flow_end *end = &plant->stage->flows[0]->ends[FLOW_SERVER];
    if (end->conn && hawser_peek(end->conn, &(struct hawser_part){0}, 1))
        hawser_consume(end->conn, 1);
}

static void widen_peer_window(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (!conn)
        return;
    conn->data_tx.snd_edge = dsn_add(conn->data_tx.snd_nxt, 1u << 20);
    EACH_SUBFLOW (it, conn)
        subflow_at(it)->tcp.snd_wnd = 1u << 20;
    conn_wake(conn);
}

static void forget_timers(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (!conn)
        return;
    struct deadline_queue *timers = &plant->host->stack->host.tcp.timers;
    conn->data_tx.progress.due_ns = TIME_NEVER;
    deadline_set(timers, &conn->timer, TIME_NEVER);
    EACH_SUBFLOW (it, conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->flight)
            tcp->flight->timers.retransmit = tcp->flight->timers.probe = tcp->flight->timers.reorder = TIME_NEVER;
        tcp->due_ns = TIME_NEVER;
    }
}

static void forget_all_timers(struct plant *plant)
{
    forget_timers(plant);
    struct deadline_queue *timers = &plant->stage->flows[0]->plan.server->stack->host.tcp.timers;
    while (timers->count)
        deadline_set(timers, *segments_at(&timers->heap, 0), TIME_NEVER);
}

/* The first subflow delivers all it is given, and is said not to. */
static void suspect_a_path(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    struct list *first = conn ? list_first(&conn->subflows) : NULL;
    if (!first)
        return;
    subflow_at(first)->suspect_since_ns = 1;
    subflow_at(first)->bare_acks = true;
    conn_settle(conn, plant->stage->world.now_ns);
}

static void hold_a_buffer(struct plant *plant)
{
    if (!plant->held)
        plant->held = hawser_buf_new(plant->host->stack->host.store.pools[0]);
}
static void let_the_buffer_go(struct plant *plant) { hawser_buf_unref(plant->held); }

static void hold_a_record(struct plant *plant)
{
    if (!plant->held)
        plant->held = pool_get(&plant->host->stack->host.tcp.records);
}
static void let_the_record_go(struct plant *plant) { pool_put(&plant->host->stack->host.tcp.records, plant->held); }

static void forget_to_free(struct plant *plant) { plant->host->memory.live_objects++; }
static void hoard(struct plant *plant) { plant->host->memory.live_bytes += UINT64_C(1) << 30; }

static void count_a_subflow_too_many(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (conn)
        conn->subflow_count++;
}

static void acknowledge_again(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (conn)
        EACH_SUBFLOW (it, conn)
            tcp_signal_now(&subflow_at(it)->tcp);
}

static void signal_again(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (!conn)
        return;
    struct mp_add_addr add = {.is_v4 = true, .address_id = 9};
    hawser_addr_parse(&add.addr, "10.9.9.9", 0);
    (void)paths_owe_echo(&conn->paths, &conn->account, &add);
    EACH_SUBFLOW (it, conn)
        subflow_at(it)->signals = 0; /* which counts them, lest this happens */
    acknowledge_again(plant);
}

static void speak_again(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (!conn)
        return;
    conn->fallback.mode = CONN_MPTCP;
    identity_reach(&conn->identity, IDENTITY_CONFIRMED); /* or it would fall back again */
    EACH_SUBFLOW (it, conn)                              /* nor are its segments too long */
        subflow_at(it)->tcp.segment_bytes -= DSS_LEN_MAX;
}

static void forget_checksums(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (conn)
        conn->identity.checksums = false;
}

static void long_segments(struct plant *plant)
{
    struct conn *conn = conn_of(plant->host);
    if (conn)
        EACH_SUBFLOW (it, conn)
            subflow_at(it)->tcp.segment_bytes = 1600;
}

/* As if the stack did not know what its host and its program asked for. */
static void deny_a_path(struct plant *plant)
{
    struct host_prefixes *deny = &plant->stage->scenario->hosts[0].deny;
    deny->list[deny->count].bits = 24;
    hawser_addr_parse(&deny->list[deny->count++].addr, "10.0.1.0", 0);
}

static void want_one_subflow(struct plant *plant)
{
    plant->stage->flows[0]->plan.options[FLOW_CLIENT].max_subflows = 1;
}

/* ---- the table ---- */

static const struct bug bugs[] = {
    /* the streams themselves, judged by the flows */
    {"a byte is dropped", "stream-equal", .host = 1, .arrange = arrange_slow_reader, .meddle = consume_a_byte,
     .at_ns = 500 * MS},
    /* form */
    {"segments exceed the peer's MSS", "mss", .meddle = long_segments, .at_ns = 300 * MS},
    /* windows */
    {"data goes beyond the window", "window-exceeded", .arrange = arrange_closed_window, .meddle = widen_peer_window,
     .at_ns = 300 * MS},
    /* the RFC's limits */
    {"checksums are left out", "checksums-agreed", .arrange = arrange_checksums, .meddle = forget_checksums,
     .at_ns = 300 * MS},
    {"a join comes before the first DSS", "join-after-dss", .tamper = join_too_early},
    {"data comes before the join is proved", "join-early-data", .tamper = trust_too_early},
    {"an address is used that is not allowed", "path-allowed", .meddle = deny_a_path, .at_ns = MS},
    {"there are more subflows than wanted", "subflows-bound", .meddle = want_one_subflow, .at_ns = 300 * MS},
    {"plain TCP speaks MPTCP", "fallback-final", .arrange = arrange_plain, .meddle = speak_again, .at_ns = 300 * MS},
    {"signals come as many duplicate ACKs", "signal-acks", .host = 1, .arrange = arrange_idle, .meddle = signal_again,
     .at_ns = NS_PER_S, .every_ns = 10 * MS},
    {"ACKs come in a storm", "ack-storm", .host = 1, .arrange = arrange_idle, .meddle = acknowledge_again,
     .at_ns = NS_PER_S, .every_ns = MS / 10},
    /* timers, memory, what is left */
    {"timers are forgotten", "liveness", .arrange = arrange_outage_one_way, .meddle = forget_timers, .at_ns = 300 * MS,
     .every_ns = 100 * MS},
    {"timers are forgotten, nobody waits", "stuck", .arrange = arrange_endless_outage, .meddle = forget_all_timers,
     .at_ns = 300 * MS, .every_ns = 50 * MS},
    {"data leaves without a timer", "deadline-set", .tamper = stop_every_timer},
    {"a deadline is in the past", "deadline-future", .tamper = set_a_timer_in_the_past},
    {"a connection is never freed", "teardown", .meddle = count_a_subflow_too_many, .at_ns = 300 * MS},
    {"a buffer is never given back", "teardown", .host = 1, .meddle = hold_a_buffer, .at_ns = 300 * MS,
     .undo = let_the_buffer_go},
    {"a transmit record is never given back", "teardown", .meddle = hold_a_record, .at_ns = 300 * MS,
     .undo = let_the_record_go},
    {"an object is never freed", "nothing-leaks", .meddle = forget_to_free, .at_ns = 300 * MS},
    {"a healthy path is given up", "path-given-up", .meddle = suspect_a_path, .at_ns = 300 * MS},
    {"memory is hoarded", "memory-bound", .meddle = hoard, .at_ns = 300 * MS},
};

static void test_planted_bugs(void **state)
{
    (void)state;
    assert_int_equal(play_bugs(bugs, HW_ARRAY_LEN(bugs)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted_bugs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
