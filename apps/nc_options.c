#include "nc_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "commands.h"

#define KEEPALIVE_MAX_S 1000000ul

enum { OPTION_TCP = 256, OPTION_LINK, OPTION_KEEPALIVE, OPTION_SCHEDULER };

static const char usage[] =
    "usage: hawser nc [-v] [-4|-6] [--tcp] [OPTION]... --link SPEC [--link SPEC]... HOST PORT\n"
    "       hawser nc -l [-v] [-4|-6] [--tcp] [OPTION]... --link SPEC [--link SPEC]... HOST PORT\n"
    "\n"
    "Sends standard input over one connection and writes what arrives to standard output. Ends when both directions\n"
    "have ended.\n"
    "\n"
    "  -l            listen for one connection on HOST, an address of a link, or * for any\n"
    "  -v            print the subflows and all counters to standard error at the end\n"
    "  -4, -6        insist that HOST is an IPv4 or IPv6 address\n"
    "  --tcp         speak plain TCP\n"
    "  --keepalive SECONDS\n"
    "                ask a peer that is silent for so long whether it is still there; nine questions without an "
    "answer,\n"
    "                as far apart, end the connection\n"
    "  --scheduler NAME\n"
    "                lowest-rtt (default), or redundant: every path carries everything\n"
    "  --link SPEC   tun,dev=NAME,addr=A/LEN[,addr=...][,mtu=N][,pcap=FILE][,nogso]\n"
    "                the addresses belong to Hawser; the kernel reaches them through the device\n"
    "\n"
    "HOST is a literal address; names are not looked up.\n"
    "\n"
    "example: hawser nc --link tun,dev=hw0,addr=10.9.1.1/24 192.0.2.7 80\n";

#define usage_error(...) command_misused("nc", __VA_ARGS__)

static bool is_any(const char *host)
{
    return strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static int read_address(struct nc_options *o, const char *host, const char *port, char family)
{
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (port[0] < '0' || port[0] > '9' || *end || number == 0 || number > 65535)
        return usage_error("port \"%s\": must be a number from 1 to 65535", port);
    if (is_any(host)) {
        if (!o->listen)
            return usage_error("host \"%s\": name the address to connect to, or listen with -l", host);
        memset(&o->addr, 0, sizeof(o->addr));
        o->addr.port = (uint16_t)number;
        return -1;
    }
    if (hawser_addr_parse(&o->addr, host, (uint16_t)number) != 0)
        return usage_error("host \"%s\": not an IPv4 or IPv6 address (names are not looked up)", host);
    if (family && hawser_addr_is_v4(&o->addr) != (family == '4'))
        return usage_error("host \"%s\": not an IPv%c address, as -%c wants", host, family, family);
    return -1;
}

static int read_keepalive(struct nc_options *o, const char *text)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || seconds == 0 || seconds > KEEPALIVE_MAX_S)
        return usage_error("--keepalive \"%s\": must be a number of seconds from 1 to %lu", text, KEEPALIVE_MAX_S);
    o->keepalive_ns = seconds * NS_PER_S;
    return -1;
}

static int read_option(struct nc_options *o, int option, char *family, char **argv)
{
    switch (option) {
    case 'l':
        o->listen = true;
        return -1;
    case 'v':
        o->verbose = true;
        return -1;
    case '4':
    case '6':
        if (*family && *family != (char)option)
            return usage_error("-4 and -6 exclude each other");
        *family = (char)option;
        return -1;
    case OPTION_TCP:
        o->no_mptcp = true;
        return -1;
    case OPTION_KEEPALIVE:
        return read_keepalive(o, optarg);
    case OPTION_SCHEDULER:
        return command_read_scheduler("nc", optarg, &o->scheduler);
    case OPTION_LINK:
        if (o->link_count == NC_LINKS)
            return usage_error("more than %d links", NC_LINKS);
        o->links[o->link_count++] = optarg;
        return -1;
    case 'h':
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    case ':':
        return usage_error("%s needs a value", argv[optind - 1]);
    default:
        return usage_error("unknown option in \"%s\"", argv[optind - 1]);
    }
}

int nc_options_read(struct nc_options *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"tcp", no_argument, NULL, OPTION_TCP},
        {"keepalive", required_argument, NULL, OPTION_KEEPALIVE},
        {"scheduler", required_argument, NULL, OPTION_SCHEDULER},
        {"link", required_argument, NULL, OPTION_LINK},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char family = 0;
    int option;
    memset(o, 0, sizeof(*o));
    while ((option = command_next_option(argc, argv, ":lv46h", long_options)) != -1) {
        int status = read_option(o, option, &family, argv);
        if (status >= 0)
            return status;
    }
    if (argc - optind != 2)
        return usage_error("%s", argc - optind < 2 ? "HOST and PORT are missing" : "too many arguments");
    if (o->link_count == 0)
        return usage_error("no link: add --link tun,dev=hw0,addr=10.9.1.1/24 with an address that is free");
    return read_address(o, argv[optind], argv[optind + 1], family);
}
