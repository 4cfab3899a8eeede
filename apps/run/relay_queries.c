/* Datagrams that are answered by one: each has a socket outside for as long as it waits. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/dns_failure.h"
#include "run/host_name.h"
#include "run/relay_state.h"

enum { DATAGRAM_MAX = 65536, QUERIES_A_TURN = 32 };
#define QUERY_USEC (RELAY_QUERY_S * UINT64_C(1000000))

struct query {
    struct list link; /* the oldest first */
    struct relay *relay;
    sd_event_source *answers, *timer;
    int fd;
    struct sockaddr_storage client;
    socklen_t client_len;
    size_t failure_len;
    uint8_t failure[DNS_FAILURE_MAX]; /* what it hears when the resolver is not there */
};

static void end_query(struct list *one)
{
    struct query *q = LIST_ENTRY(one, struct query, link);
    list_remove(&q->link);
    q->relay->count--;
    sd_event_source_disable_unref(q->answers);
    sd_event_source_disable_unref(q->timer);
    close(q->fd);
    free(q);
}

/* Nothing that is sent can say "refused" as a resolver does that is not there; yet the client is to try the next one at
 * once. */
static void fail_query(const struct query *q)
{
    if (q->failure_len)
        sendto(q->relay->inlet.fd, q->failure, q->failure_len, MSG_NOSIGNAL, (const struct sockaddr *)&q->client,
               q->client_len);
}

static int answered(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct query *q = user;
    uint8_t datagram[DATAGRAM_MAX];
    ssize_t n = recv(fd, datagram, sizeof(datagram), 0);
    (void)source;
    (void)events;
    if (n >= 0)
        sendto(q->relay->inlet.fd, datagram, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&q->client, q->client_len);
    else if (errno != EAGAIN)
        fail_query(q);
    if (n >= 0 || errno != EAGAIN)
        end_query(&q->link);
    return 0;
}

static int gave_up(sd_event_source *source, uint64_t usec, void *user)
{
    struct query *q = user;
    (void)source;
    (void)usec;
    end_query(&q->link);
    return 0;
}

static int watch(struct query *q)
{
    sd_event *loop = q->relay->loop;
    int error = sd_event_add_io(loop, &q->answers, q->fd, EPOLLIN, answered, q);
    return error < 0 ? error : sd_event_add_time_relative(loop, &q->timer, CLOCK_MONOTONIC, QUERY_USEC, 0, gave_up, q);
}

static void pass_query(struct relay *r, const uint8_t *datagram, size_t len, const struct sockaddr_storage *client,
                       socklen_t client_len)
{
    struct query *q = calloc(1, sizeof *q);
    if (!q)
        return;
    *q = (struct query){.relay = r, .fd = relay_connect(r), .client = *client, .client_len = client_len};
    q->failure_len = dns_failure(datagram, len, q->failure);
    if (q->fd < 0) {
        fail_query(q);
        free(q);
        return;
    }
    if (r->count == RELAY_QUERIES_MAX)
        end_query(list_first(&r->all));
    list_push_back(&r->all, &q->link);
    r->count++;
    if (watch(q) >= 0 && send(q->fd, datagram, len, MSG_NOSIGNAL) >= 0)
        return;
    fail_query(q);
    end_query(&q->link);
}

static bool answer_by_itself(const struct relay *r, const uint8_t *datagram, size_t len,
                             const struct sockaddr_storage *client, socklen_t client_len)
{
    uint8_t answer[HOST_NAME_ANSWER];
    size_t n = r->inlet.named ? host_name_answer(datagram, len, answer) : 0;
    if (n > 0)
        sendto(r->inlet.fd, answer, n, MSG_NOSIGNAL, (const struct sockaddr *)client, client_len);
    return n > 0;
}

static int came(sd_event_source *source, int fd, uint32_t events, void *user)
{
    uint8_t datagram[DATAGRAM_MAX];
    (void)source;
    (void)events;
    for (unsigned i = 0; i < QUERIES_A_TURN; i++) {
        struct sockaddr_storage client;
        socklen_t client_len = sizeof(client);
        ssize_t n = recvfrom(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&client, &client_len);
        if (n < 0)
            break;
        if (!answer_by_itself(user, datagram, (size_t)n, &client, client_len))
            pass_query(user, datagram, (size_t)n, &client, client_len);
    }
    return 0;
}

int relay_queries(sd_event *loop, const struct inlet *inlet, struct relay **out)
{
    return relay_new(loop, inlet, came, end_query, out);
}
