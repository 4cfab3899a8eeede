/* The control socket (apps/service/control.h), asked by good peers and bad ones. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/control.h"
#include "service/control_socket.h"

enum { PEERS = 20 };

struct fixture {
    char directory[32], path[64], why[512];
    sd_event *loop;
    struct control control;
    struct control_peer *waiting;
    struct control_watch watch, another;
    unsigned gone, gone_too, descriptors_before;
    int kept;
};

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static enum control_verdict hello(void *user, struct control_request *request, json_t *answer)
{
    (void)user;
    json_object_set_new(answer, "descriptors", json_integer((json_int_t)request->descriptor_count));
    return CONTROL_DONE;
}

static enum control_verdict keep(void *user, struct control_request *request, json_t *answer)
{
    struct fixture *f = user;
    (void)answer;
    if (request->descriptor_count != 1)
        return control_refuse(request, "one descriptor is needed, not %zu", request->descriptor_count);
    f->kept = request->descriptors[0];
    request->descriptors[0] = -1;
    return CONTROL_DONE;
}

static void gone(struct control_watch *watch) { HW_CONTAINER(watch, struct fixture, watch)->gone++; }

static void gone_too(struct control_watch *watch) { HW_CONTAINER(watch, struct fixture, another)->gone_too++; }

static enum control_verdict later(void *user, struct control_request *request, json_t *answer)
{
    struct fixture *f = user;
    (void)answer;
    f->waiting = request->peer;
    control_watch(request->peer, &f->watch);
    control_watch(request->peer, &f->another);
    control_unwatch(&f->watch);
    control_watch(request->peer, &f->watch);
    return CONTROL_LATER;
}

static enum control_verdict large(void *user, struct control_request *request, json_t *answer)
{
    char *text = calloc(1, CONTROL_MESSAGE_MAX + 1);
    (void)user;
    (void)request;
    assert_non_null(text);
    memset(text, 'x', CONTROL_MESSAGE_MAX);
    json_object_set_new(answer, "text", json_string(text));
    free(text);
    return CONTROL_DONE;
}

static void set_up(struct fixture *f)
{
    const struct control_verb verbs[] = {{.name = "hello", .owner_only = true, .run = hello},
                                         {.name = "keep", .run = keep, .user = f},
                                         {.name = "large", .run = large},
                                         {.name = "later", .run = later, .user = f}};
    *f = (struct fixture){
        .directory = "/tmp/hawser-test-XXXXXX", .watch = {.gone = gone}, .another = {.gone = gone_too}, .kept = -1};
    f->descriptors_before = open_descriptors();
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/control", f->directory);
    assert_true(sd_event_new(&f->loop) >= 0);
    int fd = control_listen(f->path, NULL, f->why, sizeof f->why);
    assert_true(fd >= 0);
    assert_int_equal(control_open(&f->control, f->loop, fd), 0);
    for (size_t i = 0; i < HW_ARRAY_LEN(verbs); i++)
        assert_int_equal(control_add_verb(&f->control, &verbs[i]), 0);
}

static void tear_down(struct fixture *f)
{
    control_close(&f->control);
    control_unlink(f->path);
    sd_event_unref(f->loop);
    assert_int_equal(rmdir(f->directory), 0);
    assert_int_equal(open_descriptors(), f->descriptors_before);
}

static void settle(struct fixture *f)
{
    for (unsigned rounds = 0; sd_event_run(f->loop, 0) > 0; rounds++)
        assert_true(rounds < 10000);
}

static int come(struct fixture *f)
{
    int fd = control_connect(f->path, f->why, sizeof f->why);
    assert_true(fd >= 0);
    return fd;
}

/* What is answered to these bytes with `count` descriptors, all the same one; NULL: nothing is. */
static json_t *said(struct fixture *f, int fd, const void *bytes, size_t len, size_t count)
{
    static char buffer[2 * CONTROL_MESSAGE_MAX];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } ancillary = {.bytes = {0}};
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &ancillary;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        for (size_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){STDERR_FILENO}, sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), len);
    settle(f);
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0)
        return NULL;
    assert_in_range(n, 1, CONTROL_MESSAGE_MAX);
    json_t *answer = json_loadb(buffer, (size_t)n, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(answer, "hawser")), 1);
    assert_true(json_is_boolean(json_object_get(answer, "ok")));
    return answer;
}

static void expect(struct fixture *f, int fd, const char *text, const char *error)
{
    json_t *answer = said(f, fd, text, strlen(text), 0);
    assert_non_null(answer);
    assert_int_equal(json_is_true(json_object_get(answer, "ok")), error == NULL);
    if (error && !strstr(json_string_value(json_object_get(answer, "error")), error))
        fail_msg("%s: %s", text, json_string_value(json_object_get(answer, "error")));
    json_decref(answer);
}

static void asks_are_answered(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    int fd = come(&f), other = come(&f);
    expect(&f, fd, "{\"hawser\":1,\"do\":\"hello\"}", NULL);
    expect(&f, other, "{\"do\":\"hello\",\"hawser\":1,\"more\":[1,2]}", NULL);
    expect(&f, fd, "{\"hawser\":1,\"do\":\"large\"}", "too large");
    assert_int_equal(f.control.counts.requests, 3);
    assert_int_equal(f.control.peer_count, 2);
    close(fd);
    settle(&f);
    assert_int_equal(f.control.peer_count, 1);
    close(other);
    tear_down(&f);
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"x", "object"},
        {"\xff\xfe", "object"},
        {"\"down\"", "object"},
        {"[1]", "object"},
        {"{\"hawser\":1,\"do\":\"hello\"", "object"},
        {"{\"hawser\":1,\"do\":\"hello\"} x", "object"},
        {"{\"hawser\":1,\"hawser\":1,\"do\":\"hello\"}", "object"},
        {"{}", "version"},
        {"{\"hawser\":2,\"do\":\"hello\"}", "speaks 1"},
        {"{\"hawser\":\"1\",\"do\":\"hello\"}", "version"},
        {"{\"hawser\":1e0,\"do\":\"hello\"}", "version"},
        {"{\"hawser\":1}", "missing"},
        {"{\"hawser\":1,\"do\":null}", "missing"},
        {"{\"hawser\":1,\"do\":\"\"}", "nothing that"},
        {"{\"hawser\":1,\"do\":\"hello \"}", "nothing that"},
        {"{\"hawser\":1,\"do\":\"\\u0000\"}", "object"},
    };
    struct fixture f;
    static char deep[CONTROL_MESSAGE_MAX + 1];
    (void)state;
    set_up(&f);
    int fd = come(&f);
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++)
        expect(&f, fd, bad[i][0], bad[i][1]);
    memset(deep, '[', sizeof deep - 1);
    expect(&f, fd, deep, "object");
    assert_int_equal(f.control.counts.nonsense, HW_ARRAY_LEN(bad) + 1);
    assert_int_equal(f.control.counts.requests, 0);
    expect(&f, fd, "{\"hawser\":1,\"do\":\"hello\"}", NULL);
    close(fd);
    tear_down(&f);
}

/* A record of the largest size is read; a larger one is refused, and cut off nowhere. */
static void sizes_are_bounded(void **state)
{
    static char text[CONTROL_MESSAGE_MAX + 1];
    static const char request[] = "{\"hawser\":1,\"do\":\"hello\"}";
    struct fixture f;
    (void)state;
    set_up(&f);
    int fd = come(&f);
    memset(text, ' ', sizeof text);
    memcpy(text, request, sizeof request - 1);
    json_t *answer = said(&f, fd, text, CONTROL_MESSAGE_MAX, 0);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    answer = said(&f, fd, text, CONTROL_MESSAGE_MAX + 1, 4);
    assert_string_equal(json_string_value(json_object_get(answer, "error")), "a request has at most 65536 bytes");
    json_decref(answer);
    close(fd);
    tear_down(&f);
}

static void descriptors_are_kept_or_closed(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"hello\"}", keeping[] = "{\"hawser\":1,\"do\":\"keep\"}";
    struct fixture f;
    (void)state;
    set_up(&f);
    int fd = come(&f);
    settle(&f);
    unsigned before = open_descriptors();
    for (size_t count = 0; count <= 12; count++) {
        json_t *answer = said(&f, fd, request, sizeof request - 1, count);
        if (count <= CONTROL_DESCRIPTORS)
            assert_int_equal(json_integer_value(json_object_get(answer, "descriptors")), count);
        else
            assert_string_equal(json_string_value(json_object_get(answer, "error")), "at most four descriptors");
        json_decref(answer);
        assert_int_equal(open_descriptors(), before);
    }
    json_decref(said(&f, fd, "x", 1, 3));
    assert_int_equal(open_descriptors(), before);
    json_decref(said(&f, fd, keeping, sizeof keeping - 1, 2));
    assert_int_equal(f.kept, -1);
    json_decref(said(&f, fd, keeping, sizeof keeping - 1, 1));
    assert_true(fcntl(f.kept, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(close(f.kept), 0);
    assert_int_equal(open_descriptors(), before);
    close(fd);
    tear_down(&f);
}

/* It asks and asks. What it is told fills its socket, and then it is dropped; others do not notice. */
static void who_does_not_read_is_dropped(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"no such thing\"}";
    struct fixture f;
    (void)state;
    set_up(&f);
    int deaf = come(&f), fd = come(&f);
    for (unsigned i = 0; f.control.counts.did_not_read == 0; i++) {
        assert_true(i < CONTROL_REQUESTS_PER_S);
        send(deaf, request, sizeof request - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        settle(&f);
    }
    assert_int_equal(f.control.peer_count, 1);
    expect(&f, fd, "{\"hawser\":1,\"do\":\"hello\"}", NULL);
    close(deaf);
    close(fd);
    tear_down(&f);
}

/* More than so many requests a second have to wait, while others are served. */
static void who_asks_too_often_waits(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"hello\"}";
    char answer[200];
    struct fixture f;
    unsigned count = 0;
    (void)state;
    set_up(&f);
    int busy = come(&f), fd = come(&f);
    for (; count <= CONTROL_REQUESTS_PER_S; count++) {
        assert_true(send(busy, request, sizeof request - 1, 0) > 0);
        settle(&f);
        if (recv(busy, answer, sizeof answer, MSG_DONTWAIT) < 0)
            break;
    }
    assert_in_range(count, CONTROL_REQUESTS_PER_S / 2, CONTROL_REQUESTS_PER_S);
    expect(&f, fd, request, NULL);
    for (unsigned i = 0; i < 2000 && recv(busy, answer, sizeof answer, MSG_DONTWAIT) < 0; i++)
        sd_event_run(f.loop, 1000); /* until its turn comes */
    assert_int_equal(f.control.counts.requests, count + 2);
    close(busy);
    close(fd);
    tear_down(&f);
}

/* They hear it, whether or not they have asked something yet. */
static void crowds_are_turned_away(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"hello\"}";
    int peers[PEERS];
    char answer[200];
    struct fixture f;
    unsigned served = 0;
    struct rlimit limit, less;
    (void)state;
    set_up(&f);
    for (unsigned i = 0; i < PEERS; i++) {
        peers[i] = come(&f);
        if (i >= PEERS / 2)
            assert_true(send(peers[i], request, sizeof request - 1, 0) > 0);
    }
    int next = dup(STDERR_FILENO);
    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    less = (struct rlimit){(rlim_t)next + 3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &less);
    settle(&f);
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < PEERS; i++) {
        ssize_t n = recv(peers[i], answer, sizeof answer - 1, MSG_DONTWAIT);
        bool waits = n < 0 && errno == EAGAIN;
        answer[n > 0 ? n : 0] = '\0';
        assert_true(waits || strstr(answer, "too many connections"));
        served += waits;
        close(peers[i]);
    }
    assert_int_equal(served, f.control.peer_count);
    assert_in_range(served, 1, 3);
    assert_int_equal(f.control.counts.crowded_out, PEERS - served);
    settle(&f);
    assert_int_equal(f.control.peer_count, 0);
    tear_down(&f);
}

static void answers_may_come_later(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"later\"}", hello_too[] = "{\"hawser\":1,\"do\":\"hello\"}";
    char bytes[200];
    struct fixture f;
    (void)state;
    set_up(&f);
    int fd = come(&f);
    assert_null(said(&f, fd, request, sizeof request - 1, 0));
    assert_null(said(&f, fd, hello_too, sizeof hello_too - 1, 0)); /* has to wait */
    control_answer(f.waiting, json_pack("{s:i}", "number", 5), NULL, -1);
    assert_true(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(bytes, "\"number\":5"));
    control_unwatch(&f.watch); /* it will watch anew */
    control_unwatch(&f.another);
    settle(&f);
    assert_true(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
    assert_null(said(&f, fd, request, sizeof request - 1, 0));
    control_answer(f.waiting, NULL, "no", -1);
    assert_true(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(bytes, "\"error\":\"no\""));
    assert_int_equal(f.gone, 0);
    close(fd);
    tear_down(&f);
}

/* While it waits, or not; by its end or by ours. */
static void hang_ups_are_heard(void **state)
{
    static const char request[] = "{\"hawser\":1,\"do\":\"later\"}";
    struct fixture f;
    (void)state;
    set_up(&f);
    int fd = come(&f);
    assert_null(said(&f, fd, request, sizeof request - 1, 0));
    close(fd);
    settle(&f);
    assert_int_equal(f.gone, 1);
    fd = come(&f);
    assert_null(said(&f, fd, request, sizeof request - 1, 0));
    control_answer(f.waiting, NULL, NULL, -1);
    shutdown(fd, SHUT_WR);
    settle(&f);
    assert_int_equal(f.gone, 2);
    close(fd);
    fd = come(&f);
    assert_null(said(&f, fd, request, sizeof request - 1, 0));
    control_close(&f.control);
    assert_int_equal(f.gone, 3);
    assert_int_equal(f.gone_too, 3);
    close(fd);
    tear_down(&f);
}

static void expect_no_socket(struct fixture *f, const char *path, const char *group, int error, const char *why)
{
    assert_int_equal(control_listen(path, group, f->why, sizeof f->why), error);
    if (!strstr(f->why, why))
        fail_msg("%s", f->why);
}

static void places_are_checked(void **state)
{
    char path[200];
    struct fixture f;
    struct stat st;
    (void)state;
    set_up(&f);
    assert_int_equal(stat(f.path, &st), 0);
    assert_true((st.st_mode & 0777) == 0600 || (st.st_mode & 0777) == 0660);
    expect_no_socket(&f, f.path, NULL, -EADDRINUSE, "answers at");
    snprintf(path, sizeof path, "%s/file", f.directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    expect_no_socket(&f, path, NULL, -EADDRINUSE, "no socket");
    assert_int_equal(stat(path, &st), 0);
    unlink(path);
    expect_no_socket(&f, path, "no-such-group", -ENOENT, "groupadd");
    assert_int_equal(stat(path, &st), -1);
    snprintf(path, sizeof path, "%s/not/there", f.directory);
    assert_int_equal(control_connect(path, f.why, sizeof f.why), -ENOENT);
    assert_non_null(strstr(f.why, "hawser up"));
    expect_no_socket(&f, path, NULL, -ENOENT, "its directory is missing");
    memset(path, 'x', 150);
    path[150] = '\0';
    expect_no_socket(&f, path, NULL, -EINVAL, "1 to 107");
    expect_no_socket(&f, "", NULL, -EINVAL, "1 to 107");
    assert_int_equal(control_connect(path, f.why, sizeof f.why), -EINVAL);
    assert_true(control_is_none("none") && !control_is_none("./none"));
    assert_int_equal(control_connect("none", f.why, sizeof f.why), -ENOENT);
    assert_non_null(strstr(f.why, "says \"none\": a service without a socket cannot be asked"));
    tear_down(&f);
}

/* The socket of a service that was killed is replaced; its clients hear that nobody is there. */
static void leftovers_are_replaced(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    control_close(&f.control);
    assert_int_equal(control_connect(f.path, f.why, sizeof f.why), -ECONNREFUSED);
    assert_non_null(strstr(f.why, "hawser up"));
    int fd = control_listen(f.path, NULL, f.why, sizeof f.why);
    assert_true(fd >= 0);
    assert_int_equal(control_open(&f.control, f.loop, fd), 0);
    fd = come(&f);
    expect(&f, fd, "{\"hawser\":1,\"do\":\"hello\"}", "nothing that");
    close(fd);
    tear_down(&f);
}

/* The other side of it. */
static void clients_ask(void **state)
{
    int pair[2];
    char why[200], bytes[300];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    const char good[] = "{\"hawser\":1,\"ok\":true,\"x\":1}", bad[] = "{\"ok\":false,\"error\":\"a\\nb\\u001b\"}";
    assert_int_equal(send(pair[1], good, strlen(good), 0), strlen(good));
    json_t *answer = control_ask(pair[0], json_pack("{s:s}", "do", "x"), NULL, why, sizeof why);
    assert_int_equal(json_integer_value(json_object_get(answer, "x")), 1);
    json_decref(answer);
    ssize_t n = recv(pair[1], bytes, sizeof bytes - 1, 0);
    bytes[n > 0 ? n : 0] = '\0';
    assert_string_equal(bytes, "{\"do\":\"x\",\"hawser\":1}");
    assert_int_equal(send(pair[1], bad, strlen(bad), 0), strlen(bad));
    assert_null(control_ask(pair[0], json_object(), NULL, why, sizeof why));
    assert_string_equal(why, "a b ");
    assert_int_equal(send(pair[1], "[", 1, 0), 1);
    assert_null(control_ask(pair[0], json_object(), NULL, why, sizeof why));
    assert_non_null(strstr(why, "no sense"));
    close(pair[1]);
    assert_null(control_ask(pair[0], json_object(), NULL, why, sizeof why));
    assert_non_null(strstr(why, "ended"));
    close(pair[0]);
}

/* Whoever is asked reads, but says nothing; or does not read, either. */
static void clients_have_a_limit_of_patience(void **state)
{
    int pair[2];
    char why[200], expected[200];
    const struct timeval soon = {.tv_usec = 20000};
    (void)state;
    snprintf(expected, sizeof expected, "the service (process %d) does not answer: kill -9 %d, then hawser up",
             getpid(), getpid());
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(control_process(pair[0]), getpid());
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon), 0);
    assert_null(control_ask(pair[0], json_object(), NULL, why, sizeof why));
    assert_string_equal(why, expected);
    while (send(pair[0], "x", 1, MSG_DONTWAIT) == 1)
        ;
    why[0] = '\0';
    assert_null(control_ask(pair[0], json_object(), NULL, why, sizeof why));
    assert_string_equal(why, expected);
    close(pair[0]);
    close(pair[1]);
}

/* Of whom control_connect() returns. */
static void connections_wait_for_15_seconds(void **state)
{
    struct fixture f;
    struct timeval receive, transmit;
    socklen_t len = sizeof receive;
    (void)state;
    set_up(&f);
    int fd = come(&f);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, &len), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &transmit, &len), 0);
    assert_int_equal(receive.tv_sec, 15);
    assert_int_equal(transmit.tv_sec, 15);
    assert_int_equal(control_process(fd), getpid());
    close(fd);
    settle(&f);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_are_answered),
        cmocka_unit_test(clients_have_a_limit_of_patience),
        cmocka_unit_test(connections_wait_for_15_seconds),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(descriptors_are_kept_or_closed),
        cmocka_unit_test(who_does_not_read_is_dropped),
        cmocka_unit_test(who_asks_too_often_waits),
        cmocka_unit_test(crowds_are_turned_away),
        cmocka_unit_test(answers_may_come_later),
        cmocka_unit_test(hang_ups_are_heard),
        cmocka_unit_test(places_are_checked),
        cmocka_unit_test(leftovers_are_replaced),
        cmocka_unit_test(clients_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
