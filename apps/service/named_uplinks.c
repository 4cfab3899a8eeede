#include "service/named_uplinks.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "run/link_spec.h"
#include "service/device.h"

struct named_uplink {
    struct link_spec spec;
    int link;       /* of the host */
    unsigned index; /* of the device, as the kernel counts them */
    uint32_t rank;
};

struct named_uplinks {
    struct service *service;
    struct named_uplink all[NAMED_UPLINKS_MAX];
    char *texts[NAMED_UPLINKS_MAX]; /* that they are as */
    unsigned count, text_count;
    bool incomplete; /* one of these could not be brought back */
};

/* ---- what is said ---- */

/* Ones that fit together: the i-th is the i-th in order. */
struct named_list {
    const char *texts[NAMED_UPLINKS_MAX];
    struct link_spec specs[NAMED_UPLINKS_MAX];
    unsigned count;
};

static const struct link_address *find_address(const struct link_spec *spec, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < spec->address_count; i++) {
        if (hawser_addr_same_ip(&spec->addresses[i].addr, addr))
            return &spec->addresses[i];
    }
    return NULL;
}

/* With the one before it, and all those before that. */
static int check_together(const struct named_list *list, unsigned i, char *why, size_t why_size)
{
    char text[HAWSER_ADDR_STRLEN];
    const struct link_spec *spec = &list->specs[i];
    for (unsigned other = 0; other < i; other++) {
        if (strcmp(list->specs[other].device, spec->device) == 0) {
            snprintf(why, why_size, "two uplinks have the device %s: leave one out, or choose another name",
                     spec->device);
            return -EINVAL;
        }
        for (size_t a = 0; a < spec->address_count; a++) {
            if (!find_address(&list->specs[other], &spec->addresses[a].addr))
                continue;
            snprintf(why, why_size, "%s and %s both have the address %s: leave one out", list->specs[other].device,
                     spec->device, hawser_addr_format(&spec->addresses[a].addr, text, sizeof text));
            return -EINVAL;
        }
    }
    return 0;
}

static void say_which(const char *text, const char *reason, char *why, size_t why_size)
{
    snprintf(why, why_size, "--uplink %.200s: %s", text, reason);
}

static int read_list(struct named_list *list, const char *const *texts, unsigned count, char *why, size_t why_size)
{
    char reason[512];
    size_t addresses = 0;
    int error = count <= NAMED_UPLINKS_MAX ? 0 : -E2BIG;
    if (error)
        snprintf(why, why_size, "more than %d uplinks", NAMED_UPLINKS_MAX);
    for (unsigned i = 0; i < count && !error; i++) {
        list->texts[i] = texts[i];
        error = link_spec_parse(texts[i], &list->specs[i], reason, sizeof reason);
        if (error)
            say_which(texts[i], reason, why, why_size);
        else
            error = check_together(list, i, why, why_size);
        addresses += error ? 0 : list->specs[i].address_count;
    }
    if (!error && addresses > CHOICE_SOURCES) {
        snprintf(why, why_size, "the uplinks have more than %d addresses: leave some out", CHOICE_SOURCES);
        error = -E2BIG;
    }
    list->count = count;
    return error;
}

static const struct link_spec *find_spec(const struct named_list *list, const char *device)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (strcmp(list->specs[i].device, device) == 0)
            return &list->specs[i];
    }
    return NULL;
}

int named_uplinks_check(const char *const *specs, unsigned count, char *why, size_t why_size)
{
    struct named_list *list = calloc(1, sizeof *list);
    if (!list) {
        snprintf(why, why_size, "no memory to read the uplinks");
        return -ENOMEM;
    }
    int error = read_list(list, specs, count, why, why_size);
    free(list);
    return error;
}

bool named_uplinks_have(const char *const *specs, unsigned count, const char *device)
{
    struct link_spec spec;
    char why[512];
    for (unsigned i = 0; i < count; i++) {
        if (link_spec_parse(specs[i], &spec, why, sizeof why) == 0 && strcmp(spec.device, device) == 0)
            return true;
    }
    return false;
}

/* ---- addresses ---- */

/* Connections may begin there. */
static int offer(struct named_uplinks *u, const struct named_uplink *uplink, const struct hawser_addr *addr)
{
    struct choice *choice = &u->service->choice;
    choice_went(choice, addr);
    int error = choice_came(choice, uplink->spec.device, addr, uplink->rank);
    return error ? error
                 : hawser_stack_set_backup(hawser_host_stack(u->service->host), addr,
                                           names_have(&choice->backup, uplink->spec.device));
}

static int offer_all(struct named_uplinks *u, const struct named_uplink *uplink)
{
    int error = 0;
    for (size_t i = 0; i < uplink->spec.address_count && !error; i++)
        error = offer(u, uplink, &uplink->spec.addresses[i].addr);
    return error;
}

static void drop_address(struct named_uplinks *u, struct named_uplink *uplink, size_t i)
{
    struct link_spec *spec = &uplink->spec;
    const struct hawser_addr addr = spec->addresses[i].addr;
    choice_went(&u->service->choice, &addr);
    hawser_host_remove_address(u->service->host, &addr);
    spec->addresses[i] = spec->addresses[--spec->address_count];
}

static void drop_addresses(struct named_uplinks *u, struct named_uplink *uplink, const struct link_spec *wanted)
{
    for (size_t i = uplink->spec.address_count; i-- > 0;) {
        const struct link_address *has = &uplink->spec.addresses[i], *stays = find_address(wanted, &has->addr);
        if (!stays || stays->prefix_len != has->prefix_len)
            drop_address(u, uplink, i);
    }
}

static int add_addresses(struct named_uplinks *u, struct named_uplink *uplink, const struct link_spec *wanted,
                         char *why, size_t why_size)
{
    struct link_spec *spec = &uplink->spec;
    int error = 0;
    for (size_t i = 0; i < wanted->address_count && !error; i++) {
        const struct link_address *address = &wanted->addresses[i];
        if (find_address(spec, &address->addr))
            continue;
        error =
            hawser_host_add_address(u->service->host, uplink->link, &address->addr, address->prefix_len, why, why_size);
        if (!error) {
            spec->addresses[spec->address_count++] = *address;
            error = offer(u, uplink, &address->addr);
        }
    }
    return error;
}

/* ---- devices ---- */

static struct named_uplink *find_uplink(struct named_uplinks *u, const char *device)
{
    for (unsigned i = 0; i < u->count; i++) {
        if (strcmp(u->all[i].spec.device, device) == 0)
            return &u->all[i];
    }
    return NULL;
}

static void remove_uplink(struct named_uplinks *u, unsigned i)
{
    struct named_uplink *uplink = &u->all[i];
    while (uplink->spec.address_count)
        drop_address(u, uplink, uplink->spec.address_count - 1);
    service_remove_link(u->service, uplink->link);
    *uplink = u->all[--u->count];
}

static int add_uplink(struct named_uplinks *u, const struct named_list *from, uint32_t rank, char *why, size_t why_size)
{
    const struct link_spec *spec = &from->specs[rank];
    int link = u->count < NAMED_UPLINKS_MAX ? service_add_link(u->service, from->texts[rank], why, why_size) : -ENOSPC;
    if (link < 0)
        return link;
    unsigned index;
    int error = device_index(spec->device, &index);
    if (error) {
        service_remove_link(u->service, link);
        return device_complain(spec->device, error, why, why_size);
    }
    u->all[u->count] = (struct named_uplink){*spec, link, index, rank};
    return offer_all(u, &u->all[u->count++]);
}

/* ---- all of them ---- */

/* Where nobody can tell, it is. */
static bool is_there(const struct named_uplink *uplink)
{
    unsigned index;
    int error = device_index(uplink->spec.device, &index);
    return error ? error != -ENODEV : index == uplink->index;
}

/* But for its addresses it is what is wanted, and its device is there. */
static bool goes_on(const struct named_uplink *uplink, const struct link_spec *wanted)
{
    const struct link_spec *has = &uplink->spec;
    return wanted && has->mtu == wanted->mtu && has->no_gso == wanted->no_gso &&
           strcmp(has->pcap_path, wanted->pcap_path) == 0 && is_there(uplink);
}

/* Nothing has to go before it can come. */
static bool is_apart(const struct named_uplinks *u, const struct link_spec *spec)
{
    for (unsigned i = 0; i < u->count; i++) {
        const struct link_spec *has = &u->all[i].spec;
        if (strcmp(has->device, spec->device) == 0)
            return false;
        for (size_t n = 0; n < has->address_count * spec->address_count; n++) {
            const struct link_address *a = &has->addresses[n / spec->address_count];
            const struct link_address *b = &spec->addresses[n % spec->address_count];
            if (hawser_addr_same_ip(&a->addr, &b->addr) ||
                (a->prefix_len == b->prefix_len && scope_covers(&a->addr, a->prefix_len, &b->addr)))
                return false;
        }
    }
    return true;
}

static int compare_ranks(const void *a, const void *b)
{
    const struct named_uplink *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int settle_one(struct named_uplinks *u, const struct named_list *wanted, uint32_t rank, char *why,
                      size_t why_size)
{
    struct named_uplink *uplink = find_uplink(u, wanted->specs[rank].device);
    if (!uplink)
        return add_uplink(u, wanted, rank, why, why_size);
    const bool moved = uplink->rank != rank;
    uplink->rank = rank;
    int error = moved ? offer_all(u, uplink) : 0;
    return error ? error : add_addresses(u, uplink, &wanted->specs[rank], why, why_size);
}

static void make_room(struct named_uplinks *u, const struct named_list *wanted)
{
    for (unsigned i = u->count; i-- > 0;) {
        const struct link_spec *spec = find_spec(wanted, u->all[i].spec.device);
        if (goes_on(&u->all[i], spec))
            drop_addresses(u, &u->all[i], spec);
        else
            remove_uplink(u, i);
    }
}

/* What is not wanted goes, and then the rest comes: up to the first one that cannot, unless it is as far as they can.
 */
static int settle_rest(struct named_uplinks *u, const struct named_list *wanted, bool as_far_as_they_can, char *why,
                       size_t why_size)
{
    int first = 0;
    make_room(u, wanted);
    for (uint32_t i = 0; i < wanted->count && (!first || as_far_as_they_can); i++) {
        char reason[512] = "no room for its addresses";
        int error = settle_one(u, wanted, i, reason, sizeof reason);
        if (!error || first)
            continue;
        first = error;
        say_which(wanted->texts[i], reason, why, why_size);
    }
    qsort(u->all, u->count, sizeof u->all[0], compare_ranks);
    return first;
}

/* What stands in nobody's way comes first: if it cannot, nobody has noticed. */
static int settle(struct named_uplinks *u, const struct named_list *wanted, char *why, size_t why_size)
{
    char reason[512];
    for (uint32_t i = 0; i < wanted->count; i++) {
        int error = is_apart(u, &wanted->specs[i]) ? add_uplink(u, wanted, i, reason, sizeof reason) : 0;
        if (!error || error == -ENOSPC) /* there may be room when others are gone */
            continue;
        say_which(wanted->texts[i], reason, why, why_size);
        return error;
    }
    return settle_rest(u, wanted, false, why, why_size);
}

/* To those from before, after `why`. */
static void go_back(struct named_uplinks *u, const struct named_list *before, char *why, size_t why_size)
{
    char reason[600];
    const size_t used = strlen(why);
    u->incomplete = settle_rest(u, before, true, reason, sizeof reason) != 0;
    if (u->incomplete)
        snprintf(why + used, why_size - used, "; of those before: %s", reason);
}

static void forget_texts(struct named_uplinks *u)
{
    while (u->text_count)
        free(u->texts[--u->text_count]);
}

/* All of them, or it stays at those from before. */
static int keep_texts(struct named_uplinks *u, const struct named_list *list)
{
    char *texts[NAMED_UPLINKS_MAX] = {NULL};
    for (unsigned i = 0; i < list->count; i++) {
        if ((texts[i] = strdup(list->texts[i])))
            continue;
        while (i)
            free(texts[--i]);
        return -ENOMEM;
    }
    forget_texts(u);
    memcpy(u->texts, texts, sizeof texts);
    u->text_count = list->count;
    return 0;
}

int named_uplinks_set(struct named_uplinks *u, const char *const *specs, unsigned count, char *why, size_t why_size)
{
    struct named_list *before = calloc(2, sizeof *before), *wanted = before + 1;
    char reason[600];
    snprintf(why, why_size, "no memory for the uplinks: free some and try again");
    int error = before ? read_list(wanted, specs, count, why, why_size) : -ENOMEM;
    if (!error) {
        read_list(before, (const char *const *)u->texts, u->text_count, reason, sizeof reason);
        error = settle(u, wanted, why, why_size);
        if (!error)
            error = keep_texts(u, wanted);
        if (error)
            go_back(u, before, why, why_size);
        else
            u->incomplete = false;
    }
    free(before);
    return error;
}

bool named_uplinks_complete(const struct named_uplinks *u) { return !u->incomplete; }

int named_uplinks_new(struct named_uplinks **out, struct service *service)
{
    struct named_uplinks *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->service = service;
    *out = u;
    return 0;
}

void named_uplinks_free(struct named_uplinks *u)
{
    if (!u)
        return;
    forget_texts(u);
    free(u);
}
