#include "service/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "service/dial_words.h"
#include "service/http_connect.h"
#include "service/socks.h"

enum { SESSION_PARTS = 16, SESSION_LOGIN_MAX = 512, SESSION_IGNORED_MAX = 1024 * 1024 };

struct session {
    struct watch watch;
    struct dial_user dial_user;
    struct list link;
    struct sessions *of;
    struct end client;
    /* What is next; NULL: nothing that the client says matters. Takes from the front of what has arrived and returns
     * how many bytes that were, or 0: there must be more. It may end the session: negative. */
    ssize_t (*next)(struct session *session, const uint8_t *bytes, size_t len);
    struct dial *dial;             /* under way, else NULL */
    char *asked;                   /* whom it asks for, for listings; NULL: nobody yet, or no memory */
    struct hawser_addr asked_addr; /* likewise, unless it is by a name: then all zero */
    sd_event_source *timer;
    struct http_connect *http; /* NULL: SOCKS */
    struct guest *speaker;     /* it has not said all yet; else NULL */
    uint64_t place;            /* where its handshake was counted */
    bool known;                /* the handshake is over, or there is none */
    bool leaving;              /* refused, and told so */
    bool heard_all;            /* the client says no more than has arrived */
    size_t ignored;            /* bytes that came after that */
};

enum { SESSION_OVER = -1 };

/* Whom it counts for: other Hawsers come from the Internet, others from a link of ours. */
static void whose(const struct session *session, struct hawser_addr *out)
{
    end_peer(session->client, out);
    if (session->of->upstream)
        guest_subscriber(out);
}

/* ---- ends ---- */

/* From now on it only waits for somebody else. */
static void hear_out(struct session *session)
{
    if (!session->speaker)
        return;
    guests_leave(&session->of->speakers, session->speaker);
    session->speaker = NULL;
    list_move_back(&session->of->heard, &session->link);
}

static void forget(struct session *session)
{
    if (session->dial)
        dial_cancel(session->of->dialer, session->dial);
    sd_event_source_disable_unref(session->timer);
    free(session->http);
    free(session->asked);
    hear_out(session);
    list_remove(&session->link);
    session->of->counts.count--;
    free(session);
}

static ssize_t give_up(struct session *session)
{
    if (!session->leaving)
        session->of->counts.gave_up++;
    end_abort(session->client);
    forget(session);
    return SESSION_OVER;
}

static void set_timer(struct session *session, unsigned seconds)
{
    sd_event_source_set_time_relative(session->timer, (uint64_t)seconds * 1000000);
    sd_event_source_set_enabled(session->timer, SD_EVENT_ONESHOT);
}

/* A few bytes, for which there is room at the beginning of any connection. */
static bool say(struct session *session, const void *bytes, size_t len)
{
    return end_give(session->client, (struct hawser_slice){.data = bytes, .len = (uint32_t)len}) == (ssize_t)len;
}

/* The last word: the client ends, so that no reset of ours overtakes it. */
static ssize_t leave(struct session *session, const void *bytes, size_t len)
{
    session->of->counts.refused++;
    session->next = NULL;
    session->leaving = true;
    if (!say(session, bytes, len))
        return give_up(session);
    end_finish(session->client);
    set_timer(session, SESSION_FAREWELL_S);
    return 0;
}

/* Whoever is refused may say what he likes, within reason, until he has read that. */
static void let_go(struct session *session)
{
    struct hawser_part parts[SESSION_PARTS];
    ssize_t count = 1;
    while (session->ignored < SESSION_IGNORED_MAX && (count = end_peek(session->client, parts, SESSION_PARTS)) > 0) {
        session->ignored += parts[0].len;
        end_consume(session->client, parts[0].len);
    }
    if (count == -EAGAIN)
        return;
    if (count == 0)
        end_close(session->client);
    else
        end_abort(session->client);
    forget(session);
}

/* ---- what is said to it ---- */

static ssize_t answer_http(struct session *session, int status, const char *why)
{
    char answer[HTTP_ANSWER_MAX];
    size_t len = http_connect_answer(answer, status, why);
    if (status != 200)
        return leave(session, answer, len);
    return say(session, answer, len) ? 0 : give_up(session);
}

static ssize_t answer_socks(struct session *session, enum socks_reply reply)
{
    uint8_t answer[SOCKS_MESSAGE_MAX];
    size_t len = socks_write_reply(answer, reply);
    if (reply != SOCKS_GRANTED)
        return leave(session, answer, len);
    return say(session, answer, len) ? 0 : give_up(session);
}

static ssize_t answer_error(struct session *session, int error)
{
    session->of->counts.failed++;
    if (session->http)
        return answer_http(session, http_status_of(error), dial_words(error));
    return answer_socks(session, session->of->upstream ? socks_reply_to_hawser(error) : socks_reply_of(error));
}

/* Not from within what the client said. */
static void refuse(struct session *session, int error)
{
    if (answer_error(session, error) == 0)
        let_go(session);
}

/* ---- the destination ---- */

/* "HOST:PORT", in ASCII; NULL: no memory. */
static char *text_of(const struct destination *to)
{
    char addr[HAWSER_ADDR_STRLEN], *text;
    if (!to->name)
        return strdup(hawser_addr_format(&to->addr, addr, sizeof addr));
    if (asprintf(&text, "%s:%u", to->name, to->addr.port) < 0)
        return NULL;
    for (char *c = text; *c; c++)
        *c = *c > ' ' && *c <= '~' ? *c : '?';
    return text;
}

/* Clients of this host go out by the uplinks, and other Hawsers come in there. */
static bool join(struct session *session, struct end far, uint64_t now_ns)
{
    const struct sessions *of = session->of;
    struct joint_origin origin = {.port = of->port,
                                  .way = of->upstream    ? JOINT_BY_UPSTREAM
                                         : session->http ? JOINT_BY_CONNECT
                                                         : JOINT_BY_SOCKS};
    struct end first = of->upstream ? far : session->client, second = of->upstream ? session->client : far;
    struct hawser_addr peer;
    end_peer(far, &peer);
    if (!hawser_addr_equal(&peer, &session->asked_addr))
        origin.asked = session->asked;
    if (joint_make(of->joints, first, second, &origin, now_ns) < 0)
        return false;
    if (origin.asked)
        session->asked = NULL;
    return true;
}

static void dial_answered(struct dial_user *user, int error, struct end far, uint64_t now_ns)
{
    struct session *session = HW_CONTAINER(user, struct session, dial_user);
    struct sessions *of = session->of;
    session->dial = NULL;
    if (error < 0) {
        refuse(session, error);
        return;
    }
    if ((session->http ? answer_http(session, 200, "") : answer_socks(session, SOCKS_GRANTED)) < 0) {
        end_abort(far);
        return;
    }
    end_watch(session->client, NULL);
    if (!join(session, far, now_ns)) {
        end_abort(far);
        give_up(session);
        return;
    }
    of->counts.joined++;
    forget(session);
}

static ssize_t ask_for(struct session *session, struct destination *to)
{
    session->next = NULL;
    whose(session, &to->from);
    session->asked = text_of(to);
    if (!to->name)
        session->asked_addr = to->addr;
    hear_out(session);
    set_timer(session, SESSION_DIAL_PATIENCE_S);
    int error =
        dial_begin(session->of->dialer, to, &session->dial_user, hawser_host_now(session->of->host), &session->dial);
    return error < 0 ? answer_error(session, error) : 0;
}

/* ---- SOCKS ---- */

static ssize_t nonsense(struct session *session)
{
    session->of->counts.nonsense++;
    session->of->counts.refused++;
    session->leaving = true;
    return give_up(session);
}

static ssize_t take_request(struct session *session, const uint8_t *bytes, size_t len)
{
    struct socks_request request;
    ssize_t n = socks_read_request(bytes, len, &request);
    if (n <= 0)
        return n == 0 ? 0 : nonsense(session);
    struct destination to = {.name = request.named ? request.name : NULL, .addr = request.addr};
    ssize_t result = request.fault == SOCKS_GRANTED ? ask_for(session, &to) : answer_socks(session, request.fault);
    return result < 0 ? result : n;
}

static ssize_t take_password(struct session *session, const uint8_t *bytes, size_t len)
{
    bool right;
    uint8_t verdict[SOCKS_MESSAGE_MAX];
    ssize_t n = socks_read_password(bytes, len, session->of->user, session->of->password, &right);
    if (n <= 0)
        return n == 0 ? 0 : nonsense(session);
    size_t said = socks_write_verdict(verdict, right);
    if (!right)
        return leave(session, verdict, said) < 0 ? SESSION_OVER : n;
    session->next = take_request;
    return say(session, verdict, said) ? n : give_up(session);
}

static ssize_t take_methods(struct session *session, const uint8_t *bytes, size_t len)
{
    bool offered;
    uint8_t answer[SOCKS_MESSAGE_MAX];
    const enum socks_method wanted = session->of->user ? SOCKS_PASSWORD : SOCKS_OPEN;
    ssize_t n = socks_read_methods(bytes, len, wanted, &offered);
    if (n <= 0)
        return n == 0 ? 0 : nonsense(session);
    size_t said = socks_write_method(answer, offered ? wanted : SOCKS_NO_METHOD);
    if (!offered)
        return leave(session, answer, said) < 0 ? SESSION_OVER : n;
    session->next = wanted == SOCKS_OPEN ? take_request : take_password;
    return say(session, answer, said) ? n : give_up(session);
}

/* ---- HTTP ---- */

static const char *fault_of(int status)
{
    switch (status) {
    case 405:
        return "this proxy takes CONNECT only";
    case 407:
        return "this proxy wants a user and a password";
    case 431:
        return "the head of the request is too long";
    default:
        return "not CONNECT HOST:PORT HTTP/1.1";
    }
}

static ssize_t take_head(struct session *session, const uint8_t *bytes, size_t len)
{
    const struct sessions *of = session->of;
    char login[SESSION_LOGIN_MAX + 2];
    struct http_request request;
    bool done;
    size_t n = http_connect_feed(session->http, bytes, len, &done);
    if (!done)
        return (ssize_t)n;
    if (of->user)
        snprintf(login, sizeof login, "%s:%s", of->user, of->password);
    http_connect_request(session->http, of->user ? login : NULL, &request);
    struct destination to = {.name = request.named ? request.name : NULL, .addr = request.addr};
    session->of->counts.nonsense += request.status == 400;
    ssize_t result =
        request.status == 200 ? ask_for(session, &to) : answer_http(session, request.status, fault_of(request.status));
    return result < 0 ? result : (ssize_t)n;
}

/* ---- what has arrived ---- */

static ssize_t begin_http(struct session *session, const uint8_t *bytes, size_t len)
{
    if (bytes[0] < 'A' || bytes[0] > 'Z')
        return nonsense(session);
    session->http = malloc(sizeof *session->http);
    if (!session->http)
        return give_up(session);
    http_connect_init(session->http);
    session->next = take_head;
    return take_head(session, bytes, len);
}

/* The first byte says which of the two it is. */
static ssize_t take_first(struct session *session, const uint8_t *bytes, size_t len)
{
    const unsigned spoken = session->of->spoken;
    if (bytes[0] == SOCKS_VERSION && spoken & SESSION_SOCKS) {
        session->next = take_methods;
        return take_methods(session, bytes, len);
    }
    if (!(spoken & SESSION_HTTP))
        return nonsense(session);
    if (bytes[0] != '\r')
        return begin_http(session, bytes, len);
    if (len < 2)
        return 0;
    session->next = begin_http; /* RFC 9112 2.2: an empty line before the request is passed over */
    return bytes[1] == '\n' ? 2 : nonsense(session);
}

/* The beginning of what has arrived, in one piece. */
static size_t gather(const struct hawser_part *parts, size_t count, uint8_t *out, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = HW_MIN(parts[i].len, room - len);
        memcpy(out + len, parts[i].data, n);
        len += n;
    }
    return len;
}

static void listen_to(struct session *session)
{
    uint8_t bytes[SOCKS_MESSAGE_MAX];
    struct hawser_part parts[SESSION_PARTS];
    ssize_t count, n = 1;
    while (session->next && n > 0) {
        count = end_peek(session->client, parts, SESSION_PARTS);
        if (count == -EAGAIN)
            return;
        if (count <= 0) {
            give_up(session);
            return;
        }
        size_t len = gather(parts, (size_t)count, bytes, sizeof bytes);
        n = session->next(session, bytes, len);
        if (n == 0 && session->heard_all && !session->leaving)
            n = give_up(session);
        if (n == SESSION_OVER)
            return;
        end_consume(session->client, (size_t)n);
    }
    if (session->leaving)
        let_go(session);
}

/* A handshake that came to a good end costs nobody anything. */
static void know(struct session *session)
{
    if (session->known || !end_connected(session->client))
        return;
    session->known = true;
    pace_give_back(session->of->handshakes, session->place);
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct session *session = HW_CONTAINER(watch, struct session, watch);
    (void)now_ns;
    know(session);
    session->heard_all |= event->what & HAWSER_PEER_FINISHED;
    if (event->what & HAWSER_ERROR)
        give_up(session);
    else
        listen_to(session);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *of)
{
    struct session *session = of;
    (void)source;
    (void)usec;
    if (session->dial) {
        dial_cancel(session->of->dialer, session->dial);
        session->dial = NULL;
        refuse(session, -ETIMEDOUT);
    } else {
        give_up(session);
    }
    return 0;
}

/* ---- life ---- */

int sessions_init(struct sessions *sessions, sd_event *loop, struct hawser_host *host)
{
    *sessions = (struct sessions){
        .loop = loop, .host = host, .spoken = SESSION_SOCKS | SESSION_HTTP, .speaking_max = SESSIONS_MAX};
    list_init(&sessions->speaking);
    list_init(&sessions->heard);
    return guests_init(&sessions->speakers, hawser_host_env(host), UINT32_MAX);
}

static void crowd_out(struct session *session)
{
    session->of->counts.crowded_out++;
    give_up(session);
}

/* Who has most of them can go on with the rest; a crowd from elsewhere does not push out who is slow. */
static void make_way(struct sessions *sessions)
{
    struct session *found = LIST_ENTRY(list_first(&sessions->speaking), struct session, link);
    LIST_EACH (it, &sessions->speaking) {
        struct session *session = LIST_ENTRY(it, struct session, link);
        if (guest_count(session->speaker) > guest_count(found->speaker))
            found = session;
    }
    crowd_out(found);
}

/* The one that has been at it longest, of an address. */
static void make_way_of(struct sessions *sessions, const struct guest *speaker)
{
    LIST_EACH (it, &sessions->speaking) {
        struct session *session = LIST_ENTRY(it, struct session, link);
        if (session->speaker == speaker) {
            crowd_out(session);
            return;
        }
    }
}

/* Counts it among those of its address. */
static int enter(struct session *session)
{
    struct sessions *sessions = session->of;
    struct hawser_addr from;
    whose(session, &from);
    session->place = guests_hash(&sessions->speakers, &from);
    session->known = !sessions->handshakes;
    if (!session->known && !pace_begin(sessions->handshakes, session->place, hawser_host_now(sessions->host))) {
        sessions->counts.hasty++;
        return -EAGAIN;
    }
    if (sessions->speakers.count >= sessions->speaking_max)
        make_way(sessions);
    session->speaker = guests_enter(&sessions->speakers, &from);
    if (!session->speaker)
        return -ENOMEM;
    if (guest_count(session->speaker) > sessions->speaking_max / SESSIONS_PART)
        make_way_of(sessions, session->speaker);
    return 0;
}

static int begin(struct session *session)
{
    const unsigned patience_s = session->of->upstream ? SESSION_FAR_PATIENCE_S : SESSION_PATIENCE_S;
    struct sessions *sessions = session->of;
    int error = sd_event_add_time_relative(sessions->loop, &session->timer, CLOCK_MONOTONIC,
                                           patience_s * UINT64_C(1000000), 0, time_is_up, session);
    if (error >= 0)
        error = enter(session);
    if (error < 0 || !sessions->tls)
        return error;
    error = tls_end_new(sessions->tls, session->client, NULL, &session->client);
    if (error < 0 && sessions->handshakes) /* none was begun */
        pace_give_back(sessions->handshakes, session->place);
    return error;
}

int session_begin(struct sessions *sessions, struct end client)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return -ENOMEM;
    *session = (struct session){
        .watch = {heard}, .dial_user = {dial_answered}, .of = sessions, .client = client, .next = take_first};
    int error = begin(session);
    if (error < 0) {
        sessions->counts.turned_away += error == -EAGAIN || error == -ENOBUFS;
        if (session->speaker)
            guests_leave(&sessions->speakers, session->speaker);
        sd_event_source_disable_unref(session->timer);
        free(session);
        return error;
    }
    list_push_back(&sessions->speaking, &session->link);
    sessions->counts.count++;
    end_watch(session->client, &session->watch);
    listen_to(session); /* it may have been told of something before */
    return 0;
}

void sessions_break(struct sessions *sessions)
{
    LIST_EACH (it, &sessions->speaking)
        give_up(LIST_ENTRY(it, struct session, link));
    LIST_EACH (it, &sessions->heard)
        give_up(LIST_ENTRY(it, struct session, link));
}

void sessions_destroy(struct sessions *sessions)
{
    sessions_break(sessions);
    guests_destroy(&sessions->speakers);
}
