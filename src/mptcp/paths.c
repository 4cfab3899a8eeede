/* The path manager: joins from our addresses, and what addresses the hosts tell each other (RFC 8684 3.2, 3.4). */
#include <errno.h>
#include <string.h>

#include "mptcp/conn.h"
#include "wire/keys.h"

/* ID 0 is the address of the first subflow (RFC 8684 3.2); the others have that of the host's list. */
uint8_t paths_local_id(const struct conn *conn, const struct hawser_addr *addr)
{
    if (hawser_addr_same_ip(&conn->paths.local, addr))
        return 0;
    for (unsigned i = 0; i < conn->host->address_count; i++)
        if (hawser_addr_same_ip(&conn->host->addresses[i].addr, addr))
            return conn->host->addresses[i].id;
    return 0;
}

/* One that is closed, and only has to say so yet, uses no address any more. */
static bool is_open(const struct subflow *subflow) { return subflow->tcp.state != TCPS_CLOSED; }

static bool local_in_use(const struct conn *conn, const struct hawser_addr *addr)
{
    EACH_SUBFLOW (it, conn)
        if (is_open(subflow_at(it)) && hawser_addr_same_ip(&subflow_at(it)->tcp.config.local, addr))
            return true;
    return false;
}

static bool remote_in_use(const struct conn *conn, const struct hawser_addr *addr)
{
    EACH_SUBFLOW (it, conn)
        if (is_open(subflow_at(it)) && hawser_addr_same_ip(&subflow_at(it)->tcp.config.remote, addr))
            return true;
    return false;
}

static void join(struct conn *conn, const struct local_address *local, const struct hawser_addr *remote,
                 uint8_t remote_id, uint64_t now_ns)
{
    struct subflow *subflow;
    if (conn->endings.error) /* its application knows that it is over */
        return;
    if (conn_add_subflow(conn, local, 0, remote, now_ns, &subflow) < 0)
        return;
    subflow->join = true;
    subflow->remote_id = remote_id;
    subflow->local_id = paths_local_id(conn, &local->addr);
    conn->host->tcp.env.random(conn->host->tcp.env.ctx, &subflow->join_proof.local_nonce,
                               sizeof subflow->join_proof.local_nonce);
    (void)tcp_connect(&subflow->tcp, now_ns); /* without memory the subflow stays closed and is reaped */
}

/* The client opens a subflow from an address that has none. */
static void join_if_idle(struct conn *conn, const struct local_address *local, uint64_t now_ns)
{
    if (!conn->identity.peer_refuses_joins &&
        hawser_addr_is_v4(&local->addr) == hawser_addr_is_v4(&conn->paths.remote) && !local_in_use(conn, &local->addr))
        join(conn, local, &conn->paths.remote, 0, now_ns);
}

static void speak_up(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn)
        tcp_signal_now(&subflow_at(it)->tcp);
    signal_arm(conn, now_ns);
}

/* The server tells of another address; the client, likely behind a NAT, opens the subflow. */
static void announce(struct conn *conn, const struct local_address *local)
{
    uint8_t id = paths_local_id(conn, &local->addr);
    if (id == 0 || conn->paths.announcement_count == ADDRESSES_MAX ||
        hawser_addr_is_v4(&local->addr) != hawser_addr_is_v4(&conn->paths.remote))
        return;
    conn->paths.announcements[conn->paths.announcement_count++] = (struct announcement){.id = id, .addr = local->addr};
    conn->paths.announce_now = true;
}

void paths_address_added(struct conn *conn, const struct local_address *local, uint64_t now_ns)
{
    if (conn->fallback.mode != CONN_MPTCP || !conn->identity.confirmed)
        return;
    if (!conn->identity.server) {
        join_if_idle(conn, local, now_ns);
        return;
    }
    announce(conn, local);
    if (conn->paths.announce_now)
        speak_up(conn, now_ns);
}

static void forget_announcement(struct conn *conn, uint8_t id)
{
    for (unsigned i = 0; i < conn->paths.announcement_count; i++)
        if (conn->paths.announcements[i].id == id)
            conn->paths.announcements[i--] = conn->paths.announcements[--conn->paths.announcement_count];
}

/* RFC 8684 3.4.2: the peer is told on every subflow that is left, once; nobody acknowledges that. */
void paths_address_removed(struct conn *conn, const struct local_address *local, uint64_t now_ns)
{
    uint8_t id = paths_local_id(conn, &local->addr), told = 0;
    forget_announcement(conn, id);
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (hawser_addr_same_ip(&subflow->tcp.config.local, &local->addr))
            tcp_abort(&subflow->tcp, -EADDRNOTAVAIL, now_ns);
        else
            told += tcp_may_send(&subflow->tcp);
    }
    if (conn->fallback.mode != CONN_MPTCP || !told || conn->paths.removed.count == MPTCP_REMOVE_MAX)
        return;
    conn->paths.removed.ids[conn->paths.removed.count++] = id;
    conn->paths.removed_tells = told;
    speak_up(conn, now_ns);
}

struct announcement *paths_next_announcement(struct conn *conn)
{
    struct announcement *least = NULL;
    for (unsigned i = 0; i < conn->paths.announcement_count; i++) {
        struct announcement *a = &conn->paths.announcements[i];
        if (!a->echoed && a->tries < ANNOUNCE_TRIES_MAX && (!least || a->tries < least->tries))
            least = a;
    }
    return least;
}

static void take_echo(struct conn *conn, const struct mp_add_addr *add, uint64_t now_ns)
{
    for (unsigned i = 0; i < conn->paths.announcement_count; i++)
        if (conn->paths.announcements[i].id == add->address_id)
            conn->paths.announcements[i].echoed = true;
    const struct announcement *next = paths_next_announcement(conn);
    if (next && next->tries == 0) {
        conn->paths.announce_now = true;
        EACH_SUBFLOW (it, conn)
            tcp_signal_now(&subflow_at(it)->tcp);
    }
    signal_arm(conn, now_ns);
}

/* The address of ours to meet a new one of the peer's: one without a subflow, else that of the first subflow. */
static const struct local_address *choose_local(const struct conn *conn, const struct hawser_addr *remote)
{
    const struct local_address *fallback = NULL;
    for (unsigned i = 0; i < conn->host->address_count; i++) {
        const struct local_address *local = &conn->host->addresses[i];
        if (hawser_addr_is_v4(&local->addr) != hawser_addr_is_v4(remote))
            continue;
        if (!local_in_use(conn, &local->addr))
            return local;
        if (!fallback)
            fallback = local;
    }
    return fallback;
}

/* The client follows an address that the server told of. */
static void join_announced(struct conn *conn, uint8_t id, const struct hawser_addr *addr, uint64_t now_ns)
{
    struct hawser_addr remote = *addr;
    if (remote.port == 0)
        remote.port = conn->paths.remote.port;
    const struct local_address *local = choose_local(conn, &remote);
    if (conn->identity.server || !local || remote_in_use(conn, &remote))
        return;
    if (conn->paths.announced_joins == ANNOUNCED_JOINS_MAX) {
        count(&conn->host->tcp.counters, COUNT_DROP_ADD_ADDR_LIMIT);
        return;
    }
    conn->paths.announced_joins++;
    join(conn, local, &remote, id, now_ns);
}

/* Can a host have this address, seen from another one (RFC 1122 3.2.1.3, RFC 4291 2.5 to 2.7)? */
static bool is_reachable(const struct hawser_addr *addr)
{
    static const uint8_t zero[15];
    if (hawser_addr_is_v4(addr)) {
        uint8_t first = addr->ip[12];
        return first != 0 && first != 127 && first < 224;
    }
    return addr->ip[0] != 0xff && (memcmp(addr->ip, zero, sizeof zero) != 0 || addr->ip[15] > 1);
}

void paths_confirmed(struct conn *conn, uint64_t now_ns)
{
    for (unsigned i = 0; i < conn->host->address_count; i++)
        paths_address_added(conn, &conn->host->addresses[i], now_ns);
    for (unsigned i = 0; i < conn->paths.remote_addresses.count; i++) /* those that came before the first DSS */
        join_announced(conn, conn->paths.remote_addresses.list[i].id, &conn->paths.remote_addresses.list[i].addr,
                       now_ns);
}

void paths_add_addr(struct subflow *subflow, const struct mp_add_addr *add, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (add->echo) {
        take_echo(conn, add, now_ns);
        return;
    }
    struct mp_add_addr plain = *add;
    if (mptcp_add_addr_hmac(conn->identity.remote_key, conn->identity.local_key, &plain) != add->hmac64) {
        count(&conn->host->tcp.counters, COUNT_DROP_ADD_ADDR_HMAC);
        return;
    }
    conn->paths.echo = *add; /* RFC 8684 3.4.1: the same option with E set and no HMAC */
    conn->paths.echo.echo = true;
    conn->paths.echo_wanted = true;
    tcp_signal_now(&subflow->tcp);
    if (!is_reachable(&add->addr)) {
        count(&conn->host->tcp.counters, COUNT_DROP_ADD_ADDR_INVALID);
        return;
    }
    enum addresses_result result = addresses_put(&conn->paths.remote_addresses, add->address_id, &add->addr);
    if (result == ADDRESSES_FULL) {
        count(&conn->host->tcp.counters, COUNT_DROP_ADD_ADDR_LIMIT);
        return;
    }
    if (result == ADDRESSES_SAME)
        return;
    count(&conn->host->tcp.counters, COUNT_MPTCP_ADD_ADDR_IN);
    if (conn->identity.confirmed)
        join_announced(conn, add->address_id, &add->addr, now_ns);
}

void paths_remove_addr(struct conn *conn, const struct mp_remove_addr *remove, uint64_t now_ns)
{
    for (unsigned i = 0; i < remove->count; i++) {
        addresses_drop(&conn->paths.remote_addresses, remove->ids[i]);
        EACH_SUBFLOW (it, conn) {
            struct subflow *subflow = subflow_at(it);
            /* RFC 8684 3.4.2: never the last one on the word of an option alone. */
            if (subflow->remote_id == remove->ids[i] && subflows_have_successor(&conn->subflows, subflow))
                tcp_abort(&subflow->tcp, -ENETUNREACH, now_ns);
        }
    }
}
