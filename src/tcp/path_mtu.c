/*
 * What size of packets the path takes: by what routers say (RFC 1191, RFC 8201), as far as it can be believed (RFC 5927
 * 7.2), by packets that disappear because of their size (RFC 4821 7.7), and upwards by a larger one of real data now
 * and then (RFC 4821 7). What is under way and too large leaves again, cut anew, without a word to congestion control.
 */
#include "base/compiler.h"
#include "tcp/internal.h"
#include "wire/icmp_error.h"

/* What is tried where nobody says a size: Ethernet, what IPv6 guarantees, what IPv4 does. */
static const uint16_t guesses[] = {1500, 1280, 576};
/* Timeouts before what IPv6 guarantees is too large, if nothing at all is heard: then it is rather that nobody is
 * there, and where other paths carry the stream there is time to find out. */
#define SILENT_TIMEOUTS 3u
#define MINUTE_NS (60 * NS_PER_S)
/* A super-segment with its headers must fit in 16 bits of IP length. */
#define SUPER_SEGMENT_MAX 65000u
#define RAISE_NS (PATH_MTU_RAISE_MIN * MINUTE_NS)

static uint32_t mtu_min(const struct tcp *tcp)
{
    return hawser_addr_is_v4(&tcp->config.remote) ? PATH_MTU_MIN_V4 : PATH_MTU_MIN_V6;
}

/* The largest packet that the link and the peer take, but for the options. */
static uint32_t mtu_max(const struct tcp *tcp)
{
    return HW_MIN((uint32_t)tcp->config.mtu, tcp->peer_mss + tcp_headers(tcp));
}

/* A full packet as it leaves now. */
static uint32_t mtu_now(const struct tcp *tcp) { return HW_MIN((uint32_t)tcp->config.path.mtu, mtu_max(tcp)); }

/* The largest packet of a record, or of its first `len` bytes. */
static uint32_t packet_of(const struct tcp *tcp, const struct tx_record *record, uint32_t len)
{
    return tcp_overhead(tcp) + (record->probe ? len : HW_MIN(len, tcp->segment_bytes));
}

static void set_mtu(struct tcp *tcp, uint32_t mtu)
{
    tcp->config.path.mtu = (uint16_t)mtu;
    tcp_settle_segment_size(tcp);
}

/* For connections to come. Not what silence suggests: that is a guess until a larger packet was lost where others pass.
 */
static void remember(struct tcp *tcp, uint64_t now_ns)
{
    const struct tcp_config *c = &tcp->config;
    if (c->path.mtu < c->mtu)
        path_mtus_note(&tcp->host->path_mtus, &c->local, &c->remote, c->path.mtu, now_ns);
    else
        path_mtus_forget(&tcp->host->path_mtus, &c->local, &c->remote);
}

/* ---- downwards ---- */

/* What is under way and does not fit was dropped, or will be, because of its size. */
static void cut_anew(struct tcp *tcp, uint32_t before)
{
    struct tcp_flight *f = tcp->flight;
    LIST_EACH (node, &f->txq.sent) {
        struct tx_record *record = LIST_ENTRY(node, struct tx_record, link);
        if (HW_MIN(record->len, record->probe ? record->len : before) > tcp->segment_bytes)
            txq_mark_lost(&f->txq, record);
    }
}

static void lower(struct tcp *tcp, uint32_t mtu, uint64_t wait_ns, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    tcp->config.path.looked_min = (uint8_t)(now_ns / MINUTE_NS);
    *s = (struct tcp_path_search){.raise_ns = now_ns + wait_ns, .passed = (uint16_t)HW_MIN(s->passed, mtu)};
    set_mtu(tcp, mtu);
}

/* RFC 1191 6.4: at once, and the window stays what it is. */
static void lower_as_told(struct tcp *tcp, uint32_t mtu, uint64_t now_ns)
{
    uint32_t before = tcp->segment_bytes;
    count(&tcp->host->counters, COUNT_TCP_PATH_MTUS);
    lower(tcp, mtu, RAISE_NS, now_ns);
    remember(tcp, now_ns);
    cut_anew(tcp, before);
    tcp->flight->tail.end = 0; /* what it stood for is no loss by congestion */
    tcp_arm_retransmit(tcp, now_ns);
    tcp_arm_probe(tcp, now_ns);
    tcp_timers_arm(tcp);
    tcp->hooks->wake(tcp);
}

static uint32_t guess_below(uint32_t mtu)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(guesses); i++)
        if (guesses[i] < mtu)
            return guesses[i];
    return mtu;
}

/* Timeouts before the size is suspected. Of one that has passed none it is likelier. */
static unsigned patience_with(struct tcp *tcp, const struct tx_record *oldest)
{
    const struct tcp_path_search *s = &tcp->flight->search;
    struct hawser_sibling paths[2];
    uint32_t mtu = mtu_now(tcp);
    if (mtu <= PATH_MTU_MIN_V6 && tcp->liveness.heard_ns < oldest->sent_ns && tcp->hooks->siblings(tcp, paths, 2) > 1)
        return SILENT_TIMEOUTS;
    return s->passed < mtu ? 1 : PATH_MTU_TIMEOUTS;
}

/* A large packet is not answered: is it its size? */
static bool suspect_size(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    const struct tx_record *oldest = txq_oldest(&tcp->flight->txq);
    uint32_t mtu = mtu_now(tcp), guess = HW_MAX(guess_below(mtu), mtu_min(tcp));
    if (tcp->snd_wnd == 0) { /* as far as anybody knows it arrives, and there is no room for it */
        s->passed = (uint16_t)mtu;
        return false;
    }
    if (guess >= mtu || packet_of(tcp, oldest, oldest->len) <= guess || ++s->timeouts < patience_with(tcp, oldest))
        return false;
    count(&tcp->host->counters, COUNT_TCP_BLACK_HOLES);
    const uint32_t ssthresh =
        tcp->flight->timeouts ? s->ssthresh : tcp->cc.ssthresh_bytes; /* at the first of these timeouts */
    lower(tcp, guess, 0, now_ns);                                     /* what is sent next tries whether that was it */
    s->passed = 0;                                                    /* whatever did */
    s->ssthresh = ssthresh;                                           /* until then it may have been congestion */
    return true;
}

/* Is it said of something that is not answered? */
static bool is_claimed(const struct tcp *tcp)
{
    const struct tcp_path_search *s = &tcp->flight->search;
    return s->claim && s->claim < mtu_now(tcp) && s->claim_ssn >= tcp->snd_una;
}

bool tcp_path_on_silence(struct tcp *tcp, uint64_t now_ns)
{
    bool claimed = is_claimed(tcp);
    if (claimed)
        lower_as_told(tcp, tcp->flight->search.claim, now_ns);
    return claimed;
}

static bool believe_claim(struct tcp *tcp, uint64_t now_ns)
{
    if (!is_claimed(tcp))
        return false;
    count(&tcp->host->counters, COUNT_TCP_PATH_MTUS);
    lower(tcp, tcp->flight->search.claim, RAISE_NS, now_ns);
    remember(tcp, now_ns);
    return true;
}

bool tcp_path_on_timeout(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->state < TCPS_ESTABLISHED)
        return false;
    if (tcp->flight->search.probing)
        tcp_path_refuses(tcp, now_ns);
    bool told = believe_claim(tcp, now_ns);
    if (!told && !suspect_size(tcp, now_ns))
        tcp_path_is_congested(tcp);
    tcp->flight->search.claim = 0;
    if (tcp->flight->timeouts) /* the window is one segment, as it was at the first of these timeouts */
        tcp->cc.cwnd_bytes = HW_MIN(tcp->cc.cwnd_bytes, tcp->segment_bytes);
    return told;
}

/* ---- upwards ---- */

uint32_t tcp_probe_bytes(const struct tcp *tcp)
{
    const struct tcp_flight *f = tcp->flight;
    if (!f || f->search.probing || f->last_data_ns < f->search.raise_ns || f->recovery.active ||
        tcp->state < TCPS_ESTABLISHED)
        return 0;
    /* What a search found out so long ago says nothing of the path as it is. */
    const bool fresh = f->last_data_ns - f->search.raise_ns < RAISE_NS;
    uint32_t size = f->search.next && fresh ? f->search.next : mtu_max(tcp);
    return size > mtu_now(tcp) ? size - tcp_overhead(tcp) : 0;
}

uint32_t tcp_send_max(const struct tcp *tcp)
{
    uint32_t probe = tcp_probe_bytes(tcp);
    if (probe || tcp->config.gso_bytes <= tcp->segment_bytes)
        return HW_MAX(probe, tcp->segment_bytes);
    uint32_t max = HW_MIN(tcp->config.gso_bytes, SUPER_SEGMENT_MAX);
    return max - max % tcp->segment_bytes;
}

void tcp_path_probing(struct tcp *tcp, uint32_t len)
{
    count(&tcp->host->counters, COUNT_TCP_MTU_PROBES);
    tcp->flight->search.probe_ssn = tcp->snd_nxt;
    tcp->flight->search.probing = (uint16_t)(len + tcp_overhead(tcp));
}

/* Halfway between what arrives and what does not, until that is close enough. */
static void search_on(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    uint32_t low = mtu_now(tcp), high = s->too_big;
    s->probing = 0;
    tcp->config.path.looked_min = (uint8_t)(now_ns / MINUTE_NS);
    if (high > low + PATH_MTU_PRECISION) {
        s->next = (uint16_t)((low + high) / 2);
        s->raise_ns = now_ns + PATH_MTU_SEARCH_NS;
        return;
    }
    s->next = s->too_big = 0;
    s->raise_ns = low < mtu_max(tcp) ? tcp_raise_due(tcp, now_ns) : TIME_NEVER;
}

void tcp_path_refuses(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    if (!s->probing)
        return;
    s->too_big = s->probing;
    remember(tcp, now_ns);
    search_on(tcp, now_ns);
}

/* RFC 1191 6.4 */
void tcp_path_was_narrow(struct tcp *tcp)
{
    struct tcp_path_search *s = &tcp->flight->search;
    tcp->cc.ssthresh_bytes = HW_MAX(tcp->cc.ssthresh_bytes, s->ssthresh);
    s->ssthresh = 0;
}

void tcp_path_is_congested(struct tcp *tcp) { tcp->flight->search.ssthresh = 0; }

void tcp_path_forget_probe(struct tcp *tcp) { tcp->flight->search.probing = 0; }

void tcp_path_passes(struct tcp *tcp, const struct tx_record *record, uint64_t end)
{
    struct tcp_path_search *s = &tcp->flight->search;
    uint32_t size = packet_of(tcp, record, (uint32_t)HW_MIN(end - record->ssn, (uint64_t)record->len));
    s->passed = (uint16_t)HW_MAX(s->passed, size);
    if (s->timeouts && size > guess_below(mtu_now(tcp)))
        s->timeouts = 0;
}

void tcp_path_settle(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    if (!s->probing || s->passed < s->probing)
        return;
    set_mtu(tcp, s->probing);
    s->ssthresh = 0;
    remember(tcp, now_ns);
    search_on(tcp, now_ns);
}

/* ---- what routers say ---- */

bool tcp_is_under_way(const struct tcp *tcp, seq32 seq)
{
    uint64_t ssn = tcp_tx_ssn(tcp, seq);
    return tcp->flight && tcp->state != TCPS_CLOSED && ssn >= tcp->snd_una && ssn < tcp->snd_nxt;
}

/* May one more error have consequences in this second? */
static bool may_act(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_rations *r = tcp_rations_now(tcp, now_ns);
    if (r->icmp == 0) {
        count(&tcp->host->counters, COUNT_LIMIT_ICMP);
        return false;
    }
    r->icmp--;
    return true;
}

/* The probe was too big, and it is known by how much. */
static void probe_too_big(struct tcp *tcp, uint32_t mtu, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    struct tx_record *probe = txq_find_unsacked(&tcp->flight->txq, s->probe_ssn);
    if (probe && probe->probe)
        txq_mark_lost(&tcp->flight->txq, probe);
    s->too_big = (uint16_t)(mtu + 1);
    tcp_path_was_narrow(tcp);
    search_on(tcp, now_ns);
    if (mtu > mtu_now(tcp)) {
        s->too_big = (uint16_t)(mtu + 1); /* it may have been so close that the search is over */
        s->next = (uint16_t)mtu;
        s->raise_ns = now_ns;
    }
    tcp->hooks->wake(tcp);
}

void tcp_too_big(struct tcp *tcp, seq32 seq, uint32_t packet_len, uint32_t mtu, uint64_t now_ns)
{
    struct tcp_path_search *s = &tcp->flight->search;
    uint32_t now = mtu_now(tcp), sent = HW_MIN(packet_len, HW_MAX(now, (uint32_t)s->probing));
    bool v4 = hawser_addr_is_v4(&tcp->config.remote);
    if (mtu == 0 && v4)
        mtu = icmp_plateau_below(sent);
    if (v4)
        mtu = HW_MAX(mtu, PATH_MTU_MIN_V4);
    /* RFC 1191 6.4: only what makes it less is news; RFC 8201 4: no path of IPv6 is narrower than that. */
    if (tcp->state < TCPS_ESTABLISHED || mtu >= sent || mtu < mtu_min(tcp)) {
        count(&tcp->host->counters, COUNT_DROP_ICMP_MTU);
    } else if (mtu < now && s->passed > mtu) { /* RFC 5927 7.2 */
        uint64_t ssn = tcp_tx_ssn(tcp, seq);
        s->claim_ssn = is_claimed(tcp) ? HW_MIN(s->claim_ssn, ssn) : ssn;
        s->claim = (uint16_t)mtu;
    } else if (!may_act(tcp, now_ns)) {
        return;
    } else if (mtu < now) {
        lower_as_told(tcp, mtu, now_ns);
    } else {
        probe_too_big(tcp, mtu, now_ns);
    }
}

void tcp_note_unreachable(struct tcp *tcp, int error, bool hard, uint64_t now_ns)
{
    tcp->config.path.icmp_error = (uint8_t)error;
    if (!hard || tcp->state < TCPS_ESTABLISHED || tcp->flight->alive_pending || !may_act(tcp, now_ns))
        return;
    tcp->flight->alive_pending = true;
    tcp_probe_now(tcp);
    tcp->hooks->event(tcp, TCP_EVENT_SILENT, now_ns);
}
