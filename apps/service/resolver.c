#include "service/resolver.h"

#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/list.h"
#include "service/dial.h"
#include "service/sockaddr.h"

struct lookup {
    struct list link; /* of those that wait, or of those that are to be told */
    struct resolver *resolver;
    struct lookup_user *user; /* NULL: nobody waits any more */
    struct guest *guest;      /* for whom */
    sd_event_source *timer;   /* when it has taken long */
    unsigned asked;           /* what c-ares has not answered yet */
    bool complete;            /* what it knows: both families */
    int error;
    unsigned count;
    struct hawser_addr addrs[RESOLVER_ADDRESSES];
    char name[];
};

/* A socket of c-ares. */
struct question {
    struct list link;
    struct resolver *resolver;
    sd_event_source *source;
    int fd;
};

struct resolver {
    sd_event *loop;
    sd_event_source *timer, *telling;
    ares_channel channel;
    struct timespec configured; /* when resolv.conf was changed last */
    struct list waiting, over;  /* struct lookup */
    struct list questions;
    struct guests guests; /* lookups of each */
};

/* ---- answers ---- */

static int error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
        return -ENOENT;
    case ARES_EBADNAME:
    case ARES_EFORMERR:
        return -EINVAL;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return -EREMOTEIO;
    }
}

static void forget(struct lookup *lookup)
{
    list_remove(&lookup->link);
    sd_event_source_disable_unref(lookup->timer);
    guests_leave(&lookup->resolver->guests, lookup->guest);
    free(lookup);
}

static void add_address(struct lookup *lookup, const struct ares_addrinfo_node *node)
{
    struct sockaddr_storage addr = {0};
    if (lookup->count == RESOLVER_ADDRESSES || node->ai_addrlen > sizeof addr)
        return;
    memcpy(&addr, node->ai_addr, node->ai_addrlen);
    lookup->count += sockaddr_read(&addr, &lookup->addrs[lookup->count]);
}

/* It is told later than c-ares says it, which may be from within the call that asks. */
static void answered(struct lookup *lookup, struct ares_addrinfo *info)
{
    for (const struct ares_addrinfo_node *node = info ? info->nodes : NULL; node; node = node->ai_next)
        add_address(lookup, node);
    ares_freeaddrinfo(info);
    lookup->asked--;
    list_move_back(&lookup->resolver->over, &lookup->link);
    sd_event_source_set_enabled(lookup->resolver->telling, SD_EVENT_ONESHOT);
}

static void both_answered(void *of, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = of;
    (void)timeouts;
    lookup->complete = true;
    lookup->count = info ? 0 : lookup->count; /* it has them all, in their order */
    answered(lookup, info);
    lookup->error = lookup->count > 0 ? 0 : status == ARES_SUCCESS ? -ENOENT : error_of(status);
}

static void one_answered(void *of, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = of;
    (void)status;
    (void)timeouts;
    if (lookup->complete) {
        ares_freeaddrinfo(info);
        info = NULL;
    }
    answered(lookup, info);
}

static int tell(sd_event_source *source, void *of)
{
    struct resolver *resolver = of;
    (void)source;
    for (struct list *it; (it = list_first(&resolver->over));) {
        struct lookup *lookup = LIST_ENTRY(it, struct lookup, link);
        const struct lookup told = *lookup;
        list_move_back(&resolver->waiting, it);
        lookup->count = 0;
        if (told.complete)
            lookup->user = NULL;
        if (told.asked == 0)
            forget(lookup);
        if (told.user && (told.complete || told.count > 0))
            told.user->found(told.user, told.error, told.addrs, told.count, !told.complete);
    }
    return 0;
}

/* ---- what c-ares waits for ---- */

static void set_timer(struct resolver *resolver)
{
    struct timeval wait;
    if (!ares_timeout(resolver->channel, NULL, &wait)) {
        sd_event_source_set_enabled(resolver->timer, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time_relative(resolver->timer, (uint64_t)wait.tv_sec * 1000000 + (uint64_t)wait.tv_usec);
    sd_event_source_set_enabled(resolver->timer, SD_EVENT_ONESHOT);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *of)
{
    struct resolver *resolver = of;
    (void)source;
    (void)usec;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
    return 0;
}

static int came(sd_event_source *source, int fd, uint32_t revents, void *of)
{
    struct resolver *resolver = ((struct question *)of)->resolver;
    (void)source;
    bool in = revents & (EPOLLIN | EPOLLERR | EPOLLHUP), out = revents & EPOLLOUT;
    ares_process_fd(resolver->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
    set_timer(resolver);
    return 0;
}

static void end_question(struct question *question)
{
    list_remove(&question->link);
    sd_event_source_disable_unref(question->source);
    free(question);
}

static struct question *question_of(struct resolver *resolver, int fd)
{
    LIST_EACH (it, &resolver->questions) {
        struct question *question = LIST_ENTRY(it, struct question, link);
        if (question->fd == fd)
            return question;
    }
    return NULL;
}

/* Without memory for one of its sockets c-ares hears nothing there, and runs into its timeout. */
static void socket_changed(void *of, int fd, int in, int out)
{
    struct resolver *resolver = of;
    struct question *question = question_of(resolver, fd);
    const uint32_t events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
    if (question && events)
        sd_event_source_set_io_events(question->source, events);
    else if (question)
        end_question(question);
    else if (events && (question = calloc(1, sizeof *question))) {
        *question = (struct question){.resolver = resolver, .fd = fd};
        list_init(&question->link);
        if (sd_event_add_io(resolver->loop, &question->source, fd, events, came, question) < 0)
            free(question);
        else
            list_push_back(&resolver->questions, &question->link);
    }
}

/* ---- life ---- */

/* When resolv.conf was changed. False: it is there, and cannot be read now; c-ares would take that for an empty one. */
static bool configuration(struct timespec *changed)
{
    struct stat file = {0};
    int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 ? fstat(fd, &file) == 0 : errno == ENOENT;
    if (fd >= 0)
        close(fd);
    *changed = file.st_mtim;
    return known;
}

static int configure(struct resolver *resolver, ares_channel *out)
{
    struct ares_options options = {
        .timeout = RESOLVER_TIMEOUT_MS,
        .tries = RESOLVER_TRIES,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = resolver,
    };
    const int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    return error_of(ares_init_options(out, &options, given));
}

/* Who still waits for the servers that were there before is told that none could say. Where the new ones cannot be
 * read, as there is no descriptor, say, the old ones are asked on. */
static void configure_again(struct resolver *resolver)
{
    struct timespec now;
    ares_channel channel;
    if (!configuration(&now) ||
        (now.tv_sec == resolver->configured.tv_sec && now.tv_nsec == resolver->configured.tv_nsec))
        return;
    if (configure(resolver, &channel) < 0)
        return;
    ares_destroy(resolver->channel);
    resolver->channel = channel;
    resolver->configured = now;
}

int resolver_new(sd_event *loop, const struct hawser_env *env, struct resolver **out)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return -ENOMEM;
    list_init(&resolver->waiting);
    list_init(&resolver->over);
    list_init(&resolver->questions);
    resolver->loop = sd_event_ref(loop);
    (void)configuration(&resolver->configured);
    int error = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
    if (error == 0)
        error = guests_init(&resolver->guests, env, RESOLVER_LOOKUPS);
    if (error == 0)
        error = sd_event_add_time(loop, &resolver->timer, CLOCK_MONOTONIC, 0, 1000, time_is_up, resolver);
    if (error >= 0)
        error = sd_event_source_set_enabled(resolver->timer, SD_EVENT_OFF);
    if (error >= 0)
        error = sd_event_add_defer(loop, &resolver->telling, tell, resolver);
    if (error >= 0)
        error = sd_event_source_set_enabled(resolver->telling, SD_EVENT_OFF);
    if (error >= 0)
        error = configure(resolver, &resolver->channel);
    if (error < 0) {
        resolver_free(resolver);
        return error;
    }
    *out = resolver;
    return 0;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver->channel)
        ares_destroy(resolver->channel);
    LIST_EACH (it, &resolver->over)
        forget(LIST_ENTRY(it, struct lookup, link));
    LIST_EACH (it, &resolver->questions)
        end_question(LIST_ENTRY(it, struct question, link));
    sd_event_source_disable_unref(resolver->timer);
    sd_event_source_disable_unref(resolver->telling);
    sd_event_unref(resolver->loop);
    guests_destroy(&resolver->guests);
    ares_library_cleanup();
    free(resolver);
}

static void ask(struct lookup *lookup, const char *name, int family, ares_addrinfo_callback told)
{
    const struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    lookup->asked++;
    ares_getaddrinfo(lookup->resolver->channel, name, NULL, &hints, told, lookup);
    set_timer(lookup->resolver);
}

/* RFC 8305 3: one family does not wait for the other one, of which some resolvers never say anything. c-ares tells of
 * both when it has both; so each is asked for alone as well. The question for both stays the one that decides, and
 * knows which address is the best of all. It alone looks in search domains, of which the first that has any address
 * counts. */
static int is_late(sd_event_source *source, uint64_t usec, void *of)
{
    struct lookup *lookup = of;
    (void)source;
    (void)usec;
    char name[DIAL_NAME_MAX + 2];
    const size_t len = strlen(lookup->name);
    if (!lookup->user || lookup->complete || !strchr(lookup->name, '.') || len > DIAL_NAME_MAX)
        return 0;
    snprintf(name, sizeof name, "%s%s", lookup->name, lookup->name[len - 1] == '.' ? "" : ".");
    ask(lookup, name, AF_INET6, one_answered);
    ask(lookup, name, AF_INET, one_answered);
    return 0;
}

int resolver_look_up(struct resolver *resolver, const char *name, const struct hawser_addr *from,
                     struct lookup_user *user, struct lookup **out)
{
    struct guest *guest = guests_enter(&resolver->guests, from);
    if (!guest)
        return -ENOBUFS;
    const size_t name_size = strlen(name) + 1;
    struct lookup *lookup = calloc(1, sizeof *lookup + name_size);
    if (!lookup) {
        guests_leave(&resolver->guests, guest);
        return -ENOMEM;
    }
    configure_again(resolver);
    *lookup = (struct lookup){.resolver = resolver, .user = user, .guest = guest};
    memcpy(lookup->name, name, name_size);
    list_push_back(&resolver->waiting, &lookup->link);
    ask(lookup, lookup->name, AF_UNSPEC, both_answered);
    if (!lookup->complete) /* without memory for it, both are waited for */
        sd_event_add_time_relative(resolver->loop, &lookup->timer, CLOCK_MONOTONIC, RESOLVER_PATIENCE_US, 1000, is_late,
                                   lookup);
    *out = lookup;
    return 0;
}

void lookup_cancel(struct lookup *lookup) { lookup->user = NULL; }
