#include "sim/judges/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "sim/digest.h"
#include "sim/memory.h"
#include "sim/wrap.h"

/* ---- tables ---- */

static unsigned bucket_of(const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint64_t h = digest_bytes(local->port, local->ip, sizeof local->ip);
    return (unsigned)(digest_bytes(h + remote->port, remote->ip, sizeof remote->ip) % JUDGE_BUCKETS);
}

static bool same_addr(const struct hawser_addr *a, const struct hawser_addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static struct judge_subflow *find(struct judge_host *at, const struct hawser_addr *local,
                                  const struct hawser_addr *remote)
{
    struct judge_subflow *s = at->buckets[bucket_of(local, remote)];
    while (s && !(same_addr(&s->local, local) && same_addr(&s->remote, remote)))
        s = s->next;
    return s;
}

static struct judge_conn *new_conn(struct judge_host *at)
{
    struct judge_conn *conn = sim_new(sizeof *conn);
    conn->at = at;
    conn->data.next = conn->data_max = conn->bytes_from = 1;
    list_init(&conn->link);
    list_push_back(&at->conns, &conn->link);
    return conn;
}

void model_drop_bytes(struct judge_conn *conn)
{
    conn->at->all->bytes_held -= conn->bytes_size;
    sim_free(conn->bytes);
    conn->bytes = NULL;
    conn->bytes_size = 0;
    conn->bytes_from = conn->data_max;
}

static void close_over(struct judge_subflow *s)
{
    if (s->over)
        return;
    s->over = true;
    if (s->conn && --s->conn->alive == 0)
        model_drop_bytes(s->conn);
}

static void enter_conn(struct judge_subflow *s, struct judge_conn *conn)
{
    s->conn = conn;
    conn->subflows++;
    conn->alive++;
}

static void leave_conn(struct judge_subflow *s)
{
    struct judge_conn *conn = s->conn;
    close_over(s);
    s->over = false;
    if (--conn->subflows)
        return;
    model_drop_bytes(conn);
    spans_fini(&conn->data);
    list_remove(&conn->link);
    sim_free(conn);
}

static void remove_subflow(struct judge_host *at, struct judge_subflow *s)
{
    struct judge_subflow **place = &at->buckets[bucket_of(&s->local, &s->remote)];
    while (*place != s)
        place = &(*place)->next;
    *place = s->next;
    if (s->conn)
        leave_conn(s);
    list_remove(&s->link);
    spans_fini(&s->arrived);
    maps_fini(&s->sent_maps);
    maps_fini(&s->heard_maps);
    at->count--;
    sim_free(s);
}

/* Room for one more: the oldest that is over, or that the host never answered, goes. */
static bool make_room(struct judge_host *at)
{
    if (at->count < JUDGE_SUBFLOWS_MAX)
        return true;
    LIST_EACH (it, &at->subflows) {
        struct judge_subflow *s = LIST_ENTRY(it, struct judge_subflow, link);
        if (s->over || !s->iss_known) {
            remove_subflow(at, s);
            return true;
        }
    }
    return false;
}

/* It may have lost its last subflow, and this be the next. */
static struct judge_conn *conn_of_token(struct judge_host *at, uint32_t token, bool local)
{
    LIST_EACH (it, &at->conns) {
        struct judge_conn *conn = LIST_ENTRY(it, struct judge_conn, link);
        const struct judge_key *key = local ? &conn->local : &conn->remote;
        if (key->known && key->token == token)
            return conn;
    }
    return NULL;
}

static struct judge_subflow *new_subflow(struct judge_host *at, const struct seen *syn, bool opened)
{
    if (!make_room(at))
        return NULL;
    struct judge_subflow *s = sim_new(sizeof *s);
    s->local = opened ? syn->src : syn->dst;
    s->remote = opened ? syn->dst : syn->src;
    s->opened = opened;
    s->join = seen_has(syn, SEEN_JOIN);
    struct judge_conn *conn = s->join ? conn_of_token(at, syn->join_token, !opened) : new_conn(at);
    s->blind = !conn; /* a join to nowhere */
    if (conn)
        enter_conn(s, conn);
    struct judge_subflow **bucket = &at->buckets[bucket_of(&s->local, &s->remote)];
    s->next = *bucket;
    *bucket = s;
    list_init(&s->link);
    list_push_back(&at->subflows, &s->link);
    at->count++;
    return s;
}

void model_add_host(struct judge_host *at, struct judges *all, struct host *host)
{
    at->all = all;
    at->host = host;
    list_init(&at->subflows);
    list_init(&at->conns);
}

void model_remove_host(struct judge_host *at)
{
    LIST_EACH (it, &at->subflows)
        remove_subflow(at, LIST_ENTRY(it, struct judge_subflow, link));
}

void judge_says(const struct judge_subflow *subflow, const char *rule, const char *format, ...)
{
    char story[160], local[HAWSER_ADDR_STRLEN], remote[HAWSER_ADDR_STRLEN];
    const struct judge_host *at = subflow->conn->at;
    va_list args;
    va_start(args, format);
    vsnprintf(story, sizeof story, format, args);
    va_end(args);
    world_violation(at->all->world, rule, "%s %s > %s: %s", at->host->node.name,
                    hawser_addr_format(&subflow->local, local, sizeof local),
                    hawser_addr_format(&subflow->remote, remote, sizeof remote), story);
}

/* ---- keys ---- */

static uint64_t read_big(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes--)
        v = v << 8 | *p++;
    return v;
}

/* RFC 8684 3.1: the token is the first 32 bits of the key's SHA-256, the IDSN the last 64. */
static void learn_key(const struct judge_host *at, struct judge_key *out, uint64_t key)
{
    uint8_t bytes[8], digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;
    if (out->known)
        return;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(key >> (56 - 8 * i));
    sha256_init(&sha);
    sha256_update(&sha, sizeof bytes, bytes);
    sha256_digest(&sha, sizeof digest, digest);
    uint64_t idsn = read_big(digest + sizeof digest - 8, 8);
    *out = (struct judge_key){.known = true, .key = key, .token = (uint32_t)read_big(digest, 4)};
    out->idsn = at->all->stage->scenario->wrap_soon ? wrap_soon_idsn(idsn) : idsn;
}

/* ---- what a host sends ---- */

void model_blind(struct judge_subflow *s)
{
    s->blind = true;
    if (s->conn)
        s->conn->data_blind = s->conn->stream_blind = true; /* what it carries is not seen either way */
}

/* The host forgot a half-open subflow and answers the same SYN again: all but that SYN is new. */
static void restart(struct judge_host *at, struct judge_subflow *s)
{
    const struct judge_subflow old = *s;
    maps_fini(&s->sent_maps);
    maps_fini(&s->heard_maps);
    spans_fini(&s->arrived);
    *s = (struct judge_subflow){.next = old.next,
                                .link = old.link,
                                .local = old.local,
                                .remote = old.remote,
                                .conn = old.conn,
                                .join = old.join,
                                .over = old.over,
                                .irs_known = true,
                                .irs = old.irs,
                                .arrived.next = 1,
                                .peer_has_scale = old.peer_has_scale,
                                .peer_scale = old.peer_scale,
                                .peer_has_mss = old.peer_has_mss,
                                .peer_mss = old.peer_mss,
                                .peer_timestamps = old.peer_timestamps,
                                .syn_mptcp = old.syn_mptcp};
    if (s->over)
        s->conn->alive++;
    s->over = false;
    if (s->join)
        return;
    struct judge_conn *conn = new_conn(at);
    conn->offered = old.conn->offered;
    conn->wants_checksums[1] = old.conn->wants_checksums[1];
    leave_conn(s);
    enter_conn(s, conn);
}

struct judge_subflow *model_sending(struct judge_host *at, const struct seen *seen)
{
    struct judge_subflow *s = find(at, &seen->src, &seen->dst);
    bool opens = seen->flags & SEEN_SYN && !(seen->flags & SEEN_ACK);
    if (opens && !(s && s->opened && s->iss_known && s->iss == seen->seq)) {
        if (s)
            remove_subflow(at, s);
        s = new_subflow(at, seen, true);
    }
    if (!s)
        return NULL;
    s->refused |= !s->iss_known && seen->flags & SEEN_RST;
    if (seen->flags & SEEN_SYN) {
        bool again = s->iss_known && s->iss != seen->seq;
        bool right = s->opened || (s->irs_known && seen->ack == s->irs + 1); /* it answers the SYN we know of */
        bool unclear = s->syn_varies && (again || !s->iss_known);            /* but with which options? */
        if (again && right && !s->opened && !s->blind && !unclear)
            restart(at, s);
        else if (again || !right || unclear)
            model_blind(s); /* an incarnation of which we missed the beginning */
        s->iss_known = true;
        s->iss = seen->seq;
    }
    if (s->blind || !s->iss_known)
        return NULL;
    if (seen_has(seen, SEEN_CAPABLE) && seen->capable.len >= 12)
        learn_key(at, &s->conn->local, seen->capable.sender_key);
    return s;
}

static void note_over(struct judge_subflow *s, bool reset)
{
    bool closed = s->fin_end && s->acked >= s->fin_end && s->peer_fin;
    if (reset || closed)
        close_over(s);
}

void model_sent(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    uint64_t end = sent_seq(s, seen->seq) + seen_span(seen);
    if (seen->flags & SEEN_RST) {
        /* RFC 9293 3.10.7.3: one without ACK may only answer a segment whose acknowledgement is wrong. */
        s->reset |= seen->flags & SEEN_ACK || end == s->sent_max;
        note_over(s, s->reset);
        return;
    }
    s->sent_max = HW_MAX(s->sent_max, end);
    if (seen->flags & SEEN_FIN)
        s->fin_end = end;
    if (seen->flags & SEEN_SYN) {
        s->has_scale = seen->has_scale;
        s->scale = seen->scale;
        s->timestamps_sent = seen->has_timestamps;
        if (seen_has(seen, SEEN_CAPABLE)) {
            conn->offered = true;
            conn->wants_checksums[0] = seen->capable.flags & 0x80;
        }
        return;
    }
    if (seen->mptcp)
        conn->speaks = true;
    if (s->join && s->opened && seen_has(seen, SEEN_JOIN))
        s->proof_sent = true;
}

/* ---- what is delivered ---- */

static void take_syn_options(struct judge_subflow *s, const struct seen *seen)
{
    s->irs_known = true;
    s->irs = seen->seq;
    s->peer_has_scale = seen->has_scale;
    s->peer_scale = seen->scale;
    s->peer_has_mss = seen->has_mss;
    s->peer_mss = seen->mss;
    s->peer_timestamps = seen->has_timestamps;
    s->syn_mptcp = seen->mptcp;
    if (!s->join && seen_has(seen, SEEN_CAPABLE)) {
        s->conn->wants_checksums[1] = seen->capable.flags & 0x80;
        if (s->opened)
            s->conn->peer_answered = true;
        else
            s->conn->offered = true;
    }
}

/* A SYN for a listener or a token. One that finds a subflow is a repetition, an attack, or its successor. */
static struct judge_subflow *delivered_syn(struct judge_host *at, struct judge_subflow *s, const struct seen *seen)
{
    if (s && s->opened && s->iss_known && !s->irs_known && !s->over) /* SYNs that cross: RFC 9293 3.5 */
        take_syn_options(s, seen);
    if (s && !s->refused && s->irs_known && s->irs == seen->seq) {
        s->syn_varies |= s->syn_mptcp != seen->mptcp || s->peer_has_scale != seen->has_scale ||
                         s->peer_timestamps != seen->has_timestamps || s->peer_mss != seen->mss;
        s->conn->offered |= !s->join && seen_has(seen, SEEN_CAPABLE); /* a middlebox may have eaten it at first */
        return s;
    }
    if (s && !s->over && s->iss_known)
        return s;
    if (s)
        remove_subflow(at, s);
    s = new_subflow(at, seen, false);
    if (s && !s->blind)
        take_syn_options(s, seen);
    return s;
}

/* RFC 8684 3.1: the listener's answer brings its key, the third packet the opener's. */
static void delivered_keys(struct judge_subflow *s, const struct seen *seen)
{
    struct judge_conn *conn = s->conn;
    if (s->join || !seen_has(seen, SEEN_CAPABLE) || seen->capable.len < 12)
        return;
    bool answer = s->opened && seen->flags & SEEN_SYN;
    bool third = !s->opened && seen->capable.len >= 20 && seen->capable.receiver_key == conn->local.key;
    if (answer || third)
        learn_key(conn->at, &conn->remote, seen->capable.sender_key);
}

/* Did it leave segments lying for want of memory? */
static bool has_refused(const struct host *host)
{
    static const char *const counters[] = {"drop.no_memory", "drop.old_timestamp", "limit.mappings",
                                           "limit.out_of_order_memory", "limit.out_of_order_dropped"};
    uint64_t refused = 0;
    for (size_t i = 0; i < HW_ARRAY_LEN(counters); i++)
        refused += host_counter(host, counters[i]);
    return refused > 0;
}

/* Exactly at the next number (RFC 5961 3.2), which is not what arrived but what was taken; an acknowledgement tells. */
static bool takes_reset(const struct judge_subflow *s, const struct seen *seen)
{
    bool taken = s->ack_max >= s->arrived.next || !has_refused(s->conn->at->host);
    return peer_seq(s, seen->seq) == s->arrived.next && taken;
}

struct judge_subflow *model_delivered(struct judge_host *at, const struct seen *seen)
{
    struct judge_subflow *s = find(at, &seen->dst, &seen->src);
    bool syn = seen->flags & SEEN_SYN, ack = seen->flags & SEEN_ACK;
    if (syn && !ack)
        s = delivered_syn(at, s, seen);
    if (!s || s->blind)
        return NULL;
    if (syn && ack && s->opened && !s->irs_known && s->iss_known && seen->ack == s->iss + 1)
        take_syn_options(s, seen);
    if (!s->irs_known || (syn && seen->seq != s->irs))
        return NULL;
    if (seen->flags & SEEN_RST) {
        note_over(s, takes_reset(s, seen));
        return s;
    }
    delivered_keys(s, seen);
    tidings_take(s, seen);
    note_over(s, false);
    return s;
}
