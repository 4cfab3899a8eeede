#include "link/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"

enum { HUB_EVENTS = 64, HUB_EXPECTED = 8 };

struct hub_address {
    struct hash_node node;
    struct hawser_addr addr;
    struct hub_member *member;
};

struct hub_member {
    struct list all, gone; /* gone: in no list as long as it works, or was told */
    struct hub *hub;
    struct link *link;
    void *user;
    struct hub_address addresses[HUB_ADDRESSES];
    size_t address_count;
    bool failed;
};

struct hub {
    struct link link;
    struct hash_table addresses;
    struct list members, gone;
    struct hub_member *open;              /* whose packets are out */
    struct epoll_event ready[HUB_EVENTS]; /* what the kernel said last; those from `next` on have not had a turn */
    int ready_count, next;
};

static struct hub *hub_of(struct link *link) { return HW_CONTAINER(link, struct hub, link); }

static struct hub_member *member_of(const struct hub *b, const struct hawser_addr *addr)
{
    uint64_t hash = hash_bytes(&b->addresses, addr->ip, sizeof(addr->ip));
    for (struct hash_node *n = hash_first(&b->addresses, hash); n; n = hash_next(n)) {
        struct hub_address *address = HW_CONTAINER(n, struct hub_address, node);
        if (hawser_addr_same_ip(&address->addr, addr))
            return address->member;
    }
    return NULL;
}

/* An address of an IP packet, from its header; false where there is no room for one. */
static bool read_address(const uint8_t *packet, size_t len, bool source, struct hawser_addr *out)
{
    *out = (struct hawser_addr){0};
    if (len >= 20 && packet[0] >> 4 == 4) {
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, packet + (source ? 12 : 16), 4);
        return true;
    }
    if (len < 40 || packet[0] >> 4 != 6)
        return false;
    memcpy(out->ip, packet + (source ? 8 : 24), 16);
    return true;
}

static void take_counters(struct hub *b, struct link *from)
{
#define HUB_ADD(id, name) b->link.counters.id += from->counters.id;
    LINK_COUNTERS(HUB_ADD)
#undef HUB_ADD
    from->counters = (struct link_counters){0};
}

static void fail_member(struct hub_member *m)
{
    if (m->failed)
        return;
    m->failed = true;
    epoll_ctl(m->hub->link.fd, EPOLL_CTL_DEL, m->link->fd, NULL);
    list_push_back(&m->hub->gone, &m->gone);
}

/* The next one with packets, in turns; NULL: nobody has any. */
static struct hub_member *next_ready(struct hub *b)
{
    if (b->next == b->ready_count) {
        b->next = 0;
        b->ready_count = epoll_wait(b->link.fd, b->ready, HUB_EVENTS, 0);
        if (b->ready_count < 0)
            b->ready_count = 0;
    }
    return b->next < b->ready_count ? b->ready[b->next++].data.ptr : NULL;
}

/* Leaves out packets that nobody behind this member can have sent. */
static int keep_own(struct hub *b, const struct hub_member *m, struct hawser_rx *packets, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        struct hawser_addr source;
        if (read_address(packets[i].data, packets[i].len, true, &source) && member_of(b, &source) == m)
            packets[kept++] = packets[i];
        else
            b->link.counters.rx_foreign++;
    }
    return kept;
}

static int hub_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    struct hub *b = hub_of(link);
    for (int tries = 0; tries < HUB_EVENTS; tries++) {
        struct hub_member *m = next_ready(b);
        if (!m)
            break;
        int count = m->failed ? 0 : link_receive(m->link, out, max, now_ns);
        take_counters(b, m->link);
        if (count < 0)
            fail_member(m);
        count = count > 0 ? keep_own(b, m, out, count) : 0;
        if (count > 0) {
            b->open = m;
            return count;
        }
        link_release(m->link);
    }
    return 0;
}

static void hub_release(struct link *link)
{
    struct hub *b = hub_of(link);
    if (b->open)
        link_release(b->open->link);
    b->open = NULL;
}

static int hub_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    struct hub *b = hub_of(link);
    int sent = 0;
    for (size_t i = 0; i < count; i++) {
        struct hawser_addr to;
        struct hub_member *m =
            read_address(packets[i].head, packets[i].head_len, false, &to) ? member_of(b, &to) : NULL;
        if (!m || m->failed) {
            link->counters.tx_errors++;
            continue;
        }
        int result = link_transmit(m->link, &packets[i], 1, now_ns);
        take_counters(b, m->link);
        sent += HW_MAX(result, 0); /* who reads finds that it is gone, and is there to be told */
    }
    return sent;
}

static void hub_destroy(struct link *link)
{
    struct hub *b = hub_of(link);
    LIST_EACH (it, &b->members)
        hub_remove(LIST_ENTRY(it, struct hub_member, all));
    hash_destroy(&b->addresses);
    close(b->link.fd);
    free(b);
}

static const struct link_ops hub_ops = {hub_receive, hub_release, hub_transmit, hub_destroy};

int hub_new(const struct hawser_env *env, uint32_t mtu, uint32_t gso_bytes, struct link **out)
{
    struct hub *b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->link = (struct link){.ops = &hub_ops, .mtu = mtu, .gso_bytes = gso_bytes};
    list_init(&b->members);
    list_init(&b->gone);
    b->link.fd = epoll_create1(EPOLL_CLOEXEC);
    int error = b->link.fd < 0 ? -errno : hash_init(&b->addresses, env, HUB_EXPECTED);
    if (error) {
        if (b->link.fd >= 0)
            close(b->link.fd);
        free(b);
        return error;
    }
    *out = &b->link;
    return 0;
}

static void give_addresses(struct hub_member *m, const struct hawser_addr *addrs, size_t count)
{
    struct hash_table *table = &m->hub->addresses;
    for (; m->address_count < count; m->address_count++) {
        struct hub_address *address = &m->addresses[m->address_count];
        address->addr = addrs[m->address_count];
        address->member = m;
        hash_insert(table, &address->node, hash_bytes(table, address->addr.ip, sizeof(address->addr.ip)));
    }
}

int hub_add(struct link *hub, struct link *link, const struct hawser_addr *addrs, size_t count, void *user,
            struct hub_member **out)
{
    struct hub *b = hub_of(hub);
    if (count > HUB_ADDRESSES)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (member_of(b, &addrs[i]))
            return -EEXIST;
    }
    struct hub_member *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = m};
    if (epoll_ctl(b->link.fd, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        int error = -errno;
        free(m);
        return error;
    }
    m->hub = b;
    m->link = link;
    m->user = user;
    list_init(&m->gone);
    list_push_back(&b->members, &m->all);
    give_addresses(m, addrs, count);
    *out = m;
    return 0;
}

void *hub_owner(struct link *hub, const struct hawser_addr *addr)
{
    const struct hub_member *member = member_of(hub_of(hub), addr);
    return member ? member->user : NULL;
}

bool hub_next_gone(struct link *hub, void **user)
{
    struct hub *b = hub_of(hub);
    if (list_empty(&b->gone))
        return false;
    struct list *first = list_first(&b->gone);
    list_remove(first);
    *user = LIST_ENTRY(first, struct hub_member, gone)->user;
    return true;
}

void hub_remove(struct hub_member *member)
{
    struct hub *b = member->hub;
    CHECK(b->open != member);
    for (int i = b->next; i < b->ready_count; i++) {
        if (b->ready[i].data.ptr == member) {
            b->ready[i] = b->ready[--b->ready_count];
            i--;
        }
    }
    for (size_t i = 0; i < member->address_count; i++)
        hash_remove(&b->addresses, &member->addresses[i].node);
    if (!member->failed)
        epoll_ctl(b->link.fd, EPOLL_CTL_DEL, member->link->fd, NULL);
    list_remove(&member->all);
    list_remove(&member->gone);
    link_destroy(member->link);
    free(member);
}
