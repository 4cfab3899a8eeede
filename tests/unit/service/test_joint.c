/* Two connections that are one (apps/service/joint.h). */
#include "service/relay.h"

enum { STREAM = 3000000, SLOW = 1000 };

static uint8_t stream[2][STREAM];

/* A program at one end: sends its stream, reads and compares the other one. */
struct program {
    struct hawser_conn *conn;
    const uint8_t *out, *in;
    size_t sent, send_len, got, want;
    bool ends; /* after all was sent */
    bool ended, saw_end, deaf;
    ssize_t error;
};

static void talk(struct program *p)
{
    uint8_t bytes[20000];
    ssize_t n = 0;
    while (p->sent < p->send_len && (n = hawser_send(p->conn, p->out + p->sent, p->send_len - p->sent)) > 0)
        p->sent += (size_t)n;
    if (p->sent == p->send_len && p->ends && !p->ended) {
        hawser_shutdown(p->conn);
        p->ended = true;
    }
    while (!p->deaf && !p->saw_end && (n = hawser_recv(p->conn, bytes, sizeof bytes)) > 0) {
        assert_true(p->got + (size_t)n <= p->want);
        assert_memory_equal(bytes, p->in + p->got, (size_t)n);
        p->got += (size_t)n;
    }
    p->saw_end |= n == 0 && !p->deaf && hawser_conn_ready(p->conn) & HAWSER_PEER_FINISHED;
    if (hawser_conn_error(p->conn))
        p->error = hawser_conn_error(p->conn);
}

struct call {
    struct program client, server;
};

static struct call call_of(struct line line, size_t up, size_t down)
{
    return (struct call){
        .client = {.conn = line.client, .out = stream[0], .send_len = up, .in = stream[1], .want = down},
        .server = {.conn = line.server, .out = stream[1], .send_len = down, .in = stream[0], .want = up},
    };
}

static void run_calls(struct relay *r, struct call *calls, size_t count, uint64_t ns)
{
    for (uint64_t until = r->now_ns + ns;;) {
        for (size_t i = 0; i < count; i++) {
            talk(&calls[i].client);
            talk(&calls[i].server);
        }
        if (!relay_step(r, until))
            return;
    }
}

static void close_call(struct call *call)
{
    hawser_close(call->client.conn);
    hawser_close(call->server.conn);
}

static void complete(const struct call *call)
{
    const struct program *both[] = {&call->client, &call->server};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(both[i]->got, both[i]->want);
        assert_true(both[i]->saw_end);
        assert_int_equal(both[i]->error, 0);
    }
}

/* The bytes, both ways at once, and both ends, in whatever order they come; with the buffers of the relay as they are,
 * and small. */
static void bytes_and_ends_pass(void **state)
{
    (void)state;
    const struct hawser_conn_options small = {
        .size = sizeof small, .send_buffer_bytes = 5000, .recv_buffer_bytes = 9000};
    for (unsigned kind = 0; kind < 8; kind++) {
        struct relay r;
        relay_init(&r, kind & 4, kind & 2 ? &small : NULL, kind & 2 ? &small : NULL);
        if (kind & 1)
            r.joints.held_max = 0;
        struct call call = call_of(relay_line(&r, NULL), STREAM, STREAM);
        call.client.ends = true;
        run_calls(&r, &call, 1, 60 * NS_PER_S);
        assert_true(call.server.saw_end); /* half-closed: it goes on the other way */
        assert_false(call.client.saw_end);
        assert_int_equal(r.joints.count, 1);
        assert_int_equal(call.client.got, STREAM);
        call.server.ends = true;
        run_calls(&r, &call, 1, 10 * NS_PER_S);
        complete(&call);
        assert_int_equal(r.joints.count, 0);
        assert_int_equal(r.joints.broken, 0);
        assert_int_equal(r.joints.bytes[0], STREAM);
        assert_int_equal(r.joints.bytes[1], STREAM);
        assert_int_equal(r.joints.copied_bytes, kind & 1 ? 2 * STREAM : 0);
        close_call(&call);
        relay_run(&r, 100 * NS_PER_S);
        for (int i = 0; i < STACKS; i++) {
            struct hawser_unfinished left;
            hawser_stack_unfinished(r.stacks[i], &left);
            assert_int_equal(left.connections, 0);
            assert_int_equal(left.failed, 0);
        }
        relay_destroy(&r);
    }
}

/* Each end ends first, without a byte, and with some that are not read yet. */
static void either_end_ends_first(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        struct relay r;
        size_t up = kind & 2 ? 40000 : 0, down = kind & 4 ? 40000 : 0;
        relay_init(&r, false, NULL, NULL);
        struct call call = call_of(relay_line(&r, NULL), up, down);
        struct program *first = kind & 1 ? &call.client : &call.server;
        struct program *second = kind & 1 ? &call.server : &call.client;
        second->deaf = true;
        first->ends = true;
        run_calls(&r, &call, 1, NS_PER_S);
        assert_true(hawser_conn_ready(second->conn) & HAWSER_PEER_FINISHED);
        second->deaf = false;
        second->ends = true;
        run_calls(&r, &call, 1, NS_PER_S);
        complete(&call);
        assert_int_equal(r.joints.count, 0);
        close_call(&call);
        relay_run(&r, 2 * NS_PER_S);
        relay_destroy(&r);
    }
}

/* The client's host is gone: what had all arrived from there is delivered, its end too; else the server is told. */
static void nobody_is_there_any_more(void **state)
{
    (void)state;
    const struct hawser_conn_options small = {.size = sizeof small, .send_buffer_bytes = 5000};
    for (unsigned kind = 0; kind < 6; kind++) {
        struct relay r;
        bool all = kind & 1, asking = kind >= 4;
        size_t up = asking ? 1000 : 60000;
        relay_init(&r, false, NULL, kind & 2 ? &small : NULL);
        struct call call = call_of(relay_line(&r, NULL), up, asking ? STREAM : 0);
        struct hawser_addr client;
        hawser_conn_local(call.client.conn, &client);
        call.server.deaf = !asking;
        call.client.deaf = true;
        call.client.ends = all;
        run_calls(&r, &call, 1, 2 * NS_PER_S);
        assert_int_equal(call.client.sent, up);
        assert_int_equal(!!(hawser_conn_ready(call.client.conn) & HAWSER_DELIVERED), all);
        joints_bereave(&r.joints, &(struct hawser_addr){.ip = {[15] = 9}});
        assert_int_equal(r.joints.count, 1);
        joints_bereave(&r.joints, &client);
        call.server.deaf = false;
        run_calls(&r, &call, 1, 10 * NS_PER_S);
        assert_int_equal(r.joints.count, 0);
        assert_int_equal(r.joints.broken, !all);
        if (all && !asking) {
            complete(&(struct call){.client = call.server, .server = call.server});
        } else {
            if (all) /* it may still be asked for its own end: hawser_close() */
                run_calls(&r, &call, 1, 100 * NS_PER_S);
            assert_int_not_equal(call.server.error, 0);
        }
        close_call(&call);
        relay_destroy(&r);
    }
}

enum moment { IDLE, HALF_CLOSED_BY_IT, HALF_CLOSED_BY_OTHER, IN_TRANSFER, STUCK, MOMENTS };

/* A reset of one end is one of the other, at once, at whatever moment. */
static void a_reset_passes(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2 * MOMENTS; kind++) {
        enum moment moment = kind / 2;
        struct relay r;
        relay_init(&r, false, NULL, NULL);
        size_t bytes = moment == IN_TRANSFER || moment == STUCK ? STREAM : 1000;
        struct call call = call_of(relay_line(&r, NULL), bytes, bytes);
        struct program *it = kind % 2 ? &call.client : &call.server, *other = kind % 2 ? &call.server : &call.client;
        it->ends = moment == HALF_CLOSED_BY_IT;
        other->ends = moment == HALF_CLOSED_BY_OTHER;
        it->deaf = other->deaf = moment == STUCK;
        run_calls(&r, &call, 1, moment == IN_TRANSFER ? 4 * NS_PER_MS : NS_PER_S);
        assert_int_equal(r.joints.count, 1);
        assert_int_equal(hawser_conn_error(other->conn), 0);
        hawser_abort(it->conn);
        relay_run(&r, 20 * NS_PER_MS);
        assert_int_equal(hawser_conn_error(other->conn), -ECONNRESET);
        assert_int_equal(r.joints.count, 0);
        assert_int_equal(r.joints.broken, 1);
        hawser_close(other->conn);
        relay_run(&r, NS_PER_S);
        relay_destroy(&r);
    }
}

/* The door of a joint's client is closed: both ends hear of it. Another's is nothing to it. */
static void a_door_closes(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, false, NULL, NULL);
    struct call call = call_of(relay_line(&r, NULL), 1000, 1000);
    run_calls(&r, &call, 1, NS_PER_S);
    joints_break_link(&r.joints, FAR_LINK);
    relay_run(&r, 20 * NS_PER_MS);
    assert_int_equal(r.joints.count, 1);
    joints_break_link(&r.joints, NEAR_LINK);
    assert_int_equal(r.joints.count, 0);
    relay_run(&r, 20 * NS_PER_MS);
    assert_int_equal(hawser_conn_error(call.client.conn), -ECONNRESET);
    assert_int_equal(hawser_conn_error(call.server.conn), -ECONNRESET);
    close_call(&call);
    relay_run(&r, NS_PER_S);
    relay_destroy(&r);
}

/* But what had arrived before it, even by the same packets, goes before it. */
static void a_reset_comes_behind_the_bytes(void **state)
{
    (void)state;
    struct relay r;
    uint8_t bytes[10000];
    relay_init(&r, false, NULL, NULL);
    struct line line = relay_line(&r, NULL);
    assert_int_equal(hawser_send(line.server, stream[0], sizeof bytes), sizeof bytes);
    relay_output(&r);
    hawser_abort(line.server);
    relay_output(&r);
    relay_run(&r, 10 * NS_PER_MS);
    assert_int_equal(hawser_recv(line.client, bytes, sizeof bytes), sizeof bytes);
    assert_memory_equal(bytes, stream[0], sizeof bytes);
    assert_int_equal(hawser_recv(line.client, bytes, sizeof bytes), -ECONNRESET);
    assert_int_equal(r.joints.count, 0);
    hawser_close(line.client);
    relay_destroy(&r);
}

/* So is an end that falls silent. */
static void silence_is_a_reset(void **state)
{
    (void)state;
    const struct hawser_conn_options impatient = {.size = sizeof impatient, .user_timeout_ns = 5 * NS_PER_S};
    struct relay r;
    relay_init(&r, false, NULL, &impatient);
    struct call call = call_of(relay_line(&r, NULL), 1000, 0);
    r.cut[FAR_LINK] = true;
    run_calls(&r, &call, 1, 6 * NS_PER_S);
    assert_int_equal(hawser_conn_error(call.client.conn), -ECONNRESET);
    assert_int_equal(r.joints.count, 0);
    close_call(&call);
    relay_destroy(&r);
}

static uint64_t counted(const struct relay *r, int which, const char *name)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(r->stacks[which], i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter is called %s", name);
    return 0;
}

static void keep_alive(struct hawser_conn *conn, uint64_t idle_ns, uint64_t interval_ns, uint64_t tries)
{
    assert_int_equal(hawser_conn_set(conn, HAWSER_OPTION_KEEPALIVE_IDLE_NS, idle_ns), 0);
    assert_int_equal(hawser_conn_set(conn, HAWSER_OPTION_KEEPALIVE_INTERVAL_NS, interval_ns), 0);
    assert_int_equal(hawser_conn_set(conn, HAWSER_OPTION_KEEPALIVE_TRIES, tries), 0);
}

/* What one program's keepalive asks, the other one's host is asked; and when that is gone, who asks gives up as it
 * wanted to: two questions that are answered at most, and then three a second apart. */
static void keepalive_passes(void **state)
{
    (void)state;
    const struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    for (unsigned kind = 0; kind < 4; kind++) {
        struct relay r;
        bool by_server = kind & 1;
        relay_init(&r, kind & 2, NULL, &plain);
        struct line line = relay_line(&r, &plain);
        struct hawser_conn *asks = by_server ? line.server : line.client,
                           *other = by_server ? line.client : line.server;
        int asked = by_server ? CLIENT : SERVER, gone = by_server ? NEAR_LINK : FAR_LINK;
        relay_run(&r, 60 * NS_PER_S);
        assert_int_equal(counted(&r, asked, "tcp.keepalives_in"), 0);
        keep_alive(asks, 2 * NS_PER_S, NS_PER_S, 3);
        relay_run(&r, 60 * NS_PER_S);
        assert_in_range(counted(&r, asked, "tcp.keepalives_in"), 28, 30);
        assert_int_equal(counted(&r, RELAY, "tcp.keepalives_in"), counted(&r, asked, "tcp.keepalives_in"));
        const uint64_t since_ns = r.now_ns;
        r.cut[gone] = true;
        relay_run(&r, 49 * NS_PER_S / 10);
        assert_int_equal(hawser_conn_error(asks), 0);
        assert_int_equal(r.joints.count, 1);
        relay_run(&r, since_ns + 71 * NS_PER_S / 10 - r.now_ns);
        assert_int_equal(hawser_conn_error(asks), -ETIMEDOUT);
        assert_int_equal(r.joints.count, 0);
        assert_int_equal(r.joints.broken, 1);
        hawser_close(asks);
        hawser_abort(other);
        relay_run(&r, NS_PER_S);
        relay_destroy(&r);
    }
}

/* Nobody is given up while the other one is silent for a while, and answers then. */
static void keepalive_is_patient(void **state)
{
    (void)state;
    struct relay r;
    const struct hawser_conn_options plain = {.size = sizeof plain, .no_mptcp = true};
    relay_init(&r, false, NULL, NULL);
    struct line line = relay_line(&r, &plain);
    keep_alive(line.client, 2 * NS_PER_S, NS_PER_S, 30);
    for (unsigned i = 0; i < 10; i++) {
        relay_run(&r, 10 * NS_PER_S);
        r.cut[FAR_LINK] = i % 2;
    }
    assert_int_equal(hawser_conn_error(line.client), 0);
    assert_int_equal(r.joints.count, 1);
    hawser_close(line.client);
    hawser_close(line.server);
    relay_destroy(&r);
}

/* Who does not read holds the sender back, and what the relay holds for him is bounded. */
static void a_slow_reader_costs_only_itself(void **state)
{
    (void)state;
    const struct hawser_conn_options small = {
        .size = sizeof small, .send_buffer_bytes = 100000, .recv_buffer_bytes = 100000};
    struct relay r;
    relay_init(&r, false, &small, &small);
    struct call calls[20];
    for (unsigned i = 0; i < 20; i++) {
        calls[i] = call_of(relay_line(&r, &small), STREAM, STREAM);
        calls[i].client.ends = calls[i].server.ends = true;
        calls[i].server.deaf = i < 10;
    }
    run_calls(&r, calls, 20, 30 * NS_PER_S);
    for (unsigned i = 10; i < 20; i++)
        complete(&calls[i]);
    assert_int_equal(r.joints.count, 10);
    assert_true(r.joints.held_bytes <= 10 * RELAY_BUFFER);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(calls[i].client.sent < 7 * 100000); /* each buffer on the way is full, and that is all */
        calls[i].server.deaf = false;
        assert_int_equal(calls[i].client.got, STREAM); /* the other way goes on */
    }
    uint64_t packets = r.packets;
    relay_run(&r, 10 * NS_PER_S);
    assert_true(r.packets - packets < 300); /* nobody turns in circles: they ask whether the windows are open */
    run_calls(&r, calls, 20, 60 * NS_PER_S);
    for (unsigned i = 0; i < 20; i++) {
        complete(&calls[i]);
        close_call(&calls[i]);
    }
    relay_run(&r, NS_PER_S);
    relay_destroy(&r);
}

/* What is taken and not passed on is bounded for all together, too: then bytes stay where they are. */
static void what_is_held_is_bounded(void **state)
{
    (void)state;
    const struct hawser_conn_options small = {.size = sizeof small, .send_buffer_bytes = 10000};
    struct relay r;
    relay_init(&r, false, &small, &small);
    r.joints.held_max = 3 * RELAY_BUFFER;
    struct call calls[30];
    for (unsigned i = 0; i < 30; i++) {
        calls[i] = call_of(relay_line(&r, NULL), 200000, 0);
        calls[i].client.ends = calls[i].server.ends = true;
        calls[i].server.deaf = true;
    }
    for (unsigned i = 0; i < 1000; i++) {
        run_calls(&r, calls, 30, NS_PER_MS);
        assert_true(r.joints.held_bytes < 4 * RELAY_BUFFER); /* the last slice may go beyond */
    }
    for (unsigned i = 0; i < 30; i++)
        calls[i].server.deaf = false;
    run_calls(&r, calls, 30, 60 * NS_PER_S);
    assert_true(r.joints.copied_bytes > 0);
    for (unsigned i = 0; i < 30; i++) {
        complete(&calls[i]);
        close_call(&calls[i]);
    }
    relay_destroy(&r);
}

/* A turn is as many bytes for each: a bulk transfer does not hold back small ones. */
static void turns_are_by_bytes(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, false, NULL, NULL);
    struct call calls[9];
    for (unsigned i = 0; i < 9; i++)
        calls[i] = call_of(relay_line(&r, NULL), i ? SLOW : STREAM, 0);
    for (unsigned i = 0; i < 9; i++)
        talk(&calls[i].client);
    while (r.joints.turns.next == &r.joints.turns) { /* until all have arrived at the relay */
        relay_output(&r);
        r.now_ns += NS_PER_MS;
        relay_input(&r);
        relay_serve(&r);
    }
    (void)joints_turn(&r.joints);
    for (unsigned i = 0; i < 9; i++) {
        const struct joint *joint = LIST_ENTRY(r.joints.all.next, struct joint, link);
        list_move_back(&r.joints.all, r.joints.all.next);
        assert_true(joint->ends[0].bytes > 0);
        assert_true(joint->ends[0].credit <= 0);
        assert_true(joint->ends[0].credit >= -JOINT_TURN_BYTES);
    }
    run_calls(&r, calls, 9, 10 * NS_PER_S);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(calls[i].server.got, calls[i].server.want);
        close_call(&calls[i]);
    }
    relay_run(&r, NS_PER_S);
    relay_destroy(&r);
}

static void a_thousand_at_once(void **state)
{
    (void)state;
    enum { CALLS = 1000 };
    const struct hawser_conn_options small = {
        .size = sizeof small, .send_buffer_bytes = 16384, .recv_buffer_bytes = 16384};
    struct call *calls = calloc(CALLS, sizeof *calls);
    struct hawser_conn *client[CALLS];
    struct relay r;
    assert_non_null(calls);
    relay_init(&r, false, &small, &small);
    for (unsigned i = 0; i < CALLS; i++) {
        client[i] = relay_connect(&r, "10.1.0.1", RELAY_PORT, &small);
        if (i % 50 == 49)
            relay_run(&r, 20 * NS_PER_MS);
    }
    relay_run(&r, 2 * NS_PER_S);
    for (unsigned i = 0; i < CALLS; i++) {
        struct line line = {.client = client[i]}; /* which of them it is, nobody asks: all send the same */
        assert_int_equal(hawser_accept(r.servers, &line.server), 0);
        calls[i] = call_of(line, 20000, 30000);
        calls[i].client.ends = calls[i].server.ends = true;
    }
    run_calls(&r, calls, CALLS, 60 * NS_PER_S);
    for (unsigned i = 0; i < CALLS; i++) {
        complete(&calls[i]);
        close_call(&calls[i]);
    }
    assert_int_equal(r.joints.made, CALLS);
    assert_int_equal(r.joints.count, 0);
    relay_run(&r, 2 * NS_PER_S);
    relay_destroy(&r);
    free(calls);
}

/* What the relay gives up, both programs hear of. */
static void all_can_be_broken_off(void **state)
{
    (void)state;
    struct relay r;
    relay_init(&r, false, NULL, NULL);
    struct call calls[3];
    for (unsigned i = 0; i < 3; i++) {
        calls[i] = call_of(relay_line(&r, NULL), STREAM, STREAM);
        run_calls(&r, calls, i + 1, 3 * NS_PER_MS);
    }
    joints_break(&r.joints);
    relay_run(&r, 20 * NS_PER_MS);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hawser_conn_error(calls[i].client.conn), -ECONNRESET);
        assert_int_equal(hawser_conn_error(calls[i].server.conn), -ECONNRESET);
        close_call(&calls[i]);
    }
    relay_destroy(&r);
}

/* While walks rest, some go and some come: each who stays is met once. */
static void walks_go_on(void **state)
{
    enum { LINES = 6 };
    struct relay r;
    struct line lines[LINES];
    struct joints_walk walk, end;
    (void)state;
    relay_init(&r, true, NULL, NULL);
    joints_walk_begin(&r.joints, &end);
    assert_null(joints_walk_at(&end));
    for (unsigned i = 0; i < LINES - 1; i++)
        lines[i] = relay_line(&r, NULL);
    joints_walk_begin(&r.joints, &walk);
    assert_int_equal(joints_walk_at(&walk)->id, 1);
    joints_walk_on(&walk);
    assert_int_equal(joints_walk_at(&walk)->id, 2);
    for (unsigned i = 1; i < 3; i++) { /* 2, where it rests, and 3, the next */
        hawser_abort(lines[i].client);
        relay_run(&r, NS_PER_S);
        hawser_close(lines[i].server);
    }
    assert_int_equal(r.joints.count, LINES - 3);
    assert_int_equal(joints_walk_at(&walk)->id, 4);
    joints_walk_on(&walk);
    lines[LINES - 1] = relay_line(&r, NULL);
    assert_int_equal(joints_walk_at(&walk)->id, 5);
    joints_walk_on(&walk);
    assert_null(joints_walk_at(&walk)); /* the last one came later */
    joints_break(&r.joints);
    assert_null(joints_walk_at(&walk));
    assert_null(joints_walk_at(&end)); /* it was at the end when it began */
    joints_walk_on(&walk);
    joints_walk_end(&walk);
    joints_walk_end(&end);
    relay_destroy(&r);
}

static int fill_streams(void **state)
{
    struct prng rng;
    (void)state;
    prng_seed(&rng, test_seed());
    prng_fill(&rng, stream, sizeof stream);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_ends_pass),
        cmocka_unit_test(either_end_ends_first),
        cmocka_unit_test(nobody_is_there_any_more),
        cmocka_unit_test(a_reset_passes),
        cmocka_unit_test(a_door_closes),
        cmocka_unit_test(a_reset_comes_behind_the_bytes),
        cmocka_unit_test(silence_is_a_reset),
        cmocka_unit_test(keepalive_passes),
        cmocka_unit_test(keepalive_is_patient),
        cmocka_unit_test(a_slow_reader_costs_only_itself),
        cmocka_unit_test(what_is_held_is_bounded),
        cmocka_unit_test(turns_are_by_bytes),
        cmocka_unit_test(a_thousand_at_once),
        cmocka_unit_test(all_can_be_broken_off),
        cmocka_unit_test(walks_go_on),
    };
    return cmocka_run_group_tests(tests, fill_streams, NULL);
}
