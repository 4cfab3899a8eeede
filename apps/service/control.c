#include "service/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/units.h"

struct control_peer {
    struct control *control;
    struct list link; /* of all peers */
    sd_event_source *source;
    int fd;
    struct ucred who;
    struct list watches;
};

enum control_verdict control_refuse(struct control_request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(request->why, sizeof request->why, format, args);
    va_end(args);
    return CONTROL_REFUSED;
}

void control_watch(struct control_peer *peer, struct control_watch *watch)
{
    list_push_back(&peer->watches, &watch->link);
}

void control_unwatch(struct control_watch *watch) { list_remove(&watch->link); }

void control_drop(struct control_peer *peer)
{
    list_remove(&peer->link);
    peer->control->peer_count--;
    sd_event_source_disable_unref(peer->source);
    close(peer->fd);
    for (struct list *it; (it = list_first(&peer->watches));) {
        struct control_watch *watch = LIST_ENTRY(it, struct control_watch, link);
        control_unwatch(watch);
        watch->gone(watch);
    }
    free(peer);
}

static ssize_t send_record(int fd, const char *text, size_t len, int passed)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } ancillary = {.bytes = {0}};
    struct iovec iov = {(void *)(uintptr_t)text, len};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = &ancillary;
        message.msg_controllen = sizeof ancillary;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof passed), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &passed, sizeof passed);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* As a record, or not at all. `answer` is taken over. Returns whether it was sent. */
static bool send_answer(int fd, json_t *answer, const char *why, int passed)
{
    static const char too_large[] = "{\"hawser\":1,\"ok\":false,\"error\":\"the answer is too large\"}";
    json_t *all = why ? json_pack("{s:i,s:b,s:s}", "hawser", CONTROL_VERSION, "ok", 0, "error", why)
                      : json_pack("{s:i,s:b}", "hawser", CONTROL_VERSION, "ok", 1);
    if (!why && all && answer)
        json_object_update(all, answer);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    ssize_t sent = len == 0 || len > CONTROL_MESSAGE_MAX ? send_record(fd, too_large, sizeof too_large - 1, -1)
                                                         : send_record(fd, text, len, passed);
    free(text);
    json_decref(all);
    json_decref(answer);
    return sent > 0;
}

static void answer_peer(struct control_peer *peer, json_t *answer, const char *why, int passed)
{
    if (send_answer(peer->fd, answer, why, passed))
        return;
    peer->control->counts.did_not_read++;
    control_drop(peer);
}

void control_answer(struct control_peer *peer, json_t *answer, const char *why, int passed)
{
    sd_event_source_set_io_events(peer->source, EPOLLIN);
    answer_peer(peer, answer, why, passed);
    if (passed >= 0)
        close(passed);
}

static const struct control_verb *find_verb(const struct control *control, const char *name)
{
    for (size_t i = 0; i < control->verb_count; i++) {
        if (strcmp(control->verbs[i].name, name) == 0)
            return &control->verbs[i];
    }
    return NULL;
}

static bool owns_service(const struct ucred *who) { return who->uid == 0 || who->uid == geteuid(); }

/* What the verb says, or what is wrong with the request. */
static enum control_verdict obey(struct control *control, struct control_request *request, json_t *answer)
{
    const json_t *version = json_object_get(request->body, "hawser");
    const char *name = json_string_value(json_object_get(request->body, "do"));
    const struct control_verb *verb = name ? find_verb(control, name) : NULL;
    control->counts.nonsense++;
    if (!json_is_object(request->body))
        return control_refuse(request, "a request is a JSON object, such as {\"hawser\": 1, \"do\": \"status\"}");
    if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION)
        return control_refuse(request, "\"hawser\" is the version of the protocol: this service speaks %d",
                              CONTROL_VERSION);
    if (!name)
        return control_refuse(request, "\"do\" is missing: what is to be done, such as \"status\"");
    if (!verb)
        return control_refuse(request, "\"do\" is nothing that this service can do: it may be older than who asks");
    if (verb->owner_only && !owns_service(&request->from))
        return control_refuse(request, "\"%s\" is for root, and for the user that the service runs as", name);
    control->counts.nonsense--;
    control->counts.requests++;
    return verb->run(verb->user, request, answer);
}

static void close_descriptors(struct control_request *request)
{
    for (size_t i = 0; i < request->descriptor_count; i++) {
        if (request->descriptors[i] >= 0)
            close(request->descriptors[i]);
    }
    if (request->passed >= 0)
        close(request->passed);
}

static void serve_request(struct control_peer *peer, struct control_request *request)
{
    json_t *answer = json_object();
    /* Nobody else can name the peer before the verdict but who puts the answer off. */
    switch (obey(peer->control, request, answer)) {
    case CONTROL_DONE:
        answer_peer(peer, answer, NULL, request->passed);
        break;
    case CONTROL_REFUSED:
        answer_peer(peer, answer, request->why, -1);
        break;
    case CONTROL_LATER:
        json_decref(answer);
        sd_event_source_set_io_events(peer->source, 0); /* a hang-up is heard nevertheless */
        break;
    }
}

static void take_descriptors(struct control_request *request, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        request->descriptor_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(request->descriptors, CMSG_DATA(c), request->descriptor_count * sizeof(int));
    }
}

/* Bytes of the next record, what came with it, and in `flags` whether that was all; 0 at the end; or a negative errno.
 */
static ssize_t receive(struct control_peer *peer, struct control_request *request, int *flags)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(CONTROL_DESCRIPTORS * sizeof(int))];
    } ancillary;
    struct iovec iov = {peer->control->buffer, CONTROL_MESSAGE_MAX};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
    ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    take_descriptors(request, &message);
    *flags = message.msg_flags;
    return n;
}

static int peer_is_ready(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct control_peer *peer = user;
    struct control *control = peer->control;
    struct control_request request = {.peer = peer, .from = peer->who, .passed = -1};
    int flags = 0;
    (void)source;
    (void)fd;
    ssize_t n = events & EPOLLIN ? receive(peer, &request, &flags) : 0;
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n <= 0) {
        close_descriptors(&request);
        control_drop(peer);
        return 0;
    }
    json_t *body = NULL;
    if (flags & (MSG_TRUNC | MSG_CTRUNC)) {
        control->counts.nonsense++;
        answer_peer(peer, NULL, flags & MSG_TRUNC ? "a request has at most 65536 bytes" : "at most four descriptors",
                    -1);
    } else {
        request.body = body = json_loadb(control->buffer, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
        serve_request(peer, &request);
    }
    close_descriptors(&request);
    json_decref(body);
    return 0;
}

static unsigned peers_of(const struct control *control, uid_t uid)
{
    unsigned count = 0;
    LIST_EACH (it, &control->peers)
        count += LIST_ENTRY(it, struct control_peer, link)->who.uid == uid;
    return count;
}

/* The last places are the owner's: whatever others do, he looks at the service, and ends it. */
static bool is_crowded(const struct control *control, const struct ucred *who)
{
    if (owns_service(who))
        return control->peer_count >= CONTROL_PEERS + CONTROL_PEERS_OF_OWNER;
    return control->peer_count >= CONTROL_PEERS || peers_of(control, who->uid) >= CONTROL_PEERS / 2;
}

static int add_peer(struct control *control, int fd)
{
    struct control_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    *peer = (struct control_peer){.control = control, .fd = fd};
    list_init(&peer->watches);
    socklen_t len = sizeof peer->who;
    int error = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer->who, &len) == 0 ? 0 : -errno;
    if (!error && is_crowded(control, &peer->who))
        error = -EUSERS;
    if (!error)
        error = sd_event_add_io(control->loop, &peer->source, fd, EPOLLIN, peer_is_ready, peer);
    if (error >= 0)
        error = sd_event_source_set_ratelimit(peer->source, NS_PER_S / NS_PER_US, CONTROL_REQUESTS_PER_S);
    if (error < 0) {
        sd_event_source_disable_unref(peer->source);
        free(peer);
        return error;
    }
    list_push_back(&control->peers, &peer->link);
    control->peer_count++;
    return 0;
}

/* A request that is left unread, or comes later, would have the peer hear of a reset, and not of the answer. */
static void turn_away(struct control *control, int fd)
{
    char byte;
    control->counts.crowded_out++;
    shutdown(fd, SHUT_RD);
    while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) > 0)
        ;
    send_answer(fd, NULL, "too many connections: end some, or wait", -1);
    close(fd);
}

/* Who comes is turned away all the same; else the socket would be ready for ever. */
static void do_without_descriptors(struct control *control)
{
    close(control->spare_fd);
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        turn_away(control, fd);
    control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int somebody_comes(sd_event_source *source, int listener, uint32_t events, void *user)
{
    struct control *control = user;
    (void)source;
    (void)events;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && add_peer(control, fd) < 0)
        turn_away(control, fd);
    else if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        do_without_descriptors(control);
    return 0;
}

int control_open(struct control *control, sd_event *loop, int fd)
{
    *control = (struct control){.loop = loop, .fd = -1, .spare_fd = -1, .buffer = malloc(CONTROL_MESSAGE_MAX)};
    list_init(&control->peers);
    control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error = !control->buffer ? -ENOMEM : control->spare_fd < 0 ? -errno : 0;
    if (!error)
        error = sd_event_add_io(loop, &control->source, fd, EPOLLIN, somebody_comes, control);
    if (error >= 0) /* without descriptors, and the spare one gone, who comes cannot be turned away */
        error = sd_event_source_set_ratelimit(control->source, NS_PER_S / NS_PER_US, CONTROL_PEERS);
    if (error < 0) {
        control_close(control);
        return error;
    }
    control->fd = fd;
    return 0;
}

int control_add_verb(struct control *control, const struct control_verb *verb)
{
    if (control->verb_count == CONTROL_VERBS)
        return -ENOSPC;
    control->verbs[control->verb_count++] = *verb;
    return 0;
}

void control_close(struct control *control)
{
    while (control->peer_count)
        control_drop(LIST_ENTRY(list_first(&control->peers), struct control_peer, link));
    control->source = sd_event_source_disable_unref(control->source);
    if (control->fd >= 0)
        close(control->fd);
    if (control->spare_fd >= 0)
        close(control->spare_fd);
    free(control->buffer);
    control->fd = control->spare_fd = -1;
    control->buffer = NULL;
}
