/* Names that a server of the test's answers, or does not (apps/service/resolver.h), and who is dialled then
 * (apps/service/name_dialer.h). */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "link/namespace.h"
#include "service/ends.h"
#include "service/name_dialer.h"

enum { V4, V6, FAMILIES };
enum { HEADER = 12, TYPE_A = 1, TYPE_AAAA = 28, QUESTION_MAX = 512, KEPT_MAX = 16 };

/* What is said to a question: nothing for now, two addresses, that there is none, or a code (RFC 1035 4.1.1). */
enum says { SILENT, TWO, NONE, FAILURE, NO_NAME, EIGHT };

static bool is_alone; /* in a namespace */
static char resolv_conf[] = "/tmp/resolv.XXXXXX", hosts[] = "/tmp/hosts.XXXXXX";

/* RFC 3849, RFC 5737 */
static const char *const addresses[FAMILIES][2] = {{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}};

struct kept {
    uint8_t bytes[QUESTION_MAX];
    size_t len;
    struct sockaddr_in from;
    unsigned family;
};

struct server {
    struct ends e;
    sd_event_source *source;
    struct resolver *resolver;
    enum says says[FAMILIES];
    unsigned asked[FAMILIES], kept_count;
    struct kept kept[KEPT_MAX]; /* what was not answered yet */
};

/* Who waits. */
struct caller {
    struct lookup_user user;
    unsigned told, count;
    int error;
    bool more;
    struct hawser_addr addrs[RESOLVER_ADDRESSES];
};

static void found(struct lookup_user *user, int error, const struct hawser_addr *addrs, unsigned count, bool more)
{
    struct caller *caller = HW_CONTAINER(user, struct caller, user);
    caller->told++;
    caller->error = error;
    caller->count = count;
    caller->more = more;
    memcpy(caller->addrs, addrs, count * sizeof *addrs);
}

static unsigned address_count(enum says says) { return says == TWO ? 2 : says == EIGHT ? RESOLVER_ADDRESSES : 0; }

static size_t add_addresses(uint8_t *at, unsigned family, unsigned count)
{
    const uint8_t size = family == V4 ? 4 : 16;
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        struct hawser_addr addr;
        const uint8_t head[] = {0xc0, HEADER, 0, family == V4 ? TYPE_A : TYPE_AAAA, 0, 1, 0, 0, 0, 60, 0, size};
        assert_int_equal(hawser_addr_parse(&addr, addresses[family][i % 2], 0), 0);
        addr.ip[15] = (uint8_t)(addr.ip[15] + i / 2 * 2);
        memcpy(at + len, head, sizeof head);
        memcpy(at + len + sizeof head, addr.ip + 16 - size, size);
        len += sizeof head + size;
    }
    return len;
}

static void say(const struct server *s, int fd, const struct kept *question)
{
    static const uint8_t codes[] = {[FAILURE] = 2, [NO_NAME] = 3};
    const enum says says = s->says[question->family];
    uint8_t answer[2 * QUESTION_MAX];
    size_t len = question->len;
    memcpy(answer, question->bytes, len);
    answer[2] |= 0x80;
    answer[3] = 0x80 | codes[says < HW_ARRAY_LEN(codes) ? says : 0];
    answer[7] = (uint8_t)address_count(says);
    len += add_addresses(answer + len, question->family, answer[7]);
    assert_int_equal(sendto(fd, answer, len, 0, (const struct sockaddr *)&question->from, sizeof question->from), len);
}

/* Of what was asked, only the name and the type count. */
static int was_asked(sd_event_source *source, int fd, uint32_t events, void *of)
{
    struct server *s = of;
    struct kept *question = &s->kept[s->kept_count];
    socklen_t len = sizeof question->from;
    (void)source;
    (void)events;
    assert_in_range(s->kept_count, 0, KEPT_MAX - 1);
    ssize_t n = recvfrom(fd, question->bytes, QUESTION_MAX, 0, (struct sockaddr *)&question->from, &len);
    assert_true(n > HEADER);
    question->len = HEADER + strlen((const char *)question->bytes + HEADER) + 1 + 4;
    assert_in_range(question->len, HEADER, n);
    question->bytes[11] = 0; /* no EDNS */
    question->family = question->bytes[question->len - 3] == TYPE_AAAA ? V6 : V4;
    s->asked[question->family]++;
    if (s->says[question->family] == SILENT)
        s->kept_count++;
    else
        say(s, fd, question);
    return 0;
}

/* It says at last what it was asked for. */
static void speak(struct server *s, unsigned family, enum says says)
{
    s->says[family] = says;
    for (unsigned i = 0; i < s->kept_count; i++)
        if (s->kept[i].family == family)
            say(s, sd_event_source_get_io_fd(s->source), &s->kept[i]);
}

static void begin(struct server *s, enum says v4, enum says v6)
{
    const struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(53)};
    if (!is_alone)
        skip();
    memset(s, 0, sizeof *s);
    ends_init(&s->e);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    assert_true(sd_event_add_io(s->e.loop, &s->source, fd, EPOLLIN, was_asked, s) >= 0);
    assert_true(sd_event_source_set_io_fd_own(s->source, true) >= 0);
    assert_int_equal(resolver_new(s->e.loop, hawser_host_env(s->e.host), &s->resolver), 0);
    s->says[V4] = v4;
    s->says[V6] = v6;
}

static void end(struct server *s)
{
    resolver_free(s->resolver);
    sd_event_source_disable_unref(s->source);
    ends_destroy(&s->e);
}

static struct lookup *look_up(struct server *s, struct caller *caller, const char *name)
{
    const struct hawser_addr nobody = {.port = 0};
    struct lookup *lookup;
    *caller = (struct caller){.user = {found}};
    assert_int_equal(resolver_look_up(s->resolver, name, &nobody, &caller->user, &lookup), 0);
    assert_int_equal(caller->told, 0);
    return lookup;
}

/* Until *count is that, however long c-ares would wait by itself. */
static void run_until(struct server *s, const unsigned *count, unsigned that)
{
    while (*count < that)
        assert_true(sd_event_run(s->e.loop, UINT64_MAX) >= 0);
    assert_int_equal(*count, that);
}

static void expect(const struct hawser_addr *addr, unsigned family, unsigned i)
{
    struct hawser_addr expected;
    assert_int_equal(hawser_addr_parse(&expected, addresses[family][i], 0), 0);
    assert_true(hawser_addr_same_ip(addr, &expected));
}

static void one_family_does_not_wait_for_the_other(void **state)
{
    (void)state;
    for (unsigned family = 0; family < FAMILIES; family++) {
        struct server s;
        struct caller caller;
        begin(&s, family == V4 ? TWO : SILENT, family == V6 ? TWO : SILENT);
        struct lookup *lookup = look_up(&s, &caller, "name.test.");
        run_until(&s, &caller.told, 1);
        assert_in_range(s.asked[!family], 1, 2); /* no question has timed out */
        assert_int_equal(caller.error, 0);
        assert_true(caller.more);
        assert_int_equal(caller.count, 2);
        expect(&caller.addrs[0], family, 0);
        expect(&caller.addrs[1], family, 1);
        lookup_cancel(lookup);
        speak(&s, !family, TWO);
        ends_run(&s.e, 20);
        assert_int_equal(caller.told, 1);
        end(&s);
    }
}

static void both_are_told_together(void **state)
{
    (void)state;
    struct server s;
    struct caller caller;
    begin(&s, TWO, TWO);
    look_up(&s, &caller, "name.test.");
    run_until(&s, &caller.told, 1);
    assert_int_equal(caller.error, 0);
    assert_false(caller.more);
    assert_int_equal(caller.count, 4);
    ends_run(&s.e, 2 * RESOLVER_PATIENCE_US / 1000);
    assert_int_equal(caller.told, 1);
    end(&s);
}

static void what_comes_late_is_told(void **state)
{
    (void)state;
    struct server s;
    struct caller caller;
    begin(&s, TWO, SILENT);
    look_up(&s, &caller, "name.test.");
    run_until(&s, &caller.told, 1);
    assert_true(caller.more);
    speak(&s, V6, TWO);
    while (caller.more)
        run_until(&s, &caller.told, caller.told + 1);
    assert_int_equal(caller.error, 0);
    assert_int_equal(caller.count, 4);
    end(&s);
}

/* The first domain that has any address counts, and so one family alone cannot tell. */
static void search_domains_are_for_both(void **state)
{
    (void)state;
    struct server s;
    struct caller caller;
    begin(&s, TWO, SILENT);
    look_up(&s, &caller, "name");
    ends_run(&s.e, 4 * RESOLVER_PATIENCE_US / 1000);
    assert_int_equal(s.asked[V4], 1);
    assert_int_equal(caller.told, 0);
    end(&s);
}

static void errors_are_told(void **state)
{
    (void)state;
    static const struct {
        enum says v4, v6;
        int error;
        unsigned count;
    } cases[] = {{NO_NAME, NO_NAME, -ENOENT, 0},
                 {NONE, NONE, -ENOENT, 0},
                 {FAILURE, FAILURE, -EREMOTEIO, 0},
                 {TWO, FAILURE, 0, 2},
                 {TWO, NO_NAME, 0, 2},
                 {TWO, NONE, 0, 2},
                 {NONE, TWO, 0, 2}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct server s;
        struct caller caller;
        begin(&s, cases[i].v4, cases[i].v6);
        look_up(&s, &caller, "name.test.");
        do /* a part is told before, where one family was slow */
            run_until(&s, &caller.told, caller.told + 1);
        while (caller.more);
        assert_int_equal(caller.error, cases[i].error);
        assert_int_equal(caller.count, cases[i].count);
        end(&s);
    }
}

/* Whoever waits for a server that is not named any more is told so, and nobody else. */
static void other_servers_may_be_named(void **state)
{
    (void)state;
    struct server s;
    struct caller caller, another, gone;
    begin(&s, SILENT, SILENT);
    look_up(&s, &caller, "name.test.");
    lookup_cancel(look_up(&s, &gone, "name.test."));
    run_until(&s, &s.asked[V6], 3);
    assert_int_equal(caller.told, 0);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, "/etc/resolv.conf", times, 0), 0);
    look_up(&s, &another, "name.test.");
    run_until(&s, &caller.told, 1);
    assert_int_equal(caller.error, -EREMOTEIO);
    assert_false(caller.more);
    assert_int_equal(another.told + gone.told, 0);
    end(&s);
}

/* What the host knows of one family, nobody else is asked for of the other one. */
static void the_hosts_file_comes_first(void **state)
{
    (void)state;
    struct server s;
    struct caller caller;
    begin(&s, TWO, TWO);
    look_up(&s, &caller, "known.test");
    run_until(&s, &caller.told, 1);
    assert_int_equal(caller.count, 1);
    expect(&caller.addrs[0], V4, 1);
    ends_run(&s.e, 2 * RESOLVER_PATIENCE_US / 1000);
    assert_int_equal(s.asked[V4] + s.asked[V6], 0);
    end(&s);
}

/* ---- who is dialled ---- */

static const struct hawser_addr client_addr = {.ip = {[10] = 0xff, 0xff, 10, 1, 0, 2}, .port = 4000};

/* A dialer below. */
struct below {
    struct dialer dialer;
    struct dial_user *users[2 * RESOLVER_ADDRESSES];
    struct hawser_addr addrs[2 * RESOLVER_ADDRESSES];
    unsigned count, cancelled;
};

static int begin_below(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                       struct dial **out)
{
    struct below *below = HW_CONTAINER(dialer, struct below, dialer);
    (void)now_ns;
    assert_true(hawser_addr_equal(&to->from, &client_addr));
    below->addrs[below->count] = to->addr;
    below->users[below->count] = user;
    *out = (struct dial *)(void *)&below->users[below->count++];
    return 0;
}

static void cancel_below(struct dialer *dialer, struct dial *dial)
{
    (void)dial;
    HW_CONTAINER(dialer, struct below, dialer)->cancelled++;
}

static void refuse(struct below *below, unsigned i)
{
    below->users[i]->answered(below->users[i], -ECONNREFUSED, (struct end){0}, 0);
}

struct client {
    struct dial_user user;
    unsigned told;
    int error;
};

static void client_answered(struct dial_user *user, int error, struct end end, uint64_t now_ns)
{
    struct client *client = HW_CONTAINER(user, struct client, user);
    (void)end;
    (void)now_ns;
    client->told++;
    client->error = error;
}

/* Of IPv6 there are none yet. */
static struct dial *dial_v4(struct server *s, struct name_dialer *dialer, struct below *below, struct client *client,
                            enum says v4)
{
    const struct destination to = {.name = "name.test.", .addr = {.port = 80}, .from = client_addr};
    struct dial *dial;
    begin(s, v4, SILENT);
    *below = (struct below){.dialer = {begin_below, cancel_below}};
    *client = (struct client){.user = {client_answered}};
    name_dialer_init(dialer, s->e.loop, s->e.host, s->resolver, &below->dialer);
    assert_int_equal(dial_begin(&dialer->dialer, &to, &client->user, 0, &dial), 0);
    run_until(s, &below->count, 1);
    expect(&below->addrs[0], V4, 0);
    return dial;
}

static void what_comes_late_is_tried_in_its_turn(void **state)
{
    (void)state;
    struct server s;
    struct name_dialer dialer;
    struct below below;
    struct client client;
    struct dial *dial = dial_v4(&s, &dialer, &below, &client, TWO);
    speak(&s, V6, TWO);
    run_until(&s, &below.count, 4);
    expect(&below.addrs[1], V6, 0);
    expect(&below.addrs[2], V4, 1);
    expect(&below.addrs[3], V6, 1);
    dial_cancel(&dialer.dialer, dial);
    assert_int_equal(below.cancelled, 4);
    assert_int_equal(client.told, 0);
    end(&s);
}

static void what_comes_late_may_be_the_only_one_that_answers(void **state)
{
    (void)state;
    struct server s;
    struct name_dialer dialer;
    struct below below;
    struct client client;
    struct dial *dial = dial_v4(&s, &dialer, &below, &client, TWO);
    refuse(&below, 0);
    refuse(&below, 1);
    ends_run(&s.e, 20);
    assert_int_equal(client.told, 0);
    speak(&s, V6, TWO);
    run_until(&s, &below.count, 3);
    expect(&below.addrs[2], V6, 0);
    dial_cancel(&dialer.dialer, dial);
    assert_int_equal(below.cancelled, 1);
    end(&s);
}

static void all_of_the_other_family_have_their_turn(void **state)
{
    (void)state;
    struct server s;
    struct name_dialer dialer;
    struct below below;
    struct client client;
    struct dial *dial = dial_v4(&s, &dialer, &below, &client, EIGHT);
    for (unsigned i = 0; i < RESOLVER_ADDRESSES; i++)
        refuse(&below, i);
    speak(&s, V6, EIGHT);
    for (unsigned i = RESOLVER_ADDRESSES; i < 2 * RESOLVER_ADDRESSES; i++) {
        run_until(&s, &below.count, i + 1);
        assert_false(hawser_addr_is_v4(&below.addrs[i]));
        if (i < 2 * RESOLVER_ADDRESSES - 1)
            refuse(&below, i);
    }
    assert_int_equal(client.told, 0);
    dial_cancel(&dialer.dialer, dial);
    end(&s);
}

/* It is not waited for until c-ares gives up. */
static void what_does_not_come_is_not_waited_for(void **state)
{
    (void)state;
    struct server s;
    struct name_dialer dialer;
    struct below below;
    struct client client;
    dial_v4(&s, &dialer, &below, &client, TWO);
    refuse(&below, 0);
    refuse(&below, 1);
    run_until(&s, &client.told, 1);
    assert_int_equal(client.error, -ECONNREFUSED);
    assert_in_range(s.asked[V6], 1, 2 * (RESOLVER_TRIES - 1));
    end(&s);
}

static bool put_over(const char *path, char *over, const char *text)
{
    int fd = mkstemp(over);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0 &&
                mount(over, path, NULL, MS_BIND, NULL) == 0;
    if (fd >= 0) {
        unlink(over);
        close(fd);
    }
    return done;
}

/* With a network and names of its own. */
static bool be_alone(void)
{
    return namespace_enter() && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           put_over("/etc/resolv.conf", resolv_conf, "nameserver 127.0.0.1\n") &&
           put_over("/etc/hosts", hosts, "192.0.2.2 known.test\n");
}

int main(void)
{
    is_alone = be_alone();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_family_does_not_wait_for_the_other),
        cmocka_unit_test(both_are_told_together),
        cmocka_unit_test(what_comes_late_is_told),
        cmocka_unit_test(search_domains_are_for_both),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(other_servers_may_be_named),
        cmocka_unit_test(the_hosts_file_comes_first),
        cmocka_unit_test(what_comes_late_is_tried_in_its_turn),
        cmocka_unit_test(what_comes_late_may_be_the_only_one_that_answers),
        cmocka_unit_test(all_of_the_other_family_have_their_turn),
        cmocka_unit_test(what_does_not_come_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
