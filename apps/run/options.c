#include "run/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum {
    OPTION_NO_QUIC = 256,
    OPTION_HOST_LOOPBACK,
    OPTION_UPLINK,
    OPTION_BACKUP,
    OPTION_REQUIRE_MPTCP,
    OPTION_PUBLISH,
    OPTION_FALLBACK,
    OPTION_CONTROL
};

static const char usage[] =
    "usage: hawser run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "\n"
    "Runs a program, any program, with its TCP over all uplinks at once. Everything else of it is as without Hawser: "
    "its\n"
    "user, files, terminal, signals and exit status, the errors of its connections, its names, UDP and ICMP. Wants a\n"
    "service that runs on this host (hawser up).\n"
    "\n"
    "  --uplink NAME  use this uplink, and no others that are not named likewise; hawser status lists them\n"
    "  --backup NAME  use this uplink only when no other one works\n"
    "  --require-mptcp\n"
    "                 refuse connections whose server does not agree to Multipath TCP\n"
    "  --publish PORT[:INSIDE]\n"
    "                 from outside this port of the uplinks is the program's, or leads to another one of its own, by\n"
    "                 Multipath TCP too; may be given 16 times\n"
    "  --no-quic      refuse UDP to port 443, so that browsers use TCP\n"
    "  --host-loopback PORT\n"
    "                 localhost:PORT is the host's, not the program's own; may be given 16 times\n"
    "  --fallback     where the service, or what it needs, is missing, run the program without it\n"
    "  --control PATH the service's socket; default $HAWSER_CONTROL, or /run/hawser/control\n"
    "\n"
    "The exit status is the program's; 1 when it could not be run this way, 126 or 127 when it could not be run at "
    "all.\n"
    "\n"
    "example: hawser run curl -O https://example.org/large.iso\n";

#define usage_error(...) command_misused("run", __VA_ARGS__)

static bool is_port(const char *text, size_t len, uint16_t *out)
{
    unsigned long port = 0;
    for (size_t i = 0; i < len && port <= UINT16_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static int read_port(struct run_options *o, const char *text)
{
    uint16_t port;
    if (!is_port(text, strlen(text), &port))
        return usage_error("--host-loopback \"%s\": a port is a number from 1 to 65535", text);
    if (o->loopback_count == RUN_LOOPBACK_PORTS)
        return usage_error("more than %d --host-loopback", RUN_LOOPBACK_PORTS);
    o->loopback_ports[o->loopback_count++] = port;
    return -1;
}

static int read_published(struct run_options *o, const char *text)
{
    struct run_port port;
    const size_t len = strcspn(text, ":");
    const char *inside = text[len] ? text + len + 1 : text;
    if (!is_port(text, len, &port.outside) || !is_port(inside, text[len] ? strlen(inside) : len, &port.inside))
        return usage_error("--publish \"%s\": a port is a number from 1 to 65535: 8080, or 8080:80", text);
    if (o->port_count == RUN_PORTS)
        return usage_error("more than %d --publish", RUN_PORTS);
    o->ports[o->port_count++] = port;
    return -1;
}

static int add_uplink(const char **names, unsigned *count, const char *option)
{
    if (!*optarg)
        return usage_error("%s \"\": name an uplink, as hawser status lists them", option);
    if (*count == RUN_UPLINKS)
        return usage_error("more than %d %s", RUN_UPLINKS, option);
    names[(*count)++] = optarg;
    return -1;
}

static int read_option(struct run_options *o, int option, char **argv)
{
    switch (option) {
    case OPTION_NO_QUIC:
        o->no_quic = true;
        return -1;
    case OPTION_HOST_LOOPBACK:
        return read_port(o, optarg);
    case OPTION_UPLINK:
        return add_uplink(o->uplinks, &o->uplink_count, "--uplink");
    case OPTION_BACKUP:
        return add_uplink(o->backups, &o->backup_count, "--backup");
    case OPTION_REQUIRE_MPTCP:
        o->require_mptcp = true;
        return -1;
    case OPTION_PUBLISH:
        return read_published(o, optarg);
    case OPTION_FALLBACK:
        o->fallback = true;
        return -1;
    case OPTION_CONTROL:
        o->control = optarg;
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

int run_options_read(struct run_options *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"no-quic", no_argument, NULL, OPTION_NO_QUIC},
        {"host-loopback", required_argument, NULL, OPTION_HOST_LOOPBACK},
        {"uplink", required_argument, NULL, OPTION_UPLINK},
        {"backup", required_argument, NULL, OPTION_BACKUP},
        {"require-mptcp", no_argument, NULL, OPTION_REQUIRE_MPTCP},
        {"publish", required_argument, NULL, OPTION_PUBLISH},
        {"fallback", no_argument, NULL, OPTION_FALLBACK},
        {"control", required_argument, NULL, OPTION_CONTROL},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    memset(o, 0, sizeof(*o));
    while ((option = command_next_option(argc, argv, "+:h", long_options)) != -1) {
        int status = read_option(o, option, argv);
        if (status >= 0)
            return status;
    }
    if (o->fallback && (o->uplink_count || o->backup_count || o->require_mptcp || o->port_count))
        return usage_error("--fallback does without the service: leave it out beside --uplink, --backup, "
                           "--require-mptcp and --publish, which need one");
    o->program = argv + optind;
    return optind < argc ? -1 : usage_error("no program: name one, as in hawser run curl https://example.org");
}
