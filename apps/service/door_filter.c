#include "service/door_filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/packet_filter.h"
#include "service/publish_way.h"

#define NEW_TABLE "add table " DOOR_FILTER_TABLE "\ndelete table " DOOR_FILTER_TABLE "\n"

/* Clients stay who they are, whatever else on this host translates their addresses: the first who decides does so. */
static void write_keep(FILE *out, const struct door_filter_rule *rules, size_t count)
{
    fprintf(out, "chain keep { type nat hook postrouting priority srcnat - 10; policy accept;\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out,
                "oifname \"%s\" meta l4proto tcp snat ip to ip saddr\n"
                "oifname \"%s\" meta l4proto tcp snat ip6 to ip6 saddr\n",
                rules[i].device, rules[i].device);
    fprintf(out, "}\n");
}

/* A connection is the door's if a client opened it, and the first answer came from the door: its mark, or somebody
 * else's, is from then at the latest. So one without any is from before the door, or what answers others who opened it;
 * and with a mark of theirs it is such an answer if it goes in the other direction. Of one that the packet filter has
 * forgotten the first to speak may be the door. After the chains in which others set marks. */
static void write_not_ours(FILE *out, const struct door_filter_rule *r)
{
    fprintf(out,
            "iifname \"%s\" meta l4proto tcp ct state established ct mark 0 meta mark set meta mark or %d\n"
            "iifname \"%s\" meta l4proto tcp ct direction reply ct mark != { 0, %" PRIu32
            ", %d } meta mark set meta mark or %d\n",
            r->interface, DOOR_MARK_NOT_OURS, r->interface, r->mark, PUBLISH_MARK, DOOR_MARK_NOT_OURS);
}

/* An ICMP error about a packet of the door's is addressed to the server in whose name that was sent. */
static void write_note(FILE *out, const struct door_filter_rule *rules, size_t count)
{
    fprintf(out, "chain note { type filter hook prerouting priority mangle + 10; policy accept;\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out,
                "iifname \"%s\" ct mark 0 ct mark set %" PRIu32 "\n"
                "iifname \"%s\" meta l4proto { icmp, ipv6-icmp } ct state related ct mark %" PRIu32
                " meta mark set ct mark\n",
                rules[i].device, rules[i].mark, rules[i].interface, rules[i].mark);
        write_not_ours(out, &rules[i]);
    }
    fprintf(out, "}\nchain own { type route hook output priority mangle; policy accept;\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "meta l4proto { icmp, ipv6-icmp } ct state related ct mark %" PRIu32 " meta mark set ct mark\n",
                rules[i].mark);
    fprintf(out, "}\n");
}

static void write_no_router(FILE *out, const struct door_filter_rule *r, const char *family)
{
    fprintf(out, "iifname \"%s\" oifname != \"%s\" meta nfproto %s ct state != { established, related } counter drop\n",
            r->interface, r->device, family);
}

/* To the door come connections of its clients; and a host that was no router does not become one for them. */
static void write_forward(FILE *out, const struct door_filter_rule *rules, size_t count)
{
    fprintf(out, "chain forward { type filter hook forward priority filter; policy accept;\n");
    for (size_t i = 0; i < count; i++) {
        if (!rules[i].routes_v4)
            write_no_router(out, &rules[i], "ipv4");
        if (!rules[i].routes_v6)
            write_no_router(out, &rules[i], "ipv6");
    }
    fprintf(out, "}\n");
}

char *door_filter_text(const struct door_filter_rule *rules, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, NEW_TABLE "table " DOOR_FILTER_TABLE " {\n");
    write_keep(out, rules, count);
    write_note(out, rules, count);
    write_forward(out, rules, count);
    fprintf(out, "}\n");
    return packet_filter_text(out, &text);
}

int door_filter_apply(const char *text, char *why, size_t why_size)
{
    return packet_filter_run(text, "no permission to set up a door", "doors", why, why_size);
}

void door_filter_remove(void)
{
    char why[256];
    door_filter_apply(NEW_TABLE, why, sizeof(why));
}
