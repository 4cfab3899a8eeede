#include "service/program_filter.h"

#include "service/packet_filter.h"
#include "service/program_net.h"

#define TABLE "inet " PROGRAM_FILTER_TABLE
#define FREE_PORTS " meta l4proto udp masquerade to :1024-65535"
#define PAIRS "\"" PROGRAM_DEVICE_PREFIX "*\""

/* A source is the program's own, or the link's, whatever the host has for rp_filter: IPv6 has none. What conntrack has
 * no entry for is still untranslated in the last chain. Whoever runs a program is root of its network and no more than
 * a user of the host, whose address all of it has outside: what a user's sockets cannot send does not leave. */
static const char rules[] = "add table " TABLE "\n"
                            "delete table " TABLE "\n"
                            "table " TABLE " {\n"
                            "chain arrive { type filter hook prerouting priority raw; policy accept;\n"
                            "iifname " PAIRS " fib saddr . iif oif missing counter drop\n"
                            "iifname " PAIRS " meta l4proto != { tcp, udp, icmp, icmpv6 } counter drop\n"
                            "}\n"
                            "chain translate { type nat hook postrouting priority srcnat; policy accept;\n"
                            "ip saddr " PROGRAM_NET_V4 "/16 oifname != " PAIRS FREE_PORTS "\n"
                            "ip6 saddr " PROGRAM_NET_V6 " oifname != " PAIRS FREE_PORTS "\n"
                            "ip saddr " PROGRAM_NET_V4 "/16 oifname != " PAIRS " masquerade\n"
                            "ip6 saddr " PROGRAM_NET_V6 " oifname != " PAIRS " masquerade\n"
                            "}\n"
                            "chain forward { type filter hook forward priority filter; policy accept;\n"
                            "iifname " PAIRS " ip saddr != " PROGRAM_NET_V4 "/16 counter drop\n"
                            "iifname " PAIRS " ip6 saddr != " PROGRAM_NET_V6 " counter drop\n"
                            "iifname " PAIRS " meta l4proto tcp counter reject with tcp reset\n"
                            "iifname " PAIRS " oifname " PAIRS " counter reject\n"
                            "oifname " PAIRS " ct state != { established, related } counter drop\n"
                            "iifname " PAIRS " meta l4proto udp accept\n"
                            "iifname " PAIRS " icmp type echo-request accept\n"
                            "iifname " PAIRS " icmpv6 type echo-request accept\n"
                            "iifname " PAIRS " icmp type { destination-unreachable, time-exceeded, parameter-problem }"
                            " ct state related accept\n"
                            "iifname " PAIRS " icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, "
                            "parameter-problem } ct state related accept\n"
                            "iifname " PAIRS " counter drop\n"
                            "}\n"
                            "chain leak { type filter hook postrouting priority 300; policy accept;\n"
                            "oifname lo accept\n"
                            "oifname " PAIRS " accept\n"
                            "ip saddr " PROGRAM_NET_V4 "/16 counter drop\n"
                            "ip6 saddr " PROGRAM_NET_V6 " counter drop\n"
                            "}\n"
                            "}\n";

static int run(const char *commands, char *why, size_t why_size)
{
    return packet_filter_run(commands, "no permission to translate the addresses of programs", "programs", why,
                             why_size);
}

int program_filter_set(char *why, size_t why_size) { return run(rules, why, why_size); }

void program_filter_remove(void)
{
    char why[256];
    run("delete table " TABLE, why, sizeof(why));
}
