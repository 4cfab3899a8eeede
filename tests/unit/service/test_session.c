/* What a client says to a proxy, and is told (apps/service/session.h). */
#include "service/ends.h"
#include "service/session.h"

/* A dialer whose answers are the test's. */
struct fake {
    struct dialer dialer;
    struct dial_user *user; /* who waits; NULL: nobody */
    char name[DIAL_NAME_MAX + 1];
    struct hawser_addr addr;
    int at_once; /* an error of begin() itself */
    unsigned asked, cancelled;
};

static int fake_begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                      struct dial **out)
{
    struct fake *fake = HW_CONTAINER(dialer, struct fake, dialer);
    (void)now_ns;
    fake->asked++;
    fake->addr = to->addr;
    strcpy(fake->name, to->name ? to->name : "");
    if (fake->at_once)
        return fake->at_once;
    fake->user = user;
    *out = (struct dial *)fake;
    return 0;
}

static void fake_cancel(struct dialer *dialer, struct dial *dial)
{
    struct fake *fake = HW_CONTAINER(dialer, struct fake, dialer);
    assert_ptr_equal(dial, fake);
    fake->user = NULL;
    fake->cancelled++;
}

struct fixture {
    struct ends e;
    struct fake fake;
    struct sessions sessions;
    int client, far;
};

static void set_up(struct fixture *f, unsigned spoken, const char *user, const char *password)
{
    memset(f, 0, sizeof *f);
    ends_init(&f->e);
    f->fake.dialer = (struct dialer){fake_begin, fake_cancel};
    assert_int_equal(sessions_init(&f->sessions, f->e.loop, f->e.host), 0);
    f->sessions.joints = &f->e.joints;
    f->sessions.dialer = &f->fake.dialer;
    f->sessions.spoken = spoken;
    f->sessions.user = user;
    f->sessions.password = password;
    assert_int_equal(session_begin(&f->sessions, tcp_end(&f->e, &f->client)), 0);
    ends_run(&f->e, 2);
}

static void tear_down(struct fixture *f)
{
    sessions_destroy(&f->sessions);
    assert_int_equal(f->sessions.counts.count, 0);
    close(f->client);
    ends_destroy(&f->e);
}

static void say(struct fixture *f, const void *bytes, size_t len)
{
    assert_int_equal(write(f->client, bytes, len), len);
    ends_run(&f->e, 3);
}

/* The destination answers. */
static void answer(struct fixture *f)
{
    struct dial_user *user = f->fake.user;
    assert_non_null(user);
    f->fake.user = NULL;
    user->answered(user, 0, tcp_end(&f->e, &f->far), 0);
    ends_run(&f->e, 3);
}

static void fail_with(struct fixture *f, int error)
{
    struct dial_user *user = f->fake.user;
    assert_non_null(user);
    f->fake.user = NULL;
    user->answered(user, error, (struct end){0}, 0);
    ends_run(&f->e, 3);
}

static void expect(struct fixture *f, const void *bytes, size_t len)
{
    char got[600];
    ssize_t n = read(f->client, got, sizeof got);
    assert_int_equal(n, len);
    assert_memory_equal(got, bytes, len);
}

static void expect_begin(struct fixture *f, const char *text)
{
    char got[600];
    ssize_t n = read(f->client, got, sizeof got);
    assert_true(n >= (ssize_t)strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void expect_gone(struct fixture *f)
{
    char got[600];
    ssize_t n;
    while ((n = read(f->client, got, sizeof got)) > 0)
        ;
    assert_true(n == 0 || errno == ECONNRESET);
}

static void expect_reply(struct fixture *f, uint8_t reply)
{
    uint8_t bytes[10] = {5, reply, 0, 1};
    expect(f, bytes, sizeof bytes);
}

/* The far side hears what the client says, and the other way round. */
static void expect_joined(struct fixture *f, const char *early)
{
    ends_run(&f->e, 5);
    if (early)
        expect_bytes(f->far, early);
    say(f, "ping", 4);
    expect_bytes(f->far, "ping");
    assert_int_equal(write(f->far, "pong", 4), 4);
    ends_run(&f->e, 3);
    expect(f, "pong", 4);
    assert_int_equal(f->e.joints.count, 1);
    assert_int_equal(f->sessions.counts.joined, 1);
    assert_int_equal(f->sessions.counts.count, 0);
    close(f->far);
}

#define NAMED "\5\1\0\3\4host\0\x50"
#define BOTH (SESSION_SOCKS | SESSION_HTTP)

static void socks_in_steps(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, BOTH, NULL, NULL);
    say(&f, "\5\2\0\1", 4);
    expect(&f, "\5\0", 2);
    say(&f, "\5\1\0\1\300\0\2\1\0\x50", 10);
    assert_int_equal(f.fake.asked, 1);
    assert_string_equal(f.fake.name, "");
    struct hawser_addr expected;
    assert_int_equal(hawser_addr_parse(&expected, "192.0.2.1", 80), 0);
    assert_true(hawser_addr_equal(&f.fake.addr, &expected));
    answer(&f);
    expect_reply(&f, 0);
    expect_joined(&f, NULL);
    tear_down(&f);
}

/* And what comes behind the request is for the destination, whenever it comes. */
static void socks_in_one_piece(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, BOTH, NULL, NULL);
    say(&f, "\5\1\0" NAMED "early", 3 + 11 + 5);
    assert_string_equal(f.fake.name, "host");
    assert_int_equal(f.fake.addr.port, 80);
    answer(&f);
    expect(&f, "\5\0\5\0\0\1\0\0\0\0\0\0", 12);
    expect_joined(&f, "early");
    tear_down(&f);
}

static void byte_by_byte(void **state)
{
    (void)state;
    static const char socks[] = "\5\1\2\1\2me\1x" NAMED, http[] = "CONNECT host:80 HTTP/1.1\r\n"
                                                                  "Proxy-Authorization: Basic bWU6eA==\r\n\r\n";
    for (unsigned kind = 0; kind < 2; kind++) {
        struct fixture f;
        set_up(&f, BOTH, "me", "x");
        const char *text = kind ? http : socks;
        size_t len = kind ? sizeof http - 1 : sizeof socks - 1;
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(f.fake.asked, 0);
            assert_int_equal(write(f.client, text + i, 1), 1);
            ends_run(&f.e, 0);
            ends_run(&f.e, 1);
        }
        assert_string_equal(f.fake.name, "host");
        answer(&f);
        if (kind)
            expect_begin(&f, "HTTP/1.1 200 ");
        else
            expect(&f, "\5\2\1\0\5\0\0\1\0\0\0\0\0\0", 14);
        expect_joined(&f, NULL);
        tear_down(&f);
    }
}

static void http_and_what_follows(void **state)
{
    (void)state;
    struct fixture f;
    static const char text[] = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\nearly";
    set_up(&f, BOTH, NULL, NULL);
    say(&f, text, sizeof text - 1);
    assert_string_equal(f.fake.name, "");
    assert_int_equal(f.fake.addr.port, 443);
    answer(&f);
    expect_begin(&f, "HTTP/1.1 200 Connection established\r\n\r\n");
    expect_joined(&f, "early");
    tear_down(&f);
}

/* RFC 9112 2.2: one before the request is passed over, in pieces too. */
static void an_empty_line_comes_first(void **state)
{
    (void)state;
    static const char text[] = "\r\nCONNECT host:80 HTTP/1.1\r\n\r\n";
    for (size_t first = 0; first < 4; first++) {
        struct fixture f;
        set_up(&f, first % 2 ? BOTH : SESSION_HTTP, NULL, NULL);
        if (first)
            say(&f, text, first);
        assert_int_equal(f.fake.asked, 0);
        say(&f, text + first, sizeof text - 1 - first);
        assert_string_equal(f.fake.name, "host");
        answer(&f);
        expect_begin(&f, "HTTP/1.1 200 ");
        expect_joined(&f, NULL);
        tear_down(&f);
    }
}

/* How it came, and for whom, in characters that any listing can have; those of an upstream come by the uplinks. */
static void what_is_listed(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        size_t len;
        bool upstream;
        enum joint_way way;
        const char *asked;
    } table[] = {
        {"\5\1\0" NAMED, 14, false, JOINT_BY_SOCKS, "host:80"},
        {"\5\1\0\5\1\0\3\4h\377\"t\0\x50", 14, false, JOINT_BY_SOCKS, "h?\"t:80"},
        {"\5\1\0\5\1\0\1\300\0\2\1\0\x50", 13, false, JOINT_BY_SOCKS, "192.0.2.1:80"},
        {"CONNECT host:80 HTTP/1.1\r\n\r\n", 28, false, JOINT_BY_CONNECT, "host:80"},
        {"\5\1\0" NAMED, 14, true, JOINT_BY_UPSTREAM, "host:80"},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct fixture f;
        set_up(&f, BOTH, NULL, NULL);
        f.sessions.port = "127.0.0.1:1080";
        f.sessions.upstream = table[i].upstream;
        say(&f, table[i].said, table[i].len);
        answer(&f);
        const struct joint *joint = LIST_ENTRY(list_first(&f.e.joints.all), struct joint, link);
        assert_int_equal(joint->origin.way, table[i].way);
        assert_string_equal(joint->origin.port, "127.0.0.1:1080");
        assert_string_equal(joint->origin.asked, table[i].asked);
        struct hawser_addr near, far;
        struct sockaddr_in own;
        socklen_t len = sizeof own;
        end_peer(joint_client(joint), &near);
        end_peer(joint_server(joint), &far);
        assert_int_equal(getsockname(f.client, (struct sockaddr *)&own, &len), 0);
        assert_int_equal(near.port, ntohs(own.sin_port));
        assert_int_equal(getsockname(f.far, (struct sockaddr *)&own, &len), 0);
        assert_int_equal(far.port, ntohs(own.sin_port));
        end_peer(joint->ends[table[i].upstream].end, &far);
        assert_int_equal(far.port, near.port);
        close(f.far);
        tear_down(&f);
    }
}

/* An address that the far end has anyway takes no memory. */
static void what_need_not_be_told(void **state)
{
    (void)state;
    struct fixture f;
    struct hawser_addr addr;
    uint8_t asks[] = {5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0};
    set_up(&f, BOTH, NULL, NULL);
    struct end far = tcp_end(&f.e, &f.far);
    end_peer(far, &addr);
    asks[11] = (uint8_t)(addr.port >> 8);
    asks[12] = (uint8_t)addr.port;
    say(&f, asks, sizeof asks);
    struct dial_user *user = f.fake.user;
    f.fake.user = NULL;
    user->answered(user, 0, far, 0);
    assert_null(LIST_ENTRY(list_first(&f.e.joints.all), struct joint, link)->origin.asked);
    close(f.far);
    tear_down(&f);
}

static void why_not(void **state)
{
    (void)state;
    static const struct {
        int error;
        uint8_t reply;
        const char *status;
    } all[] = {{-ECONNREFUSED, 5, "HTTP/1.1 502 "}, {-ENETUNREACH, 3, "HTTP/1.1 502 "},
               {-EHOSTUNREACH, 4, "HTTP/1.1 502 "}, {-ETIMEDOUT, 6, "HTTP/1.1 504 "},
               {-ENOENT, 4, "HTTP/1.1 502 "},       {-EREMOTEIO, 4, "HTTP/1.1 502 "},
               {-ENOBUFS, 1, "HTTP/1.1 503 "},      {-EACCES, 2, "HTTP/1.1 403 "}};
    for (unsigned i = 0; i < 4 * HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        const bool http = i & 1, at_once = i & 2;
        set_up(&f, BOTH, NULL, NULL);
        f.fake.at_once = at_once ? all[i / 4].error : 0;
        if (http)
            say(&f, "CONNECT host:80 HTTP/1.1\r\n\r\nmore", 32);
        else
            say(&f, "\5\1\0" NAMED, 14);
        if (!at_once)
            fail_with(&f, all[i / 4].error);
        if (http) {
            expect_begin(&f, all[i / 4].status);
        } else {
            expect_begin(&f, "\5");
        }
        assert_int_equal(f.sessions.counts.failed, 1);
        say(&f, "more", 4); /* it may be under way with something */
        shutdown(f.client, SHUT_WR);
        ends_run(&f.e, 5);
        assert_int_equal(f.sessions.counts.count, 0);
        assert_int_equal(f.sessions.counts.refused, 1);
        expect_gone(&f);
        tear_down(&f);
    }
}

/* A reply of SOCKS by its number. */
static void replies_have_numbers(void **state)
{
    (void)state;
    static const int errors[] = {-ECONNREFUSED, -ETIMEDOUT, -EACCES};
    static const uint8_t replies[] = {5, 6, 2};
    for (unsigned i = 0; i < 3; i++) {
        struct fixture f;
        set_up(&f, SESSION_SOCKS, NULL, NULL);
        say(&f, "\5\1\0", 3);
        expect(&f, "\5\0", 2);
        say(&f, NAMED, 11);
        fail_with(&f, errors[i]);
        expect_reply(&f, replies[i]);
        tear_down(&f);
    }
}

static void who_may_not(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *answer;
        size_t answer_len;
    } all[] = {
        {"\5\1\0", 3, "\5\xff", 2},                /* no way to say who it is */
        {"\5\1\2\1\2me\1y", 3 + 6, "\5\2\1\1", 4}, /* another password */
        {"CONNECT a:80 HTTP/1.1\r\n\r\n", 25, "HTTP/1.1 407 ", 0},
        {"GET / HTTP/1.1\r\n\r\n", 18, "HTTP/1.1 407 ", 0},
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        set_up(&f, BOTH, "me", "x");
        say(&f, all[i].bytes, all[i].len);
        if (all[i].answer_len)
            expect(&f, all[i].answer, all[i].answer_len);
        else
            expect_begin(&f, all[i].answer);
        assert_int_equal(f.fake.asked, 0);
        assert_int_equal(f.sessions.counts.refused, 1);
        tear_down(&f);
    }
}

/* Of a request that is none by a reply, at once, whatever else comes. */
static void what_is_no_request_has_a_reply(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        uint8_t reply;
    } all[] = {
        {"\5\1\1\1", 4, 1}, /* RFC 1928 4: the reserved byte is 0 */
        {"\5\1\7\3\4host\0\x50", 11, 1},
        {"\5\1\0\x7f", 4, 8},
        {"\5\2\0\3\4host\0\x50", 11, 7},
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        set_up(&f, BOTH, NULL, NULL);
        say(&f, "\5\1\0", 3);
        expect(&f, "\5\0", 2);
        say(&f, all[i].bytes, all[i].len);
        expect_reply(&f, all[i].reply);
        shutdown(f.client, SHUT_WR);
        ends_run(&f.e, 5);
        assert_int_equal(read(f.client, &(char){0}, 1), 0); /* no reset */
        assert_int_equal(f.fake.asked, 0);
        assert_int_equal(f.sessions.counts.refused, 1);
        assert_int_equal(f.sessions.counts.count, 0);
        tear_down(&f);
    }
}

/* Also who has said all that he will say, in one piece with it. */
static void who_has_finished_reads_why(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *answer;
        size_t answer_len;
    } all[] = {
        {"Q\r\n", 3, "HTTP/1.1 400 ", 0},
        {"CONNECT a HTTP/1.1\r\n\r\n", 22, "HTTP/1.1 400 ", 0},
        {"\5\1\1", 3, "\5\xff", 2},
        {"\5\1\0\5\1\7\1", 7, "\5\0\5\1\0\1\0\0\0\0\0\0", 12},
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        set_up(&f, BOTH, NULL, NULL);
        assert_int_equal(write(f.client, all[i].bytes, all[i].len), all[i].len);
        shutdown(f.client, SHUT_WR);
        ends_run(&f.e, 5);
        if (all[i].answer_len)
            expect(&f, all[i].answer, all[i].answer_len);
        else
            expect_begin(&f, all[i].answer);
        assert_int_equal(read(f.client, &(char){0}, 1), 0);
        assert_int_equal(f.sessions.counts.refused, 1);
        assert_int_equal(f.sessions.counts.gave_up, 0);
        assert_int_equal(f.sessions.counts.count, 0);
        tear_down(&f);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned spoken;
        const char *bytes;
        size_t len;
    } all[] = {
        {BOTH, "\4\1", 2},           {BOTH, "\0", 1},
        {BOTH, "\x16\3\1", 3},       {SESSION_SOCKS, "CONNECT a:80 ", 13},
        {SESSION_HTTP, "\5\1\0", 3}, {BOTH, "\5\1\0\4", 4},
        {BOTH, "\r\n\r", 3},         {BOTH, "connect", 7},
        {SESSION_SOCKS, "\r\n", 2},  {BOTH, "\r\n\5\1\0", 5},
        {BOTH, "\rCONNECT", 8},
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        set_up(&f, all[i].spoken, NULL, NULL);
        say(&f, all[i].bytes, all[i].len);
        expect_gone(&f);
        assert_int_equal(f.sessions.counts.count, 0);
        assert_int_equal(f.sessions.counts.nonsense, 1);
        assert_int_equal(f.sessions.counts.gave_up, 0);
        tear_down(&f);
    }
}

/* A client that goes, at any point: nothing is left of it, and nobody is dialled for it any more. */
static void who_goes_is_forgotten(void **state)
{
    (void)state;
    static const char all[] = "\5\1\0" NAMED;
    for (size_t len = 0; len < sizeof all; len++) {
        struct fixture f;
        set_up(&f, BOTH, NULL, NULL);
        if (len)
            say(&f, all, len);
        bool dialled = f.fake.asked;
        if (dialled)
            reset(f.client); /* one that only ends may wait for an answer still */
        else
            close(f.client);
        ends_run(&f.e, 5);
        assert_int_equal(f.sessions.counts.count, 0);
        assert_int_equal(f.sessions.counts.gave_up, 1);
        assert_int_equal(f.fake.cancelled, dialled);
        f.client = open("/dev/null", O_RDONLY);
        tear_down(&f);
    }
}

static void who_is_refused_and_talks_on_is_reset(void **state)
{
    (void)state;
    struct fixture f;
    static char much[65536];
    set_up(&f, BOTH, NULL, NULL);
    say(&f, "CONNECT a HTTP/1.1\r\n\r\n", 22);
    expect_begin(&f, "HTTP/1.1 400 ");
    for (unsigned i = 0; i < 200 && f.sessions.counts.count; i++) {
        (void)!write(f.client, much, sizeof much);
        ends_run(&f.e, 1);
    }
    assert_int_equal(f.sessions.counts.count, 0);
    expect_gone(&f);
    tear_down(&f);
}

/* A crowd of clients that do not come to an end does not keep others out; one address has half of the places at most.
 */
static void who_is_at_it_longest_makes_way(void **state)
{
    (void)state;
    struct fixture f;
    int others[8];
    set_up(&f, BOTH, NULL, NULL);
    f.sessions.speaking_max = 4 * SESSIONS_PART;
    say(&f, "\5\1\0" NAMED, 14); /* has said all: it is not in anybody's way */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(session_begin(&f.sessions, tcp_end(&f.e, &others[i])), 0);
        ends_run(&f.e, 1);
    }
    assert_int_equal(f.sessions.counts.crowded_out, 4);
    assert_int_equal(f.sessions.counts.count, 5);
    for (unsigned i = 0; i < 8; i++) {
        char byte;
        ssize_t n = read(others[i], &byte, 1);
        assert_int_equal(n < 0 && errno == ECONNRESET, i < 4);
        close(others[i]);
    }
    answer(&f);
    expect(&f, "\5\0\5\0\0\1\0\0\0\0\0\0", 12);
    close(f.far);
    ends_run(&f.e, 5);
    tear_down(&f);
}

/* However many come from one address, those of others may take their time. */
static void a_crowd_of_one_address_makes_way_for_itself(void **state)
{
    (void)state;
    struct fixture f;
    int others[8];
    char byte;
    set_up(&f, BOTH, NULL, NULL);
    f.sessions.speaking_max = 4;
    say(&f, "\5\1", 2);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(session_begin(&f.sessions, tcp_end_from(&f.e, 2, &others[i])), 0);
        ends_run(&f.e, 1);
    }
    assert_int_equal(f.sessions.counts.crowded_out, 6);
    say(&f, "\0" NAMED, 12);
    assert_non_null(f.fake.user);
    for (unsigned i = 0; i < 8; i++) {
        ssize_t n = read(others[i], &byte, 1);
        assert_int_equal(n < 0 && errno == ECONNRESET, i < 6);
        close(others[i]);
    }
    tear_down(&f);
}

/* There are as many places as all may have, and who has most of them makes way, though no address has its part. */
static void crowds_of_many_addresses(void **state)
{
    (void)state;
    struct fixture f;
    int others[6];
    char byte;
    static const unsigned hosts[] = {2, 3, 2, 4, 5, 6};
    set_up(&f, BOTH, NULL, NULL);
    f.sessions.speaking_max = 4;
    for (unsigned i = 0; i < HW_ARRAY_LEN(others); i++) {
        assert_int_equal(session_begin(&f.sessions, tcp_end_from(&f.e, hosts[i], &others[i])), 0);
        ends_run(&f.e, 1);
    }
    assert_int_equal(f.sessions.counts.crowded_out, 3);
    assert_int_equal(f.sessions.speakers.count, 4);
    expect_gone(&f); /* the second one that made way: all had one then */
    for (unsigned i = 0; i < HW_ARRAY_LEN(others); i++) {
        ssize_t n = read(others[i], &byte, 1);
        assert_int_equal(n < 0 && errno == ECONNRESET, i < 2);
        close(others[i]);
    }
    tear_down(&f);
}

/* Handshakes that come to nothing: so many, and no more for that address until they are paid for. */
static void handshakes_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    struct pace pace;
    int others[3], near;
    char byte;
    set_up(&f, BOTH, NULL, NULL);
    pace_init(&pace, 2, 1);
    f.sessions.handshakes = &pace;
    for (unsigned i = 0; i < 2; i++) { /* without TLS all are known at once, so that it costs them nothing */
        assert_int_equal(session_begin(&f.sessions, tcp_end_from(&f.e, 2, &others[i])), 0);
        ends_run(&f.e, 1);
        close(others[i]);
    }
    for (unsigned i = 0; i < 2; i++) { /* which nobody hears of before the next turn */
        assert_int_equal(session_begin(&f.sessions, tcp_end_from(&f.e, 2, &others[i])), 0);
    }
    struct end hasty = tcp_end_from(&f.e, 2, &others[2]);
    assert_int_equal(session_begin(&f.sessions, hasty), -EAGAIN);
    end_abort(hasty);
    assert_int_equal(f.sessions.counts.hasty, 1);
    assert_int_equal(f.sessions.counts.turned_away, 1);
    assert_int_equal(session_begin(&f.sessions, tcp_end_from(&f.e, 3, &near)), 0);
    for (unsigned i = 0; i < 3; i++) {
        ssize_t n = read(others[i], &byte, 1);
        assert_int_equal(n < 0 && errno == ECONNRESET, i == 2);
        close(others[i]);
    }
    close(near);
    tear_down(&f);
}

/* Whoever waits when all is over is reset. */
static void all_can_be_broken_off(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, BOTH, NULL, NULL);
    say(&f, "\5\1\0" NAMED, 14);
    sessions_break(&f.sessions);
    assert_int_equal(f.fake.cancelled, 1);
    expect_gone(&f);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks_in_steps),
        cmocka_unit_test(socks_in_one_piece),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(http_and_what_follows),
        cmocka_unit_test(what_is_listed),
        cmocka_unit_test(what_need_not_be_told),
        cmocka_unit_test(why_not),
        cmocka_unit_test(replies_have_numbers),
        cmocka_unit_test(who_may_not),
        cmocka_unit_test(an_empty_line_comes_first),
        cmocka_unit_test(what_is_no_request_has_a_reply),
        cmocka_unit_test(who_has_finished_reads_why),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(who_goes_is_forgotten),
        cmocka_unit_test(who_is_refused_and_talks_on_is_reset),
        cmocka_unit_test(who_is_at_it_longest_makes_way),
        cmocka_unit_test(a_crowd_of_one_address_makes_way_for_itself),
        cmocka_unit_test(crowds_of_many_addresses),
        cmocka_unit_test(handshakes_are_counted),
        cmocka_unit_test(all_can_be_broken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
