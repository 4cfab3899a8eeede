/* hawser uplinks: what would be uplinks of this host, and why the others would not. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "commands.h"
#include "service/uplink.h"

enum { EXCLUDED_MAX = 64 };

struct listing {
    const char *excluded[EXCLUDED_MAX + 1];
    size_t excluded_count;
    bool json, all;
};

static const char usage[] = "usage: hawser uplinks [--all] [--json] [--exclude INTERFACE]...\n"
                            "\n"
                            "Lists the interfaces of this host that lead to the Internet: those with a global address "
                            "that is ready for use and\n"
                            "a default route, each for IPv4 and IPv6. Changes nothing and needs no privilege.\n"
                            "\n"
                            "  --all                list the other interfaces too, and say why they are no uplinks\n"
                            "  --json               print a list of objects\n"
                            "  --exclude INTERFACE  leave one out, as the configuration may\n"
                            "\n"
                            "Exit status: 0, 1 when there is no uplink, 2 when the command line makes no sense.\n";

static int usage_error(const char *what, const char *word)
{
    fprintf(stderr, "hawser uplinks: %s \"%s\"; see hawser uplinks --help\n", what, word);
    return EXIT_USAGE;
}

/* Returns an exit status, or -1 to go on. */
static int read_options(struct listing *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"all", no_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"exclude", required_argument, NULL, 'x'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = command_next_option(argc, argv, ":h", long_options)) != -1) {
        if (option == 'a')
            o->all = true;
        else if (option == 'j')
            o->json = true;
        else if (option == 'x' && o->excluded_count < EXCLUDED_MAX)
            o->excluded[o->excluded_count++] = optarg;
        else if (option == 'x')
            return usage_error("too many interfaces excluded at", optarg);
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else
            return usage_error(option == ':' ? "a value is missing after" : "unknown option in", argv[optind - 1]);
    }
    return optind < argc ? usage_error("unexpected argument", argv[optind]) : -1;
}

static json_t *describe(const struct uplink *uplink, bool v4, enum uplink_verdict verdict)
{
    char text[HAWSER_ADDR_STRLEN];
    json_t *object = json_pack("{s:s, s:i, s:b, s:s}", "interface", uplink->name, "family", v4 ? 4 : 6, "uplink",
                               verdict == UPLINK_IS, "state", uplink_verdict_text(verdict));
    if (!object || verdict != UPLINK_IS)
        return object;
    json_t *outside = json_array();
    for (size_t i = 0; i < uplink->outside_count; i++)
        json_array_append_new(outside, json_string(hawser_addr_format(&uplink->outside[i], text, sizeof(text))));
    json_object_set_new(object, "addresses", outside);
    if (uplink->has_gateway)
        json_object_set_new(object, "gateway", json_string(hawser_addr_format(&uplink->gateway, text, sizeof(text))));
    json_object_set_new(object, "metric", json_integer(uplink->metric));
    json_object_set_new(object, "mtu", json_integer(uplink->mtu));
    json_object_set_new(object, "carrier", json_boolean(uplink->carrier));
    return object;
}

static void print_row(const struct uplink *uplink, bool v4, enum uplink_verdict verdict)
{
    char address[HAWSER_ADDR_STRLEN] = "-", gateway[HAWSER_ADDR_STRLEN] = "-";
    if (verdict == UPLINK_IS) {
        hawser_addr_format(&uplink->outside[0], address, sizeof(address));
        if (uplink->has_gateway)
            hawser_addr_format(&uplink->gateway, gateway, sizeof(gateway));
        printf("%-15s IPv%d  %-25s %-25s %6u %5u  %s\n", uplink->name, v4 ? 4 : 6, address, gateway, uplink->metric,
               uplink->mtu, uplink->carrier ? "ready" : "no carrier");
    } else {
        printf("%-15s IPv%d  %-25s %-25s %6s %5s  %s\n", uplink->name, v4 ? 4 : 6, address, gateway, "-", "-",
               uplink_verdict_text(verdict));
    }
}

/* Returns how many uplinks there are. */
static size_t list_view(const struct host_view *view, const struct listing *o, json_t *list)
{
    struct uplink_names names = {.excluded = o->excluded};
    size_t count = 0;
    for (size_t i = 0; i < view->link_count; i++) {
        for (int v4 = 1; v4 >= 0; v4--) {
            struct uplink uplink = {.v4 = v4};
            enum uplink_verdict verdict = uplink_of_link(view, &view->links[i], v4, &names, &uplink);
            memcpy(uplink.name, view->links[i].name, sizeof(uplink.name));
            count += verdict == UPLINK_IS;
            if (verdict != UPLINK_IS && !o->all)
                continue;
            if (list)
                json_array_append_new(list, describe(&uplink, v4, verdict));
            else
                print_row(&uplink, v4, verdict);
        }
    }
    return count;
}

static int print_listing(const struct host_view *view, const struct listing *o)
{
    json_t *list = o->json ? json_array() : NULL;
    if (!list)
        printf("%-15s %-5s %-25s %-25s %6s %5s  %s\n", "INTERFACE", "", "ADDRESS", "GATEWAY", "METRIC", "MTU", "STATE");
    size_t count = list_view(view, o, list);
    if (list) {
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(list);
    }
    if (count == 0)
        fprintf(stderr,
                "hawser uplinks: no interface has both an address and a default route: see ip address, and ip "
                "route%s\n",
                o->all ? "" : "; --all says why each has not");
    return count ? EXIT_SUCCESS : EXIT_FAILURE;
}

int uplinks_main(int argc, char **argv)
{
    struct listing o = {.json = false};
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    struct host_view *view = calloc(1, sizeof(*view));
    struct netlink netlink;
    int error = view ? netlink_open(&netlink) : -ENOMEM;
    if (!error) {
        error = host_view_read(view, &netlink);
        netlink_close(&netlink);
    }
    if (error)
        fprintf(stderr, "hawser uplinks: cannot ask the kernel for interfaces and routes: %s\n", strerror(-error));
    else
        status = print_listing(view, &o);
    free(view);
    return error ? EXIT_FAILURE : status;
}
