/* By GnuTLS: it is LGPL, has no input or output of its own where one brings it, and nettle, which Hawser needs anyway,
 * does its ciphers. */
#include "service/tls_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "service/guests.h"

struct tls_end {
    struct watch watch;
    struct list closing;
    struct tls *tls;
    struct end below;
    struct watch *above;
    gnutls_session_t session;
    struct tls_identity identity;
    struct tls_records records; /* from below, not decrypted yet */
    struct hawser_slice text;   /* decrypted, and not taken yet */
    struct held held;           /* all of this */
    size_t fruitless;           /* bytes of records since the last byte of the stream */
    size_t shown;               /* of the handshake, once it is over: GnuTLS keeps certificates */
    uint8_t *waiting;           /* encrypted, and not taken by the end below; NULL: nothing is */
    size_t waiting_at, waiting_len;
    int error;
    bool connected, finished, below_finished;
    bool dry;     /* the end below had nothing more when it was asked last */
    bool starved; /* who gave more than was taken is to be told */
    bool closed;  /* by who has it */
};

/* ---- the end below ---- */

static ssize_t say_errno(struct tls_end *end, int error)
{
    gnutls_transport_set_errno(end->session, error);
    return -1;
}

static ssize_t pull(gnutls_transport_ptr_t of, void *out, size_t len)
{
    struct tls_end *end = of;
    ssize_t n = tls_records_next(&end->records);
    end->dry = n < 0;
    if (n <= 0)
        return n == 0 ? 0 : say_errno(end, (int)-n);
    if (end->fruitless >= TLS_FRUITLESS_MAX)
        return say_errno(end, EMSGSIZE);
    size_t read = tls_records_read(&end->records, out, len);
    end->fruitless += read;
    return (ssize_t)read;
}

/* GnuTLS asks before it would wait; nobody waits here. */
static int pull_timeout(gnutls_transport_ptr_t of, unsigned ms)
{
    struct tls_end *end = of;
    (void)ms;
    end->dry = tls_records_next(&end->records) == -EAGAIN;
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

static void drop_waiting(struct tls_end *end)
{
    free(end->waiting);
    end->waiting = NULL;
    end->waiting_at = end->waiting_len = 0;
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
        drop_waiting(end);
    }
    return true;
}

/* ---- the session ---- */

/* For people. The other side has no words of its own in it. */
static void note_failure(struct tls_end *end, int code)
{
    char *out = end->tls->failure;
    end->tls->failures++;
    gnutls_datum_t text = {NULL, 0};
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *alert = gnutls_alert_get_name(gnutls_alert_get(end->session));
        snprintf(out, TLS_FAILURE_SIZE, "the other side says: %s", alert ? alert : "unknown alert");
    } else if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
               gnutls_certificate_verification_status_print(tls_credentials_judge(end->session), GNUTLS_CRT_X509, &text,
                                                            0) >= 0) {
        snprintf(out, TLS_FAILURE_SIZE, "%s", text.data);
        gnutls_free(text.data);
    } else if (code == GNUTLS_E_PULL_ERROR && end->fruitless >= TLS_FRUITLESS_MAX) {
        end->tls->overlong++;
        snprintf(out, TLS_FAILURE_SIZE, "the other side says more than %d bytes of TLS before any of the stream",
                 TLS_FRUITLESS_MAX);
    } else {
        snprintf(out, TLS_FAILURE_SIZE, "%s", gnutls_strerror(code));
    }
}

void tls_note_failure(struct tls *tls, const char *text)
{
    tls->failures++;
    snprintf(tls->failure, TLS_FAILURE_SIZE, "%s", text);
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
        end->shown = end->fruitless;
        end->fruitless = 0;
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
    ssize_t n;
    do {
        end->dry = false;
        n = gnutls_record_recv(end->session, at, TLS_RECORD_BYTES);
    } while (n < 0 && !end->dry && !gnutls_error_is_fatal((int)n));
    if (n > 0)
        end->fruitless = 0;
    return n < 0 && !gnutls_error_is_fatal((int)n) ? GNUTLS_E_AGAIN : n;
}

static ssize_t decrypt(struct tls_end *end)
{
    if (end->error && (!end->connected || !end->held.by))
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
    uint8_t *fit = realloc(at, (size_t)n);
    at = fit ? fit : at;
    if (hawser_buf_wrap(end->tls->env, at, (uint32_t)n, free, at, &end->text.buf) < 0) {
        free(at);
        return end->error = -ECONNABORTED;
    }
    end->text.data = at;
    end->text.len = (uint32_t)n;
    return 1;
}

/* ---- what is held ---- */

static void drop_text(struct tls_end *end)
{
    if (end->text.buf)
        hawser_buf_unref(end->text.buf);
    end->text = (struct hawser_slice){0};
}

/* GnuTLS has a message twice, as it is and among all that was said, until the handshake is over. */
static size_t all_held(const struct tls_end *end)
{
    return TLS_SESSION_BYTES + end->shown + tls_records_held(&end->records) + 2 * end->fruitless + end->waiting_len +
           (end->text.buf ? hawser_buf_capacity(end->text.buf) : 0);
}

static void abort_end(void *of);

/* Nothing is held for it any more but what goes with it. */
static void take_back(struct tls_end *end)
{
    end->error = -ECONNABORTED;
    end->tls->reset++;
    holders_leave(&end->tls->holders, &end->held);
    tls_records_destroy(&end->records);
    drop_text(end);
    drop_waiting(end);
}

/* Who has it gives it up. */
static void tell_taken_back(struct tls_end *end)
{
    const struct hawser_event event = {.what = HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE};
    if (end->closed)
        abort_end(end);
    else if (end->above)
        end->above->heard(end->above, &event, end->tls->heard_ns);
}

/* More may be held for it than before. */
static void recharge(struct tls_end *end)
{
    struct holders *holders = &end->tls->holders;
    const uint64_t before = end->held.bytes;
    holders_charge(holders, &end->held, all_held(end));
    if (end->held.bytes <= before)
        return;
    while (holders->bytes > holders->max && end->held.by) {
        struct tls_end *largest = HW_CONTAINER(holders_largest(holders), struct tls_end, held);
        take_back(largest);
        if (largest != end) /* or who called finds out */
            tell_taken_back(largest);
    }
}

/* ---- as an end ---- */

/* Decrypts what comes next, if nothing waits. */
static ssize_t fetch(struct tls_end *end)
{
    if (end->text.buf)
        return 1;
    ssize_t n = decrypt(end);
    recharge(end);
    return end->held.by ? n : end->error;
}

static ssize_t take(void *of, struct hawser_slice *slice)
{
    struct tls_end *end = of;
    ssize_t n = fetch(end);
    if (n > 0) {
        *slice = end->text;
        end->text = (struct hawser_slice){0};
        recharge(end);
    }
    return n;
}

static ssize_t peek(void *of, struct hawser_part *parts, size_t max)
{
    struct tls_end *end = of;
    (void)max;
    ssize_t n = fetch(end);
    if (n > 0)
        parts[0] = (struct hawser_part){end->text.data, end->text.len};
    return n == -ENOBUFS ? -EAGAIN : n;
}

static void consume(void *of, size_t len)
{
    struct tls_end *end = of;
    end->text.data += len;
    end->text.len -= (uint32_t)len;
    if (end->text.len > 0)
        return;
    drop_text(end);
    recharge(end);
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
    recharge(end);
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
    gnutls_deinit(end->session);
    tls_credentials_unref(end->identity.credentials);
    holders_leave(&end->tls->holders, &end->held);
    tls_records_destroy(&end->records);
    drop_text(end);
    drop_waiting(end);
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
    if (!end->held.by) /* it was told */
        return 0;
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
    recharge(end);
    return end->error && !had_failed ? what | HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE : what;
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct tls_end *end = HW_CONTAINER(watch, struct tls_end, watch);
    end->tls->heard_ns = now_ns;
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
    code = tls_credentials_use(end->tls->credentials, end->session, &end->identity);
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_pull_function(end->session, pull);
    gnutls_transport_set_pull_timeout_function(end->session, pull_timeout);
    gnutls_transport_set_push_function(end->session, push);
    return code;
}

int tls_end_new(struct tls *tls, struct end below, const struct hawser_addr *whose, struct end *out)
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
    struct hawser_addr other;
    struct tls_end *end = calloc(1, sizeof *end);
    if (!end)
        return -ENOMEM;
    *end = (struct tls_end){.watch = {heard}, .tls = tls, .below = below};
    list_init(&end->closing);
    tls_records_init(&end->records, below, &tls->intake);
    end_peer(below, &other);
    guest_subscriber(&other);
    int error = holders_enter(&tls->holders, &end->held, whose ? whose : &other, TLS_SESSION_BYTES);
    if (!error && new_session(end) < 0)
        error = -ENOMEM;
    if (error) {
        free_end(end);
        return error;
    }
    end_watch(below, &end->watch);
    shake_hands(end); /* something may be there already */
    holders_charge(&tls->holders, &end->held, all_held(end));
    *out = (struct end){&ops, end};
    return 0;
}

int tls_init(struct tls *tls, struct tls_credentials *credentials, const struct hawser_env *env)
{
    *tls = (struct tls){.env = env, .credentials = credentials, .intake.taken_max = TLS_TAKEN_MAX};
    list_init(&tls->closing);
    return holders_init(&tls->holders, env, TLS_HELD_MAX);
}

void tls_renew(struct tls *tls, struct tls_credentials *credentials)
{
    tls_credentials_unref(tls->credentials);
    tls->credentials = credentials;
}

struct tls_counts tls_counts(const struct tls *tls)
{
    return (struct tls_counts){.held_bytes = tls->holders.bytes,
                               .no_room = tls->holders.refused,
                               .reset = tls->reset,
                               .overlong = tls->overlong,
                               .copied = tls->intake.untaken_bytes};
}

void tls_destroy(struct tls *tls)
{
    LIST_EACH (it, &tls->closing)
        abort_end(LIST_ENTRY(it, struct tls_end, closing));
    holders_destroy(&tls->holders);
    tls_credentials_unref(tls->credentials);
}
