#include "service/translation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <nftables/libnftables.h>

#include "service/door_filter.h"
#include "service/firewall.h"
#include "service/packet_filter.h"
#include "service/program_net.h"

struct translation {
    struct nft_ctx *nft;
    char *applied; /* the text in force */
};

static const char *ip_word(const struct uplink *uplink) { return uplink->v4 ? "ip" : "ip6"; }

static const char *nfproto_word(const struct uplink *uplink) { return uplink->v4 ? "ipv4" : "ipv6"; }

static void write_uplink_names(FILE *out, const struct translation_rules *r)
{
    fprintf(out, "iifname {");
    for (size_t i = 0; i < r->count; i++)
        fprintf(out, "%s \"%s\"", i ? "," : "", r->uplinks[i].name);
    fprintf(out, " } ");
}

static void write_outside(FILE *out, const struct uplink *u)
{
    char text[HAWSER_ADDR_STRLEN];
    fprintf(out, "{");
    for (size_t i = 0; i < u->outside_count; i++)
        fprintf(out, "%s %s", i ? "," : "", hawser_addr_format(&u->outside[i], text, sizeof(text)));
    fprintf(out, " }");
}

/* Any address inside, or any other. */
static void write_source(FILE *out, const struct translation_rules *r, bool v4, const char *relation)
{
    char text[HAWSER_ADDR_STRLEN];
    fprintf(out, "%s saddr %s %s/%d", v4 ? "ip" : "ip6", relation,
            hawser_addr_format(v4 ? &r->inside.v4 : &r->inside.v6, text, sizeof(text)),
            v4 ? INSIDE_V4_LEN : INSIDE_V6_LEN);
}

/* What a published port says first after its uplink was away, when the kernel has forgotten whose it was, has that port
 * again. */
static void write_answers(FILE *out, const struct translation_rules *r, const struct uplink *u)
{
    char inside[HAWSER_ADDR_STRLEN];
    fprintf(out, "meta l4proto tcp %s saddr %s oifname \"%s\" masquerade to :tcp sport map {", ip_word(u),
            hawser_addr_format(&u->inside, inside, sizeof(inside)), u->name);
    for (size_t i = 0; i < r->published_count; i++)
        fprintf(out, "%s %u : %u", i ? "," : "", r->published[i], r->published[i]);
    fprintf(out, " }\n");
}

/* A port of the range that an uplink's connection has is kept, another is exchanged for one of the range. */
static void write_translate(FILE *out, const struct translation_rules *r)
{
    char inside[HAWSER_ADDR_STRLEN];
    fprintf(out, "chain translate { type nat hook postrouting priority srcnat; policy accept;\n");
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        if (r->published_count)
            write_answers(out, r, u);
        fprintf(out, "meta l4proto tcp %s saddr %s oifname \"%s\" masquerade to :%u-%u\n", ip_word(u),
                hawser_addr_format(&u->inside, inside, sizeof(inside)), u->name, r->first_port, r->last_port);
    }
    for (size_t i = 0; r->count && i < r->near_count; i++) {
        fprintf(out, "meta l4proto tcp oifname \"%s\" ", r->near[i].name);
        write_source(out, r, r->near[i].v4, "==");
        fprintf(out, " masquerade to :%u-%u\n", r->first_port, r->last_port);
    }
    fprintf(out, "}\n");
}

/* To the address of the uplink that they are addressed to, which may be another than the one they come by, unless two
 * have the same. */
static void write_published(FILE *out, const struct translation_rules *r)
{
    char text[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; r->published_count && i < 2 * r->count; i++) {
        const struct uplink *u = &r->uplinks[i % r->count];
        if (i < r->count)
            fprintf(out, "iifname \"%s\" ", u->name);
        else
            write_uplink_names(out, r);
        fprintf(out, "%s daddr ", ip_word(u));
        write_outside(out, u);
        fprintf(out, " tcp dport {");
        for (size_t j = 0; j < r->published_count; j++)
            fprintf(out, "%s %u", j ? "," : "", r->published[j]);
        fprintf(out, " } dnat %s to %s\n", ip_word(u), hawser_addr_format(&u->inside, text, sizeof(text)));
    }
}

enum {
    STRAY_MATCH_LEN = 100,
    STRAYS_PER_SECOND = 50, /* of each uplink; beyond, they are dropped as what conntrack makes nothing of, */
    STRAYS_AT_ONCE = 200,   /* but so many at first: less than the queue of a device holds */
};

/* By its port it may be the stack's. */
static void match_strays(char match[STRAY_MATCH_LEN], const struct translation_rules *r, const struct uplink *u)
{
    snprintf(match, STRAY_MATCH_LEN, "iifname \"%s\" meta nfproto %s tcp dport %u-%u", u->name, nfproto_word(u),
             r->first_port, r->last_port);
}

/* What belongs to no connection that is known is the stack's to answer: a peer that still sends on a subflow that is
 * gone, with no word of it as its uplink was away, holds it and its place among the few it allows, until it is reset.
 * A plain SYN belongs to none of ours; and where the host has a socket, it may be older than this table, and unknown
 * for that.
 *
 * Anybody can send one in the name of a server. Conntrack then takes the stack's SYN from that port to that server for
 * an answer, and nothing translates it, until the stack's reset ends the entry: at once, if the stack gets to see it.
 * So there are no more than it takes in, and none that it does not read. */
static void write_stray(FILE *out, const struct translation_rules *r)
{
    char text[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        char match[STRAY_MATCH_LEN];
        match_strays(match, r, u);
        fprintf(out, "%s socket transparent 0 accept\n", match);
        fprintf(out, "%s tcp flags & (fin | syn | rst | ack) != syn %s%s daddr ", match,
                u->v4 ? "" : "ip6 nexthdr tcp ", ip_word(u));
        write_outside(out, u);
        fprintf(out, " limit rate %d/second burst %d packets dnat %s to %s\n", STRAYS_PER_SECOND, STRAYS_AT_ONCE,
                ip_word(u), hawser_addr_format(&u->inside, text, sizeof(text)));
    }
}

static void write_arrivals(FILE *out, const struct translation_rules *r)
{
    fprintf(out, "chain arrivals { type nat hook prerouting priority dstnat; policy accept;\n");
    write_published(out, r);
    write_stray(out, r);
    fprintf(out, "}\n");
}

/* What conntrack makes nothing of, and strays beyond their limit, are not translated, and would reach the host's own
 * TCP, whose reset ends the subflow.
 */
static void write_late(FILE *out, const struct translation_rules *r)
{
    fprintf(out, "chain late { type filter hook input priority filter; policy accept;\n");
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        char match[STRAY_MATCH_LEN];
        match_strays(match, r, u);
        fprintf(out, "%s socket transparent 0 accept\n", match);
        fprintf(out, "%s ct state invalid,new tcp flags & (fin | syn | rst | ack) != syn counter drop\n", match);
    }
    fprintf(out, "}\n");
}

/* The stack knows its device only: peers are told what goes through the uplink, where that is less. */
static void write_clamp(FILE *out, const struct translation_rules *r)
{
    fprintf(out, "chain clamp { type filter hook forward priority mangle; policy accept;\n");
    fprintf(out, "iifname \"%s\" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n", r->device);
    fprintf(out, "}\n");
}

/* What was let out, for others than the stack, has its answers. */
static void write_no_router(FILE *out, const char *name, bool v4)
{
    fprintf(out, "iifname \"%s\" meta nfproto %s ct state != { established, related } counter drop\n", name,
            v4 ? "ipv4" : "ipv6");
}

/* From the stack by its uplink only; to it what was asked for or is published; and a host that forwards for Hawser's
 * sake does not become a router for its neighbours. */
static void write_forward(FILE *out, const struct translation_rules *r)
{
    char inside[HAWSER_ADDR_STRLEN];
    fprintf(out, "chain forward { type filter hook forward priority filter; policy accept;\n");
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        fprintf(out, "iifname \"%s\" %s saddr %s oifname \"%s\" accept\n", r->device, ip_word(u),
                hawser_addr_format(&u->inside, inside, sizeof(inside)), u->name);
    }
    for (size_t i = 0; r->count && i < r->near_count; i++) {
        fprintf(out, "iifname \"%s\" oifname \"%s\" ", r->device, r->near[i].name);
        write_source(out, r, r->near[i].v4, "==");
        fprintf(out, " accept\n");
    }
    fprintf(out, "iifname \"%s\" meta nfproto ipv4 counter reject with icmp type host-unreachable\n", r->device);
    fprintf(out, "iifname \"%s\" meta nfproto ipv6 counter reject with icmpv6 type addr-unreachable\n", r->device);
    fprintf(out, "oifname \"%s\" ct state established,related accept\n", r->device);
    fprintf(out, "oifname \"%s\" ct status dnat accept\n", r->device);
    fprintf(out, "oifname \"%s\" counter drop\n", r->device);
    fprintf(out, "oifname \"" PROGRAM_DEVICE_PREFIX "*\" accept\n"); /* program_filter.c says what may */
    fprintf(out, "oifname \"" DOOR_DEVICE_PREFIX "*\" accept\n");    /* and door_filter.c */
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        if (!r->routes_already[i])
            write_no_router(out, u->name, u->v4);
    }
    for (size_t i = 0; r->count && i < r->near_count; i++) {
        const struct near_link *near = &r->near[i];
        if (!near->routes_already)
            write_no_router(out, near->name, near->v4);
    }
    fprintf(out, "}\n");
}

/* The last look, when addresses are those of the wire. What conntrack has no entry for is still untranslated here, and
 * the kernel may have taken another interface's address. */
static void write_leak(FILE *out, const struct translation_rules *r)
{
    char text[HAWSER_ADDR_STRLEN];
    fprintf(out, "chain leak { type filter hook postrouting priority 300; policy accept;\n");
    fprintf(out, "oifname \"%s\" accept\n", r->device);
    for (size_t i = 0; i < r->count; i++) {
        const struct uplink *u = &r->uplinks[i];
        fprintf(out, "iifname \"%s\" oifname \"%s\" %s saddr ", r->device, u->name, ip_word(u));
        write_outside(out, u);
        fprintf(out, " accept\n");
    }
    for (size_t i = 0; r->count && i < r->near_count; i++) {
        fprintf(out, "iifname \"%s\" oifname \"%s\" ", r->device, r->near[i].name);
        write_source(out, r, r->near[i].v4, "!=");
        fprintf(out, " accept\n");
    }
    fprintf(out, "iifname \"%s\" counter drop\n", r->device);
    fprintf(out, "ip saddr %s/%d counter drop\n", hawser_addr_format(&r->inside.v4, text, sizeof(text)), INSIDE_V4_LEN);
    fprintf(out, "ip6 saddr %s/%d counter drop\n", hawser_addr_format(&r->inside.v6, text, sizeof(text)),
            INSIDE_V6_LEN);
    fprintf(out, "}\n");
}

char *translation_text(const struct translation_rules *rules)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "add table inet " TRANSLATION_TABLE " { flags owner; }\nflush table inet " TRANSLATION_TABLE "\n");
    fprintf(out, "table inet " TRANSLATION_TABLE " { flags owner;\n");
    write_translate(out, rules);
    write_arrivals(out, rules);
    write_late(out, rules);
    write_clamp(out, rules);
    write_forward(out, rules);
    write_leak(out, rules);
    fprintf(out, "}\n");
    return packet_filter_text(out, &text);
}

/* The first line of what the library complains of. */
static void translation_explain(struct translation *t, const char *what, char *why, size_t why_size)
{
    const char *said = nft_ctx_get_error_buffer(t->nft);
    int len = (int)strcspn(said ? said : "", "\n");
    snprintf(why, why_size, "%s: %.*s: " PACKET_FILTER_WANTS, what, len, said ? said : "");
}

static int translation_refused(struct translation *t, const char *what, int error, char *why, size_t why_size)
{
    if (error == EPERM)
        snprintf(why, why_size, "no permission to translate addresses: run as root, or with CAP_NET_ADMIN");
    else
        translation_explain(t, what, why, why_size);
    return error ? -error : -EIO;
}

static int translation_not_taken(struct translation *t, int error, char *why, size_t why_size)
{
    struct utsname system;
    if (error == EPERM) { /* the caller may change the network: somebody owns the table */
        snprintf(why, why_size,
                 "another program owns the packet filter's table inet " TRANSLATION_TABLE
                 ": end the Hawser that runs already (nft list tables names it)");
        return -EBUSY;
    }
    if (error != EINVAL || uname(&system) != 0)
        return translation_refused(t, "the packet filter takes no table", error, why, why_size);
    snprintf(why, why_size,
             "this kernel's packet filter has no tables with an owner: the service needs Linux 5.12 or later, and this "
             "is Linux %s",
             system.release);
    return -EINVAL;
}

int translation_open(struct translation **out, char *why, size_t why_size)
{
    struct translation *t = calloc(1, sizeof(*t));
    if (!t) {
        snprintf(why, why_size, "no memory to translate addresses: free some and try again");
        return -ENOMEM;
    }
    int error = packet_filter_open(&t->nft, why, why_size);
    if (error) {
        free(t);
        return error;
    }
    errno = 0;
    static const char take[] = "add table inet " TRANSLATION_TABLE " { flags owner; }";
    bool taken = nft_run_cmd_from_buffer(t->nft, take) == 0;
    if (!taken && errno == EOPNOTSUPP) { /* one without an owner is left from whoever could not end in order */
        nft_run_cmd_from_buffer(t->nft, "delete table inet " TRANSLATION_TABLE);
        taken = nft_run_cmd_from_buffer(t->nft, take) == 0;
    }
    if (taken) {
        *out = t;
        return 0;
    }
    error = translation_not_taken(t, errno, why, why_size);
    nft_ctx_free(t->nft);
    free(t);
    return error;
}

int translation_apply(struct translation *t, const struct translation_rules *rules, char *why, size_t why_size)
{
    char *text = translation_text(rules);
    if (!text) {
        snprintf(why, why_size, "no memory to translate addresses: free some and try again");
        return -ENOMEM;
    }
    if (t->applied && strcmp(t->applied, text) == 0) {
        free(text);
        return 0;
    }
    errno = 0;
    if (nft_run_cmd_from_buffer(t->nft, text) != 0) {
        int error = errno;
        free(text);
        return translation_refused(t, "the packet filter refuses the rules of the uplinks", error, why, why_size);
    }
    free(t->applied);
    t->applied = text;
    return 0;
}

bool translation_hindered(struct translation *t, char *chains, size_t size)
{
    return firewall_hinders(t->nft, chains, size);
}

void translation_close(struct translation *t)
{
    nft_run_cmd_from_buffer(t->nft, "delete table inet " TRANSLATION_TABLE);
    nft_ctx_free(t->nft);
    free(t->applied);
    free(t);
}
