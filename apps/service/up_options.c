#include "service/up_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "commands.h"
#include "service/control_socket.h"

/* Of what lasts so long, or moves so much, more is to come: a few times the initial window, and a wait that nobody
 * sees. */
#define UP_DEMAND_NS (100 * NS_PER_MS)
#define UP_DEMAND_BYTES (UINT64_C(64) << 10)

enum {
    OPTION_TCP = 256,
    OPTION_MPTCP,
    OPTION_DOOR,
    OPTION_DOOR_INTERFACE,
    OPTION_UPLINK,
    OPTION_FIRST_UPLINK,
    OPTION_ALLOW,
    OPTION_EXCLUDE,
    OPTION_BACKUP,
    OPTION_PUBLISH,
    OPTION_ALLOW_PUBLISH,
    OPTION_SCHEDULER,
    OPTION_PATH_MANAGER,
    OPTION_CONTROL,
    OPTION_CONGESTION,
    OPTION_GROUP,
    OPTION_USER,
    OPTION_CHECK
};

static const char usage[] =
    "usage: hawser up [-v] [-c FILE] [--check] [OPTION]...\n"
    "       hawser up [-v] --serve-upstream ADDRESS:PORT --key FILE\n"
    "\n"
    "Takes the TCP that comes in by doors, of programs in hawser run too, whatever it is for, and carries each "
    "connection\n"
    "over all uplinks at once where the destination speaks Multipath TCP. Clients hear what the destination says:\n"
    "accepted, refused, unreachable, or nothing. Runs until SIGINT, SIGTERM or hawser down.\n"
    "\n"
    "Without --uplink every interface with an address and a default route is one, as hawser uplinks lists them, also\n"
    "one that comes later. All that this changes of the network is taken back at the end.\n"
    "\n"
    "  --door SPEC    tun,dev=NAME[,mtu=N][,pcap=FILE][,nogso]\n"
    "                 what leads there is yours to set up: ip addr add 192.0.2.1/32 dev NAME, and a route\n"
    "  --door-interface INTERFACE[,when-down=direct|closed]\n"
    "                 the TCP of who is behind it, as of a router's or a bridge, comes in, if it is not for a network\n"
    "                 nearby; the rest goes as ever. After a sudden end of the service: as ever (default), or nowhere\n"
    "  --uplink SPEC  tun,dev=NAME,addr=A/LEN[,addr=...][,mtu=N][,pcap=FILE][,nogso]\n"
    "                 the addresses belong to Hawser; what leads from there on is yours to set up\n"
    "  --allow INTERFACE\n"
    "                 is one, and no other is that is not named likewise\n"
    "  --exclude INTERFACE\n"
    "                 is no uplink\n"
    "  --backup NAME  this uplink, a device or an interface, is used only when no other one works: peers are told so,\n"
    "                 and connections begin there last\n"
    "  --first-uplink order | share | PREFIX=NAME\n"
    "                 by which one a connection begins, and stays if its destination speaks plain TCP: by the first\n"
    "                 (default), in turns, or those to a prefix by a device or interface, as in\n"
    "                 192.0.2.0/24=wan1; give it again for each prefix. Where the first does not answer the next are\n"
    "                 tried, after a quarter of a second\n"
    "  --publish PORT[,to=ADDRESS[:PORT]][,proxy-protocol]\n"
    "                 from outside this port of the uplinks is Hawser's, which speaks Multipath TCP there and goes on\n"
    "                 to the server on this host, or at that address, as if it were the client; or from its\n"
    "                 own address, when it is to tell the server the client's by the PROXY protocol (version 2)\n"
    "  --allow-publish PORT[-PORT]\n"
    "                 ordinary users may have hawser run --publish it although it is below 1024, or somebody listens\n"
    "                 there\n"
    "  --tcp, --mptcp speak plain TCP to destinations; or Multipath TCP (default), although the file has mptcp = "
    "false\n"
    "  -c FILE        configuration, hawser.toml(5); default /etc/hawser/hawser.toml if there is one; what else is "
    "said\n"
    "                 here goes before it\n"
    "  --check        only check options and configuration, and change nothing\n"
    "  --scheduler NAME\n"
    "                 lowest-rtt (default), or redundant: every path carries everything\n"
    "  --path-manager NAME\n"
    "                 on-demand (default: all uplinks, once a connection has moved 64 KiB or lasted 100 ms), default\n"
    "                 (all uplinks, at once), fullmesh, ports, or backup (one uplink as long as it works)\n"
    "  --congestion NAME\n"
    "                 cubic (default), reno or bbr\n" PROXY_USAGE
    "  --control PATH socket for hawser status, down and ss, or none; default $HAWSER_CONTROL, the file's, or\n"
    "                 /run/hawser/control\n"
    "  --group GROUP  who may ask there beside root; default hawser, if there is one\n"
    "  --user USER    who the service is once everything is set up; default hawser, if there is one and root starts "
    "it\n"
    "  -v             print connections and all counters to standard error at the end\n"
    "\n"
    "SIGUSR1 prints the connections to standard error.\n"
    "\n"
    "examples: hawser up\n"
    "          hawser up --door-interface lan0\n"
    "          hawser up --publish 443\n"
    "          hawser up --upstream 192.0.2.1:8443 --key key\n";

#define usage_error(...) command_misused("up", __VA_ARGS__)

static int add_link(const char **links, unsigned *count, unsigned max, const char *kind)
{
    if (*count == max)
        return usage_error("more than %u %s", max, kind);
    links[(*count)++] = optarg;
    return -1;
}

static int read_door(struct up_options *o, bool of_interface)
{
    char why[512];
    if (o->door_count == DOORS_MAX)
        return usage_error("more than %d doors", DOORS_MAX);
    struct door_rule *rule = &o->doors[o->door_count];
    if (of_interface && door_rule_read(optarg, rule, why, sizeof(why)) < 0)
        return usage_error("--door-interface: %s", why);
    if (!of_interface && door_spec_read(optarg, rule, why, sizeof(why)) < 0)
        return usage_error("--door %s: %s", optarg, why);
    o->door_count++;
    return -1;
}

static int read_published(struct up_options *o)
{
    char why[256];
    if (o->published_count == PUBLISH_MAX)
        return usage_error("more than %d published ports", PUBLISH_MAX);
    if (publish_rule_read(optarg, &o->published[o->published_count], why, sizeof(why)) < 0)
        return usage_error("--publish %s", why);
    o->published_count++;
    return -1;
}

static int read_allowed_ports(struct up_options *o)
{
    int error = port_ranges_add(&o->program_ports, optarg);
    if (error == -ENOSPC)
        return usage_error("more than %d --allow-publish", PORT_RANGES);
    return error ? usage_error("--allow-publish \"%s\": a port from 1 to 65535, or two: 80, or 8000-8099", optarg) : -1;
}

static int read_path_manager(struct up_options *o, const char *name)
{
    o->manager = hawser_path_manager_find(name);
    return o->manager
               ? -1
               : usage_error("--path-manager \"%s\": there are default, fullmesh, ports, backup and on-demand", name);
}

static int read_option(struct up_options *o, int option, char **argv)
{
    switch (option) {
    case 'v':
        o->verbose = true;
        return -1;
    case OPTION_TCP:
    case OPTION_MPTCP:
        o->no_mptcp = option == OPTION_TCP;
        o->says_mptcp = true;
        return -1;
    case OPTION_DOOR:
    case OPTION_DOOR_INTERFACE:
        return read_door(o, option == OPTION_DOOR_INTERFACE);
    case OPTION_UPLINK:
        return add_link(o->uplinks, &o->uplink_count, UP_UPLINKS, "uplinks");
    case OPTION_FIRST_UPLINK:
        return add_link(o->first, &o->first_count, UP_FIRST, "times --first-uplink");
    case OPTION_EXCLUDE:
        return add_link(o->excluded, &o->excluded_count, UP_INTERFACES, "interfaces to exclude");
    case OPTION_ALLOW:
        return add_link(o->allowed, &o->allowed_count, UP_INTERFACES, "interfaces to allow");
    case OPTION_BACKUP:
        return add_link(o->backups, &o->backup_count, NAMES_MAX, "backups");
    case OPTION_PUBLISH:
        return read_published(o);
    case OPTION_ALLOW_PUBLISH:
        return read_allowed_ports(o);
    case OPTION_SCHEDULER:
        return command_read_scheduler("up", optarg, &o->scheduler);
    case OPTION_PATH_MANAGER:
        return read_path_manager(o, optarg);
    case OPTION_CONTROL:
        o->control = optarg;
        return -1;
    case OPTION_CONGESTION:
        o->congestion = optarg;
        return hawser_congestion_find(optarg)
                   ? -1
                   : usage_error("--congestion \"%s\": there are cubic, reno and bbr", optarg);
    case OPTION_GROUP:
        o->group = optarg;
        return -1;
    case OPTION_USER:
        o->user = optarg;
        return -1;
    case OPTION_CHECK:
        o->check = true;
        return -1;
    case 'c':
        o->config_path = optarg;
        return -1;
    case OPTION_SOCKS:
    case OPTION_HTTP_PROXY:
    case OPTION_PROXY_LOGIN:
    case OPTION_UPSTREAM:
    case OPTION_SERVE_UPSTREAM:
    case OPTION_KEY:
    case OPTION_CERTIFICATE:
    case OPTION_PRIVATE_KEY:
    case OPTION_CA:
    case OPTION_SERVER_NAME:
    case OPTION_CLIENT_CA:
        return proxy_option_read(&o->proxies, option, optarg);
    case 'h':
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    case ':':
        return usage_error("%s needs a value", argv[optind - 1]);
    default:
        return usage_error("unknown option in \"%s\"", argv[optind - 1]);
    }
}

static void take_links(const char **to, unsigned *count, const struct config_link *links, unsigned link_count)
{
    for (unsigned i = 0; i < link_count; i++)
        to[(*count)++] = links[i].spec;
}

static void take_doors(struct up_options *o, const struct config *config)
{
    for (unsigned i = 0; i < config->door_count; i++) {
        const struct config_link *link = &config->doors[i];
        struct door_rule *rule = &o->doors[o->door_count++];
        *rule = (struct door_rule){.spec = link->spec, .fails_closed = link->fails_closed};
        snprintf(rule->interface, sizeof(rule->interface), "%s", link->interface ? link->interface : "");
    }
}

static void take_texts(const char **to, unsigned *count, unsigned max, const struct config_texts *texts)
{
    for (unsigned i = 0; i < texts->count && i < max; i++)
        to[(*count)++] = texts->at[i];
}

static void take_published(struct up_options *o, const struct config *config)
{
    char why[256];
    for (unsigned i = 0; i < config->published_count; i++) /* which were checked */
        publish_rule_read(config->published[i].text, &o->published[o->published_count++], why, sizeof(why));
}

static void take_allowed_ports(struct up_options *o, const struct config *config)
{
    for (unsigned i = 0; i < config->allow_publish.count; i++) /* which were checked */
        port_ranges_add(&o->program_ports, config->allow_publish.at[i]);
}

struct hawser_path_options up_options_paths(const struct up_options *o)
{
    return (struct hawser_path_options){.size = sizeof(struct hawser_path_options),
                                        .manager = o->manager ? o->manager : hawser_path_manager_find("on-demand"),
                                        .demand_bytes = UP_DEMAND_BYTES,
                                        .demand_ns = UP_DEMAND_NS};
}

void up_options_complete(struct up_options *o, const struct config *config)
{
    o->no_mptcp = o->says_mptcp ? o->no_mptcp : config->no_mptcp;
    o->scheduler = o->scheduler ? o->scheduler : config->scheduler;
    o->manager = o->manager ? o->manager : config->manager;
    o->congestion = o->congestion ? o->congestion : config->congestion;
    if (!o->control && !control_of_environment()) /* clients know that one, and not the file */
        o->control = config->control;
    o->group = o->group ? o->group : config->group;
    o->user = o->user ? o->user : config->user;
    if (o->door_count == 0)
        take_doors(o, config);
    if (o->uplink_count == 0 && o->excluded_count == 0 && o->allowed_count == 0)
        take_links(o->uplinks, &o->uplink_count, config->uplinks, config->uplink_count);
    if (o->uplink_count == 0 && o->excluded_count == 0)
        take_texts(o->excluded, &o->excluded_count, UP_INTERFACES, &config->exclude);
    if (o->uplink_count == 0 && o->allowed_count == 0)
        take_texts(o->allowed, &o->allowed_count, UP_INTERFACES, &config->allow);
    if (o->backup_count == 0)
        take_texts(o->backups, &o->backup_count, NAMES_MAX, &config->backup);
    if (o->published_count == 0)
        take_published(o, config);
    if (o->program_ports.count == 0)
        take_allowed_ports(o, config);
    if (o->first_count == 0)
        take_texts(o->first, &o->first_count, UP_FIRST, &config->first);
    proxy_options_complete(&o->proxies, config);
}

static int check_named(const struct up_options *o, const char *option, const char *name, char *why, size_t why_size)
{
    if (named_uplinks_have(o->uplinks, o->uplink_count, name))
        return 0;
    snprintf(why, why_size, "%s: no --uplink has dev=%s", option, name);
    return -EINVAL;
}

bool up_options_find_uplinks(const struct up_options *o)
{
    const bool asks = o->door_count || o->proxies.count || o->published_count || !o->proxies.upstream.serve;
    return asks && o->uplink_count == 0;
}

static int check_roles(const struct up_options *o, char *why, size_t why_size)
{
    struct choice choice;
    choice_init(&choice);
    for (unsigned i = 0; i < o->backup_count; i++) {
        if (names_add(&choice.backup, o->backups[i]) == 0)
            continue;
        snprintf(why, why_size, "--backup \"%.40s\": it cannot be the name of an interface, or there are more than %d",
                 o->backups[i], NAMES_MAX);
        return -EINVAL;
    }
    char reason[300];
    int error = choice_set(&choice, o->first, o->first_count, reason, sizeof(reason));
    if (error)
        snprintf(why, why_size, "--first-uplink %s", reason);
    if (error || up_options_find_uplinks(o)) /* one that is found may come yet */
        return error;
    for (unsigned i = 0; i < choice.rule_count && !error; i++)
        error = check_named(o, "--first-uplink", choice.rules[i].uplink, why, why_size);
    for (unsigned i = 0; i < choice.backup.count && !error; i++)
        error = check_named(o, "--backup", choice.backup.at[i], why, why_size);
    return error;
}

static int check_interfaces(const char *option, const char *const *names, char *why, size_t why_size)
{
    for (; *names; names++) {
        if (name_is_possible(*names))
            continue;
        snprintf(why, why_size, "%s \"%.40s\": it cannot be the name of an interface", option, *names);
        return -EINVAL;
    }
    return 0;
}

static int check_found(const struct up_options *o, char *why, size_t why_size)
{
    int error = check_interfaces("--allow", o->allowed, why, why_size);
    if (!error)
        error = check_interfaces("--exclude", o->excluded, why, why_size);
    for (unsigned i = 0; i < o->allowed_count && !error; i++) {
        for (unsigned j = 0; j < o->excluded_count && !error; j++) {
            if (strcmp(o->allowed[i], o->excluded[j]) != 0)
                continue;
            snprintf(why, why_size, "--allow and --exclude both name %s: leave one out, in the file too",
                     o->allowed[i]);
            error = -EINVAL;
        }
    }
    return error;
}

/* Those of a file are told by line before (config_together.c). */
static int check_doors(const struct up_options *o, char *why, size_t why_size)
{
    char device[DOOR_NAME_SIZE], other[DOOR_NAME_SIZE];
    for (unsigned i = 0; i < o->door_count; i++) {
        const char *interface = o->doors[i].interface;
        const char *what = NULL;
        door_rule_device(&o->doors[i], device);
        if (named_uplinks_have(o->uplinks, o->uplink_count, interface[0] ? interface : device))
            what = "it is an uplink, too";
        for (unsigned j = 0; j < i && !what; j++) {
            door_rule_device(&o->doors[j], other);
            if (strcmp(device, other) == 0)
                what = "another door has the same device";
        }
        if (!what)
            continue;
        snprintf(why, why_size, "door %s: %s: leave one out", interface[0] ? interface : device, what);
        return -EINVAL;
    }
    return 0;
}

static int check_published(const struct up_options *o, char *why, size_t why_size)
{
    for (unsigned i = 0; i < o->published_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (o->published[i].port != o->published[j].port)
                continue;
            snprintf(why, why_size, "--publish: port %u is there twice: leave one out", o->published[i].port);
            return -EINVAL;
        }
    }
    return 0;
}

int up_options_check(const struct up_options *o, char *why, size_t why_size)
{
    const char *found_only = o->allowed_count     ? "--allow"
                             : o->excluded_count  ? "--exclude"
                             : o->published_count ? "--publish"
                                                  : NULL;
    if (o->uplink_count && found_only) {
        snprintf(why, why_size,
                 "%s is for uplinks that are found: beside --uplink or [[uplink]] leave it out, in the file too",
                 found_only);
        return -EINVAL;
    }
    int error = named_uplinks_check(o->uplinks, o->uplink_count, why, why_size);
    if (!error)
        error = check_found(o, why, why_size);
    if (!error)
        error = check_roles(o, why, why_size);
    if (!error)
        error = check_doors(o, why, why_size);
    return error ? error : check_published(o, why, why_size);
}

int up_options_read(struct up_options *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"tcp", no_argument, NULL, OPTION_TCP},
        {"mptcp", no_argument, NULL, OPTION_MPTCP},
        {"door", required_argument, NULL, OPTION_DOOR},
        {"door-interface", required_argument, NULL, OPTION_DOOR_INTERFACE},
        {"uplink", required_argument, NULL, OPTION_UPLINK},
        {"first-uplink", required_argument, NULL, OPTION_FIRST_UPLINK},
        {"publish", required_argument, NULL, OPTION_PUBLISH},
        {"allow-publish", required_argument, NULL, OPTION_ALLOW_PUBLISH},
        {"allow", required_argument, NULL, OPTION_ALLOW},
        {"exclude", required_argument, NULL, OPTION_EXCLUDE},
        {"backup", required_argument, NULL, OPTION_BACKUP},
        {"scheduler", required_argument, NULL, OPTION_SCHEDULER},
        {"path-manager", required_argument, NULL, OPTION_PATH_MANAGER},
        {"control", required_argument, NULL, OPTION_CONTROL},
        {"congestion", required_argument, NULL, OPTION_CONGESTION},
        {"group", required_argument, NULL, OPTION_GROUP},
        {"user", required_argument, NULL, OPTION_USER},
        {"check", no_argument, NULL, OPTION_CHECK},
        PROXY_LONG_OPTIONS,
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    memset(o, 0, sizeof(*o));
    while ((option = command_next_option(argc, argv, ":c:vh", long_options)) != -1) {
        int status = read_option(o, option, argv);
        if (status >= 0)
            return status;
    }
    if (optind < argc)
        return usage_error("\"%s\" is no option", argv[optind]);
    o->check_alone = o->check && argc == 2;
    return -1;
}
