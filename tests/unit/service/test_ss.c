/* What the service tells of connections (apps/service/ss.h, ss_tell.h). */
#include <stdio.h>

#include "service/control_socket.h"
#include "service/ends.h"
#include "service/kernel_paths.h"
#include "service/proxies.h"
#include "service/relay.h"
#include "service/ss.h"
#include "service/ss_tell.h"

enum { INNER_HOST = 2, OUTER_HOST = 3, MPTCP = 262 };

struct fixture {
    struct ends e;
    struct service service;
    int inner, outer; /* the far sides of a joint of sockets */
    char inner_text[HAWSER_ADDR_STRLEN], outer_text[HAWSER_ADDR_STRLEN];
};

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    ends_init(&f->e);
    f->service.loop = f->e.loop;
    f->service.host = f->e.host;
    list_init(&f->service.doors);
    list_init(&f->service.parts);
    joints_init(&f->service.joints);
    choice_init(&f->service.choice);
}

static void tear_down(struct fixture *f)
{
    joints_break(&f->service.joints);
    close(f->inner);
    close(f->outer);
    ends_destroy(&f->e);
}

static struct end socket_from(struct fixture *f, unsigned host, int *other, char text[HAWSER_ADDR_STRLEN])
{
    struct hawser_addr addr;
    struct end end = tcp_end_from(&f->e, host, other);
    end_peer(end, &addr);
    hawser_addr_format(&addr, text, HAWSER_ADDR_STRLEN);
    return end;
}

/* Of two sockets that came together in this way. */
static json_t *told(struct fixture *f, const struct joint_origin *origin)
{
    struct end inner = socket_from(f, INNER_HOST, &f->inner, f->inner_text);
    struct end outer = socket_from(f, OUTER_HOST, &f->outer, f->outer_text);
    assert_int_equal(joint_make(&f->service.joints, inner, outer, origin, hawser_host_now(f->e.host)), 0);
    json_t *told = ss_tell(&f->service, LIST_ENTRY(list_first(&f->service.joints.all), struct joint, link));
    assert_int_equal(json_integer_value(json_object_get(told, "id")), 1);
    assert_in_range(json_integer_value(json_object_get(told, "age_ms")), 0, 60 * 1000);
    return told;
}

/* NULL: there is no such member. */
static void expect(const json_t *told, const char *key, const char *text)
{
    const json_t *value = json_object_get(told, key);
    if (!text)
        assert_null(value);
    else if (!value)
        fail_msg("%s is missing", key);
    else
        assert_string_equal(json_string_value(value), text);
}

static void who_opened_it_is_the_client(void **state)
{
    static const struct {
        struct joint_origin origin;
        const char *door;
        bool from_outside;
    } table[] = {
        {{.way = JOINT_BY_SOCKS, .port = "127.0.0.1:1080"}, "SOCKS 127.0.0.1:1080", false},
        {{.way = JOINT_BY_CONNECT, .port = "[::1]:3128"}, "CONNECT [::1]:3128", false},
        {{.way = JOINT_BY_PORT, .published = 8080}, "published 8080", true},
        {{.way = JOINT_BY_UPSTREAM, .port = "0.0.0.0:8443"}, "upstream 0.0.0.0:8443", true},
        {{.way = JOINT_BY_LINK}, NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct fixture f;
        set_up(&f);
        json_t *one = told(&f, &table[i].origin);
        expect(one, "door", table[i].door);
        expect(one, "client", table[i].from_outside ? f.outer_text : f.inner_text);
        expect(one, "destination", table[i].from_outside ? f.inner_text : f.outer_text);
        expect(one, "address", NULL);
        expect(one, "upstream", NULL);
        json_decref(one);
        tear_down(&f);
    }
}

static void names_are_told(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    json_t *one = told(&f, &(struct joint_origin){
                               .way = JOINT_BY_SOCKS, .port = "127.0.0.1:1080", .asked = strdup("site.example:80")});
    expect(one, "client", f.inner_text);
    expect(one, "destination", "site.example:80");
    expect(one, "address", f.outer_text);
    json_decref(one);
    tear_down(&f);
}

static void use_upstream(struct fixture *f)
{
    char path[] = "/tmp/hawser-test-XXXXXX", why[200];
    struct proxies *proxies;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(write(fd, "a", 1), 1);
    close(fd);
    assert_int_equal(proxies_new(&f->service, &proxies), 0);
    const struct upstream_words words = {.server = "far.example:8443", .key = path};
    assert_int_equal(proxies_use_upstream(proxies, &words, why, sizeof why), 0);
    unlink(path);
}

/* The site, and what leads there: not for those who come in. */
static void upstreams_are_told(void **state)
{
    static const struct {
        struct joint_origin origin;
        const char *asked, *upstream;
    } table[] = {
        {{.way = JOINT_BY_CONNECT}, "site.example:80", "far.example:8443"},
        {{.way = JOINT_BY_SOCKS}, "192.0.2.1:80", "far.example:8443"},
        {{.way = JOINT_BY_PORT}, NULL, NULL},
        {{.way = JOINT_BY_UPSTREAM}, "site.example:80", NULL},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct fixture f;
        set_up(&f);
        use_upstream(&f);
        struct joint_origin origin = table[i].origin;
        origin.asked = table[i].asked ? strdup(table[i].asked) : NULL;
        json_t *one = told(&f, &origin);
        expect(one, "destination", table[i].asked ? table[i].asked : f.inner_text);
        expect(one, "upstream", table[i].upstream);
        expect(one, "address", table[i].origin.way == JOINT_BY_UPSTREAM ? f.inner_text : NULL);
        json_decref(one);
        joints_break(&f.service.joints);
        struct service_part *part = LIST_ENTRY(list_first(&f.service.parts), struct service_part, link);
        part->stop(part);
        tear_down(&f);
    }
}

/* By its link; without a name, the address that was called is the destination. */
static void doors_are_told(void **state)
{
    struct fixture f;
    struct relay r;
    (void)state;
    set_up(&f);
    relay_init(&r, true, NULL, NULL);
    struct line line = relay_line(&r, NULL);
    char name[] = "lan0";
    struct service_door door = {.name = name, .link_index = NEAR_LINK};
    struct hawser_addr client;
    char text[HAWSER_ADDR_STRLEN];
    list_push_back(&f.service.doors, &door.link);
    hawser_conn_local(line.client, &client);
    json_t *one = ss_tell(&f.service, LIST_ENTRY(list_first(&r.joints.all), struct joint, link));
    expect(one, "door", "lan0");
    expect(one, "client", hawser_addr_format(&client, text, sizeof text));
    expect(one, "destination", "10.2.0.2:80");
    assert_true(json_is_true(json_object_get(one, "mptcp")));
    const json_t *path = json_array_get(json_object_get(one, "subflows"), 0);
    assert_int_equal(json_array_size(json_object_get(one, "subflows")), 1);
    expect(path, "remote", "10.2.0.2:80");
    expect(path, "state", "ESTABLISHED");
    static const char *const numbers[] = {"rtt_us", "rtt_min_us", "cwnd_bytes", "peer_window_bytes", "rate_bps"};
    for (size_t i = 0; i < HW_ARRAY_LEN(numbers); i++)
        assert_true(json_integer_value(json_object_get(path, numbers[i])) > 0);
    json_decref(one);
    use_upstream(&f);
    one = ss_tell(&f.service, LIST_ENTRY(list_first(&r.joints.all), struct joint, link));
    expect(one, "destination", "10.2.0.2:80");
    expect(one, "upstream", "far.example:8443");
    json_decref(one);
    struct service_part *part = LIST_ENTRY(list_first(&f.service.parts), struct service_part, link);
    part->stop(part);
    list_remove(&door.link);
    relay_destroy(&r);
    f.inner = f.outer = -1;
    tear_down(&f);
}

static void expect_address(int fd, int (*of)(int, struct sockaddr *, socklen_t *), const struct hawser_addr *found)
{
    struct sockaddr_in addr;
    char ip[INET_ADDRSTRLEN], text[HAWSER_ADDR_STRLEN], expected[HAWSER_ADDR_STRLEN];
    socklen_t len = sizeof addr;
    assert_int_equal(of(fd, (struct sockaddr *)&addr, &len), 0);
    snprintf(expected, sizeof expected, "%s:%u", inet_ntop(AF_INET, &addr.sin_addr, ip, sizeof ip),
             ntohs(addr.sin_port));
    assert_string_equal(hawser_addr_format(found, text, sizeof text), expected);
}

/* Seven bytes came, eleven left. */
static void check_kernel(int protocol)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct kernel_paths paths;
    socklen_t len = sizeof addr;
    char bytes[16];
    int listener = socket(AF_INET, SOCK_STREAM, protocol), client = socket(AF_INET, SOCK_STREAM, protocol);
    if (listener < 0)
        return; /* this kernel has no Multipath TCP */
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof addr), 0);
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(send(client, "seven b", 7, 0), 7);
    assert_int_equal(recv(fd, bytes, 7, MSG_WAITALL), 7);
    assert_int_equal(send(fd, "eleven byte", 11, 0), 11);
    assert_int_equal(recv(client, bytes, 11, MSG_WAITALL), 11);
    assert_int_equal(kernel_paths_read(fd, &paths), 0);
    assert_int_equal(paths.mptcp, protocol == MPTCP);
    assert_int_equal(paths.count, 1);
    assert_string_equal(paths.at[0].state, "ESTABLISHED");
    assert_int_equal(paths.at[0].recv_bytes, 7);
    assert_int_equal(paths.at[0].sent_bytes, 11);
    assert_int_equal(paths.at[0].retransmitted_bytes, 0);
    assert_true(paths.at[0].srtt_ns > 0 && paths.at[0].cwnd_bytes > 0 && paths.at[0].peer_window_bytes > 0);
    expect_address(fd, getsockname, &paths.at[0].local);
    expect_address(fd, getpeername, &paths.at[0].remote);
    close(fd);
    close(client);
    close(listener);
}

static void paths_of_the_kernel(void **state)
{
    struct kernel_paths paths;
    int fds[2];
    (void)state;
    check_kernel(IPPROTO_TCP);
    check_kernel(MPTCP);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(kernel_paths_read(fds[0], &paths) < 0);
    close(fds[0]);
    close(fds[1]);
    tcp_pair(fds);
    reset(fds[1]);
    assert_int_equal(kernel_paths_read(fds[0], &paths), 0);
    assert_int_equal(paths.count, 0);
    close(fds[0]);
}

/* The next page's size, and whether there is another one. */
static size_t next_page(struct fixture *f, int fd, bool more, bool *again)
{
    static char buffer[CONTROL_MESSAGE_MAX];
    const char *request = more ? "{\"hawser\":1,\"do\":\"ss\",\"more\":true}" : "{\"hawser\":1,\"do\":\"ss\"}";
    assert_true(send(fd, request, strlen(request), 0) > 0);
    ends_run(&f->e, 2);
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    assert_true(n > 0);
    json_t *answer = json_loadb(buffer, (size_t)n, 0, NULL);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    size_t count = json_array_size(json_object_get(answer, "connections"));
    *again = json_is_true(json_object_get(answer, "more"));
    json_decref(answer);
    return count;
}

static void join_two(struct fixture *f, int others[2])
{
    struct end inner = tcp_end(&f->e, &others[0]), outer = tcp_end(&f->e, &others[1]);
    assert_int_equal(joint_make(&f->service.joints, inner, outer, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
}

/* However many come meanwhile: those of the beginning are listed. */
static void expect_end(struct fixture *f, int fd)
{
    const unsigned count = f->service.joints.count;
    int others[2];
    bool more = false;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(next_page(f, fd, i > 0, &more), 1);
        assert_int_equal(more, i + 1 < count);
        join_two(f, others);
        close(others[0]);
        close(others[1]);
    }
}

/* As many as there is room for in a page; where there is none for two, one by one. */
static void pages_are_bounded(void **state)
{
    enum { COUNT = SS_CONNECTIONS + 2 };
    struct fixture f;
    struct ss ss;
    char directory[] = "/tmp/hawser-test-XXXXXX", path[64], why[200];
    int others[COUNT][2];
    bool more;
    (void)state;
    set_up(&f);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/control", directory);
    int listener = control_listen(path, NULL, why, sizeof why);
    assert_true(listener >= 0);
    assert_int_equal(control_open(&f.service.control, f.e.loop, listener), 0);
    assert_int_equal(ss_add_verb(&ss, &f.service), 0);
    for (unsigned i = 0; i < COUNT; i++)
        join_two(&f, others[i]);
    int fd = control_connect(path, why, sizeof why);
    assert_true(fd >= 0);
    assert_int_equal(next_page(&f, fd, false, &more), SS_CONNECTIONS);
    assert_true(more);
    assert_int_equal(next_page(&f, fd, true, &more), COUNT - SS_CONNECTIONS);
    assert_false(more);
    ss.page_bytes = 1;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(next_page(&f, fd, i > 0, &more), 1);
        assert_int_equal(more, i + 1 < COUNT);
    }
    expect_end(&f, fd);
    close(fd);
    control_close(&f.service.control);
    control_unlink(path);
    rmdir(directory);
    joints_break(&f.service.joints);
    for (unsigned i = 0; i < COUNT; i++) {
        close(others[i][0]);
        close(others[i][1]);
    }
    f.inner = f.outer = -1;
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_opened_it_is_the_client), cmocka_unit_test(names_are_told),
        cmocka_unit_test(upstreams_are_told),          cmocka_unit_test(doors_are_told),
        cmocka_unit_test(paths_of_the_kernel),         cmocka_unit_test(pages_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
