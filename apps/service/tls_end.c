/* By GnuTLS: it is LGPL, has no input or output of its own where one brings it, and nettle, which Hawser needs anyway,
 * does its ciphers. */
#include "service/tls_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { TLS_NOTHINGS = 32 }; /* records in a row that bring no bytes of the stream */

struct tls_end {
    struct watch watch;
    struct list closing;
    struct tls *tls;
    struct end below;
    struct watch *above;
    gnutls_session_t session;
    struct hawser_slice in;   /* from below, not decrypted yet */
    struct hawser_slice text; /* decrypted, and not taken yet */
    uint8_t *waiting;         /* encrypted, and not taken by the end below; NULL: nothing is */
    size_t waiting_at, waiting_len;
    int error;
    bool connected, finished, below_finished;
    bool dry;     /* the end below had nothing more when it was asked last */
    bool starved; /* who gave more than was taken is to be told */
    bool closed;  /* by who has it */
};

/* ---- the end below ---- */

static void drop(struct hawser_slice *slice)
{
    if (slice->buf)
        hawser_buf_unref(slice->buf);
    *slice = (struct hawser_slice){0};
}

/* Takes bytes off the end below. */
static ssize_t take_below(struct tls_end *end)
{
    ssize_t n = end_take(end->below, &end->in);
    if (n > 0)
        end->tls->taken_bytes += hawser_buf_capacity(end->in.buf);
    return n;
}

static void drop_taken(struct tls_end *end)
{
    if (end->in.buf)
        end->tls->taken_bytes -= hawser_buf_capacity(end->in.buf);
    drop(&end->in);
}

static ssize_t say_errno(struct tls_end *end, int error)
{
    gnutls_transport_set_errno(end->session, error);
    return -1;
}

static size_t pull_taken(struct tls_end *end, void *out, size_t len)
{
    size_t n = HW_MIN(len, end->in.len);
    memcpy(out, end->in.data, n);
    end->in.data += n;
    end->in.len -= (uint32_t)n;
    if (end->in.len == 0)
        drop_taken(end);
    return n;
}

/* What is not taken is charged to whom it belongs. */
static ssize_t pull_where_it_lies(struct tls_end *end, void *out, size_t len)
{
    struct hawser_part part;
    ssize_t n = end_peek(end->below, &part, 1);
    if (n <= 0)
        return n;
    n = (ssize_t)HW_MIN(len, part.len);
    memcpy(out, part.data, (size_t)n);
    end_consume(end->below, (size_t)n);
    end->tls->untaken_bytes += (uint64_t)n;
    return n;
}

static ssize_t pull(gnutls_transport_ptr_t of, void *out, size_t len)
{
    struct tls_end *end = of;
    ssize_t n = 1;
    if (!end->in.buf)
        n = end->tls->taken_bytes < end->tls->taken_max ? take_below(end) : -ENOBUFS;
    if (n == -ENOBUFS) /* nothing would tell when they can be taken */
        n = pull_where_it_lies(end, out, len);
    end->dry = n < 0;
    if (n < 0)
        return say_errno(end, (int)-n);
    return end->in.buf ? (ssize_t)pull_taken(end, out, len) : n;
}

/* GnuTLS asks before it would wait; nobody waits here. */
static int pull_timeout(gnutls_transport_ptr_t of, unsigned ms)
{
    struct tls_end *end = of;
    struct hawser_part part;
    (void)ms;
    end->dry = !end->in.buf && end_peek(end->below, &part, 1) == -EAGAIN;
    return !end->dry;
}

static bool keep(struct tls_end *end, const uint8_t *bytes, size_t len)
{
    size_t left = end->waiting_len - end->waiting_at;
    if (left + len > TLS_WAITING_MAX)
        return false;
    if (end->waiting_at > 0)
        memmove(end->waiting, end->waiting + end->waiting_at, left);
    uint8_t *more = realloc(end->waiting, left + len);
    end->waiting_at = 0;
    end->waiting_len = left;
    if (!more)
        return false;
    memcpy(more + left, bytes, len);
    end->waiting = more;
    end->waiting_len = left + len;
    return true;
}

static ssize_t push(gnutls_transport_ptr_t of, const void *bytes, size_t len)
{
    struct tls_end *end = of;
    size_t taken = 0;
    if (!end->waiting) {
        ssize_t n = end_give(end->below, (struct hawser_slice){.data = bytes, .len = (uint32_t)len});
        if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
            return say_errno(end, (int)-n);
        taken = n > 0 ? (size_t)n : 0;
    }
    if (taken < len && !keep(end, (const uint8_t *)bytes + taken, len - taken))
        return say_errno(end, ENOMEM);
    return (ssize_t)len;
}

/* What waits goes on its way. Returns whether nothing is left. */
static bool flush(struct tls_end *end)
{
    while (end->waiting) {
        const size_t left = end->waiting_len - end->waiting_at;
        ssize_t n =
            end_give(end->below, (struct hawser_slice){.data = end->waiting + end->waiting_at, .len = (uint32_t)left});
        if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
            end->error = (int)n;
        if (n <= 0)
            return false;
        end->waiting_at += (size_t)n;
        if ((size_t)n < left)
            return false;
        free(end->waiting);
        end->waiting = NULL;
        end->waiting_at = end->waiting_len = 0;
    }
    return true;
}

/* ---- the session ---- */

/* For people. The other side has no words of its own in it. */
static void note_failure(struct tls_end *end, int code)
{
    char *out = end->tls->failure;
    gnutls_datum_t text = {NULL, 0};
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *alert = gnutls_alert_get_name(gnutls_alert_get(end->session));
        snprintf(out, TLS_FAILURE_SIZE, "the other side says: %s", alert ? alert : "unknown alert");
    } else if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
               gnutls_certificate_verification_status_print(tls_credentials_judge(end->session), GNUTLS_CRT_X509, &text,
                                                            0) >= 0) {
        snprintf(out, TLS_FAILURE_SIZE, "%s", text.data);
        gnutls_free(text.data);
    } else {
        snprintf(out, TLS_FAILURE_SIZE, "%s", gnutls_strerror(code));
    }
}

/* What it means that GnuTLS failed: an error of the end below, or of what the other side says. */
static int failed(struct tls_end *end, int code)
{
    int below = end_error(end->below);
    if (!below || code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        note_failure(end, code);
    if (!end->error)
        end->error = below                                    ? below
                     : code == GNUTLS_E_PREMATURE_TERMINATION ? -ECONNRESET
                     : code == GNUTLS_E_MEMORY_ERROR          ? -ENOMEM
                                                              : -EPROTO;
    return end->error;
}

static void shake_hands(struct tls_end *end)
{
    int code;
    do
        code = gnutls_handshake(end->session);
    while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
    if (code == GNUTLS_E_SUCCESS) {
        end->connected = true;
    } else if (code != GNUTLS_E_AGAIN) {
        int below = end_error(end->below);
        if (!below && code != GNUTLS_E_PREMATURE_TERMINATION)
            gnutls_alert_send_appropriate(end->session, code);
        failed(end, code);
    }
}

/* GNUTLS_E_AGAIN: there is nothing more below. GnuTLS says so of a record without bytes as well, behind which there may
 * be others, of which nobody hears. */
static ssize_t receive(struct tls_end *end, uint8_t *at)
{
    for (unsigned i = 0; i < TLS_NOTHINGS; i++) {
        end->dry = false;
        ssize_t n = gnutls_record_recv(end->session, at, TLS_RECORD_BYTES);
        if (n >= 0 || gnutls_error_is_fatal((int)n))
            return n;
        if (end->dry)
            return GNUTLS_E_AGAIN;
    }
    return GNUTLS_E_TOO_MANY_EMPTY_PACKETS;
}

static ssize_t decrypt(struct tls_end *end)
{
    if (end->error && !end->connected)
        return end->error;
    if (!end->connected)
        return -EAGAIN;
    uint8_t *at = malloc(TLS_RECORD_BYTES);
    if (!at)
        return -ENOBUFS;
    ssize_t n = receive(end, at);
    if (n <= 0) {
        free(at);
        return n == 0 ? 0 : n == GNUTLS_E_AGAIN ? -EAGAIN : failed(end, (int)n);
    }
    uint8_t *fit = n < TLS_RECORD_BYTES / 2 ? realloc(at, (size_t)n) : at;
    at = fit ? fit : at;
    if (hawser_buf_wrap(end->tls->env, at, (uint32_t)n, free, at, &end->text.buf) < 0) {
        free(at);
        return end->error = -ECONNABORTED;
    }
    end->text.data = at;
    end->text.len = (uint32_t)n;
    return 1;
}

/* ---- as an end ---- */

static ssize_t take(void *of, struct hawser_slice *slice)
{
    struct tls_end *end = of;
    ssize_t n = end->text.buf ? 1 : decrypt(end);
    if (n > 0) {
        *slice = end->text;
        end->text = (struct hawser_slice){0};
    }
    return n;
}

static ssize_t peek(void *of, struct hawser_part *parts, size_t max)
{
    struct tls_end *end = of;
    (void)max;
    ssize_t n = end->text.buf ? 1 : decrypt(end);
    if (n > 0)
        parts[0] = (struct hawser_part){end->text.data, end->text.len};
    return n == -ENOBUFS ? -EAGAIN : n;
}

static void consume(void *of, size_t len)
{
    struct tls_end *end = of;
    end->text.data += len;
    end->text.len -= (uint32_t)len;
    if (end->text.len == 0)
        drop(&end->text);
}

static ssize_t give(void *of, struct hawser_slice slice)
{
    struct tls_end *end = of;
    size_t given = 0;
    if (end->error)
        return end->error;
    while (end->connected && given < slice.len && flush(end)) {
        ssize_t n = gnutls_record_send(end->session, slice.data + given, HW_MIN(slice.len - given, TLS_RECORD_BYTES));
        if (n < 0)
            return failed(end, (int)n);
        given += (size_t)n;
    }
    end->starved = given < slice.len;
    return end->error ? end->error : given ? (ssize_t)given : -EAGAIN;
}

/* The end below ends behind the last record. */
static void finish_below(struct tls_end *end)
{
    if (!end->finished || end->below_finished || !flush(end))
        return;
    end->below_finished = true;
    end_finish(end->below);
}

static void finish(void *of)
{
    struct tls_end *end = of;
    if (end->finished || end->error || !end->connected)
        return;
    end->finished = true;
    gnutls_bye(end->session, GNUTLS_SHUT_WR);
    finish_below(end);
}

static void free_end(struct tls_end *end)
{
    list_remove(&end->closing);
    struct tls_credentials *credentials = end->session ? gnutls_session_get_ptr(end->session) : NULL;
    gnutls_deinit(end->session);
    tls_credentials_unref(credentials);
    drop_taken(end);
    drop(&end->text);
    free(end->waiting);
    free(end);
}

static void abort_end(void *of)
{
    struct tls_end *end = of;
    end_abort(end->below);
    free_end(end);
}

/* It lives on as long as something waits. */
static void close_end(void *of)
{
    struct tls_end *end = of;
    end->closed = true;
    end->above = NULL;
    finish(of);
    if (end->error || !end->connected) {
        abort_end(end);
    } else if (!end->waiting) {
        end_close(end->below);
        free_end(end);
    } else {
        if (end_conn(end->below))
            hawser_conn_set(end_conn(end->below), HAWSER_OPTION_ASKED, 0); /* nobody hears it any more */
        list_move_back(&end->tls->closing, &end->closing);
    }
}

static void watch_end(void *of, struct watch *watch)
{
    struct tls_end *end = of;
    end->above = watch;
}

static bool connected(void *of) { return ((struct tls_end *)of)->connected; }
static int error(void *of) { return ((struct tls_end *)of)->error; }
static struct hawser_conn *conn(void *of) { return end_conn(((struct tls_end *)of)->below); }
static int fd(void *of) { return end_fd(((struct tls_end *)of)->below); }
static void peer(void *of, struct hawser_addr *out) { end_peer(((struct tls_end *)of)->below, out); }

/* What there is new of it, when there is something new below. */
static uint32_t news(struct tls_end *end, uint32_t below)
{
    const bool was_connected = end->connected, had_failed = end->error != 0;
    uint32_t what = below & HAWSER_ASKED;
    if (!end->connected && !end->error)
        shake_hands(end);
    if (!end->connected && below & HAWSER_PEER_FINISHED) /* in the middle of it */
        failed(end, GNUTLS_E_PREMATURE_TERMINATION);
    if (flush(end) && end->starved && end->connected) {
        end->starved = false;
        what |= HAWSER_WRITABLE;
    }
    finish_below(end);
    if (end->connected && !was_connected)
        what |= HAWSER_CONNECTED | HAWSER_READABLE | HAWSER_WRITABLE;
    if (end->connected && below & (HAWSER_READABLE | HAWSER_PEER_FINISHED))
        what |= HAWSER_READABLE | (below & HAWSER_PEER_FINISHED);
    if (below & HAWSER_ERROR && !end->text.buf)
        (void)decrypt(end); /* why it was ended may have come before the reset */
    if (below & HAWSER_ERROR && !end->error)
        end->error = end_error(end->below) ? end_error(end->below) : -ECONNRESET;
    return end->error && !had_failed ? what | HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE : what;
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct tls_end *end = HW_CONTAINER(watch, struct tls_end, watch);
    const struct hawser_event own = {.what = news(end, event->what)};
    if (end->closed) {
        if (end->error)
            abort_end(end);
        else if (!end->waiting)
            close_end(end);
    } else if (end->above && own.what) {
        end->above->heard(end->above, &own, now_ns);
    }
}

static int new_session(struct tls_end *end)
{
    const unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL;
    int code = gnutls_init(&end->session, flags | tls_credentials_side(end->tls->credentials));
    if (code < 0)
        return code;
    code = tls_credentials_use(end->tls->credentials, end->session);
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_pull_function(end->session, pull);
    gnutls_transport_set_pull_timeout_function(end->session, pull_timeout);
    gnutls_transport_set_push_function(end->session, push);
    return code;
}

int tls_end_new(struct tls *tls, struct end below, struct end *out)
{
    static const struct end_ops ops = {
        .watch = watch_end,
        .take = take,
        .peek = peek,
        .consume = consume,
        .give = give,
        .finish = finish,
        .connected = connected,
        .error = error,
        .close = close_end,
        .abort = abort_end,
        .conn = conn,
        .fd = fd,
        .peer = peer,
    };
    struct tls_end *end = calloc(1, sizeof *end);
    if (!end)
        return -ENOMEM;
    *end = (struct tls_end){.watch = {heard}, .tls = tls, .below = below};
    list_init(&end->closing);
    if (new_session(end) < 0) {
        free_end(end);
        return -ENOMEM;
    }
    end_watch(below, &end->watch);
    shake_hands(end); /* something may be there already */
    *out = (struct end){&ops, end};
    return 0;
}

void tls_init(struct tls *tls, struct tls_credentials *credentials, const struct hawser_env *env)
{
    *tls = (struct tls){.env = env, .credentials = credentials, .taken_max = TLS_TAKEN_MAX};
    list_init(&tls->closing);
}

void tls_renew(struct tls *tls, struct tls_credentials *credentials)
{
    tls_credentials_unref(tls->credentials);
    tls->credentials = credentials;
}

void tls_destroy(struct tls *tls)
{
    LIST_EACH (it, &tls->closing)
        abort_end(LIST_ENTRY(it, struct tls_end, closing));
    tls_credentials_unref(tls->credentials);
}
