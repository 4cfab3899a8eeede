#include "service/config_sections.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "run/link_spec.h"
#include "service/choice.h"
#include "service/doors.h"
#include "service/named_uplinks.h"
#include "service/program_ports.h"
#include "service/publish.h"

static bool read_scheduler(struct reader *r, const struct toml_node *node, void *out)
{
    const char *name;
    if (!read_text(r, node, &name))
        return false;
    return (*(const struct hawser_scheduler **)out = hawser_scheduler_find(name)) != NULL;
}

static bool read_manager(struct reader *r, const struct toml_node *node, void *out)
{
    const char *name;
    if (!read_text(r, node, &name))
        return false;
    return (*(const struct hawser_path_manager **)out = hawser_path_manager_find(name)) != NULL;
}

static bool read_congestion(struct reader *r, const struct toml_node *node, void *out)
{
    const char **name = out;
    return read_text(r, node, name) && hawser_congestion_find(*name) != NULL;
}

/* The opposite of what the key says. */
static bool read_negated(struct reader *r, const struct toml_node *node, void *out)
{
    bool *negated = out;
    bool good = read_flag(r, node, out);
    *negated = good && !*negated;
    return good;
}

static bool read_name_of_some(struct reader *r, const struct toml_node *node, void *out)
{
    const char **name = out;
    return read_text(r, node, name) && **name;
}

static const struct field top_fields[] = {
    {"scheduler", read_scheduler, offsetof(struct config, scheduler), "\"lowest-rtt\" or \"redundant\""},
    {"path-manager", read_manager, offsetof(struct config, manager),
     "\"default\", \"fullmesh\", \"ports\", \"backup\" or \"on-demand\""},
    {"congestion", read_congestion, offsetof(struct config, congestion), "\"cubic\", \"reno\" or \"bbr\""},
    {"mptcp", read_negated, offsetof(struct config, no_mptcp), "true, or false: plain TCP"},
    {"control", read_name_of_some, offsetof(struct config, control), "a path, or \"none\""},
    {"group", read_name_of_some, offsetof(struct config, group), "the name of a group"},
    {"user", read_name_of_some, offsetof(struct config, user), "the name of a user"},
};
static void *begin_config(struct config *config) { return config; }
const struct config_section config_top = {
    .name = "", .fields = top_fields, .field_count = HW_ARRAY_LEN(top_fields), .begin = begin_config};

static const struct field uplinks_fields[] = {
    {"allow", config_read_texts, offsetof(struct config, allow), "a list of interfaces: [\"eth0\", \"wlan0\"]"},
    {"backup", config_read_texts, offsetof(struct config, backup), "a list of uplinks: [\"wwan0\"]"},
    {"exclude", config_read_texts, offsetof(struct config, exclude), "a list of interfaces: [\"docker0\"]"},
    {"first", config_read_texts, offsetof(struct config, first),
     "a list of \"order\", \"share\", or rules: [\"192.0.2.0/24=wan1\"]"},
};

/* Names of interfaces, of which none is to be in `other`. */
static bool check_interfaces(struct reader *r, const struct toml_node *list, const struct toml_node *other)
{
    unsigned count = 0;
    for (const struct toml_node *item = list ? list->first : NULL; item; item = item->next) {
        if (!name_is_possible(item->text))
            return reader_says(r, item, "%s: \"%.40s\" cannot be the name of an interface", list->key, item->text);
        if (++count > CONFIG_INTERFACES)
            return reader_says(r, list, "%s: more than %d interfaces", list->key, CONFIG_INTERFACES);
        for (const struct toml_node *that = other ? other->first : NULL; that; that = that->next) {
            if (strcmp(item->text, that->text) == 0)
                return reader_says(r, item, "%s: \"%s\" is in %s, too: leave one out", list->key, item->text,
                                   other->key);
        }
    }
    return true;
}

static bool check_uplinks(struct reader *r, const struct toml_node *table, void *object)
{
    const struct config *config = object;
    struct choice choice;
    char why[256];
    const struct toml_node *allow = toml_get(table, "allow");
    if (!check_interfaces(r, allow, NULL) || !check_interfaces(r, toml_get(table, "exclude"), allow))
        return false;
    choice_init(&choice);
    for (unsigned i = 0; i < config->backup.count; i++) {
        if (names_add(&choice.backup, config->backup.at[i]) < 0)
            return reader_says(r, toml_get(table, "backup"),
                               "backup: \"%.40s\" cannot be the name of an interface, or there are more than %d",
                               config->backup.at[i], NAMES_MAX);
    }
    return choice_set(&choice, config->first.at, config->first.count, why, sizeof why) == 0 ||
           reader_says(r, toml_get(table, "first"), "first: %s", why);
}
const struct config_section config_uplinks = {.name = "uplinks",
                                              .fields = uplinks_fields,
                                              .field_count = HW_ARRAY_LEN(uplinks_fields),
                                              .begin = begin_config,
                                              .check = check_uplinks};

/* Commas separate the words of a link, as of what is published. */
static bool is_word(const char *text) { return *text && !strchr(text, ','); }

static bool read_device(struct reader *r, const struct toml_node *node, void *out)
{
    const char **name = out;
    struct link_spec spec;
    char text[64], why[512];
    if (!read_text(r, node, name) || !is_word(*name))
        return false;
    int n = snprintf(text, sizeof text, "tun,door,dev=%s", *name);
    return n < (int)sizeof text && link_spec_parse(text, &spec, why, sizeof why) == 0;
}

static bool read_mtu(struct reader *r, const struct toml_node *node, void *out)
{
    const uint64_t *mtu = out;
    return read_number(r, node, out) && *mtu >= 1280 && *mtu <= 65535;
}

static bool read_capture(struct reader *r, const struct toml_node *node, void *out)
{
    const char **path = out;
    return read_text(r, node, path) && is_word(*path) && strlen(*path) < LINK_SPEC_PATH_SIZE;
}

static bool read_addresses(struct reader *r, const struct toml_node *node, void *out)
{
    struct hawser_addr addrs[LINK_SPEC_ADDRESSES];
    unsigned count = 0;
    if (!config_read_texts(r, node, out))
        return false;
    for (const struct toml_node *item = node->first; item; item = item->next) {
        struct link_spec spec;
        char text[HAWSER_ADDR_STRLEN + 32], why[512];
        int n = snprintf(text, sizeof text, "tun,dev=x,addr=%s", item->text);
        if (!is_word(item->text) || n >= (int)sizeof text || link_spec_parse(text, &spec, why, sizeof why) < 0 ||
            spec.address_count == 0)
            return reader_says(r, item,
                               "addr: \"%.60s\" is no address of a host with the length of its network's prefix, "
                               "such as 198.18.0.1/24",
                               item->text);
        if (count == LINK_SPEC_ADDRESSES)
            return reader_says(r, node, "addr: more than %d addresses", LINK_SPEC_ADDRESSES);
        addrs[count] = spec.addresses[0].addr;
        for (unsigned i = 0; i < count; i++) {
            if (hawser_addr_same_ip(&addrs[i], &addrs[count]))
                return reader_says(r, item, "addr: \"%s\" is there twice: leave one out", item->text);
        }
        count++;
    }
    return true;
}

#define DEVICE_FIELD                                                                                                   \
    {                                                                                                                  \
        "dev", read_device, offsetof(struct config_link, device),                                                      \
            "the name of a device, of at most 15 characters: \"door0\""                                                \
    }
#define LINK_FIELDS                                                                                                    \
    {"mtu", read_mtu, offsetof(struct config_link, mtu), "a number from 1280 to 65535"},                               \
        {"gso", read_negated, offsetof(struct config_link, no_gso), "true or false"},                                  \
    {                                                                                                                  \
        "pcap", read_capture, offsetof(struct config_link, capture), "the name of a file, without commas"              \
    }

HW_PRINTF(3, 4) static size_t append(char *spec, size_t used, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = used < CONFIG_SPEC_SIZE ? vsnprintf(spec + used, CONFIG_SPEC_SIZE - used, format, args) : 0;
    va_end(args);
    return used + (size_t)n;
}

static bool check_link(struct reader *r, const struct toml_node *table, struct config_link *link, bool door)
{
    struct link_spec parsed;
    char why[512];
    if (!link->device)
        return reader_says(r, table, "dev is missing: the name of a device, such as dev = \"%s\"%s",
                           door ? "door0" : "up0", door ? ", or interface: whose clients come in" : "");
    if (!door && link->addresses.count == 0)
        return reader_says(r, toml_get(table, "addr") ? toml_get(table, "addr") : table,
                           "addr is missing: a list of addresses, such as addr = [\"198.18.0.1/24\"]");
    size_t used = append(link->spec, 0, "tun,dev=%s", link->device);
    for (unsigned i = 0; i < link->addresses.count; i++)
        used = append(link->spec, used, ",addr=%s", link->addresses.at[i]);
    if (link->mtu)
        used = append(link->spec, used, ",mtu=%llu", (unsigned long long)link->mtu);
    if (link->capture)
        used = append(link->spec, used, ",pcap=%s", link->capture);
    if (link->no_gso)
        used = append(link->spec, used, ",nogso");
    if (used >= CONFIG_SPEC_SIZE)
        return reader_says(r, table, "the words of a device are too long");
    char whole[CONFIG_SPEC_SIZE + 8];
    snprintf(whole, sizeof whole, "%s%s", link->spec, door ? ",door" : "");
    return link_spec_parse(whole, &parsed, why, sizeof why) == 0 || reader_says(r, table, "%s", why);
}

static const struct field uplink_fields[] = {
    DEVICE_FIELD,
    {"addr", read_addresses, offsetof(struct config_link, addresses), "a list: [\"198.18.0.1/24\"]"},
    LINK_FIELDS,
};

static void *begin_uplink(struct config *config)
{
    return config->uplink_count < CONFIG_LINKS ? &config->uplinks[config->uplink_count++] : NULL;
}

/* Alone, and beside those above it. */
static bool check_uplink(struct reader *r, const struct toml_node *table, void *object)
{
    const struct config *config = r->of;
    const char *specs[CONFIG_LINKS];
    char why[512];
    if (!check_link(r, table, object, false))
        return false;
    for (unsigned i = 0; i < config->uplink_count; i++)
        specs[i] = config->uplinks[i].spec;
    if (named_uplinks_check(specs, config->uplink_count, why, sizeof why) == 0)
        return true;
    const char *device = config->uplinks[config->uplink_count - 1].device;
    const bool twice = named_uplinks_have(specs, config->uplink_count - 1, device);
    return reader_says(r, toml_get(table, twice ? "dev" : "addr"), "%s", why);
}
const struct config_section config_uplink = {.name = "uplink",
                                             .many = true,
                                             .fields = uplink_fields,
                                             .field_count = HW_ARRAY_LEN(uplink_fields),
                                             .begin = begin_uplink,
                                             .check = check_uplink};

static bool read_when_down(struct reader *r, const struct toml_node *node, void *out)
{
    const char *text;
    return read_text(r, node, &text) && door_when_down_read(text, out) == 0;
}

static const struct field door_fields[] = {
    DEVICE_FIELD,
    {"interface", read_text, offsetof(struct config_link, interface), "the name of an interface: \"lan0\""},
    {"when-down", read_when_down, offsetof(struct config_link, fails_closed), "\"direct\" or \"closed\""},
    LINK_FIELDS,
};

static void *begin_door(struct config *config)
{
    return config->door_count < CONFIG_LINKS ? &config->doors[config->door_count++] : NULL;
}

static bool check_door(struct reader *r, const struct toml_node *table, void *object)
{
    struct config_link *link = object;
    char why[256];
    if (link->interface && link->device)
        return reader_says(r, toml_get(table, "interface"), "dev and interface are two kinds of doors: leave one out");
    if (!link->interface && toml_get(table, "when-down"))
        return reader_says(r, toml_get(table, "when-down"),
                           "when-down is for doors of an interface: say which, as in interface = \"lan0\"");
    if (link->interface && door_interface_check(link->interface, why, sizeof why) < 0)
        return reader_says(r, toml_get(table, "interface"), "interface: %s", why);
    if (link->interface) {
        door_device_name(link->interface, link->made);
        link->device = link->made;
    }
    return check_link(r, table, object, true);
}
const struct config_section config_door = {.name = "door",
                                           .many = true,
                                           .fields = door_fields,
                                           .field_count = HW_ARRAY_LEN(door_fields),
                                           .begin = begin_door,
                                           .check = check_door};

static bool read_port(struct reader *r, const struct toml_node *node, void *out)
{
    const uint64_t *port = out;
    return read_number(r, node, out) && *port >= 1 && *port <= 65535;
}

static bool read_to(struct reader *r, const struct toml_node *node, void *out)
{
    const char **to = out;
    struct publish_rule rule;
    char text[128], why[256];
    if (!read_text(r, node, to) || !is_word(*to))
        return false;
    int n = snprintf(text, sizeof text, "65535,to=%s,proxy-protocol", *to); /* the longest */
    return n < (int)sizeof text && publish_rule_read(text, &rule, why, sizeof why) == 0;
}

static const struct field publish_fields[] = {
    {"port", read_port, offsetof(struct config_publish, port), "a number from 1 to 65535"},
    {"to", read_to, offsetof(struct config_publish, to),
     "a server's address, with a port or without: \"127.0.0.1:8443\""},
    {"proxy-protocol", read_flag, offsetof(struct config_publish, tells), "true or false"},
};

static void *begin_publish(struct config *config)
{
    return config->published_count < CONFIG_PUBLISHED ? &config->published[config->published_count++] : NULL;
}

static bool check_publish(struct reader *r, const struct toml_node *table, void *object)
{
    struct config_publish *p = object;
    struct publish_rule rule;
    char why[256];
    if (!p->port)
        return reader_says(r, table, "port is missing: a number from 1 to 65535, such as port = 443");
    snprintf(p->text, sizeof p->text, "%llu%s%s%s", (unsigned long long)p->port, p->to ? ",to=" : "",
             p->to ? p->to : "", p->tells ? ",proxy-protocol" : "");
    return publish_rule_read(p->text, &rule, why, sizeof why) == 0 || reader_says(r, table, "%s", why);
}
const struct config_section config_publish = {.name = "publish",
                                              .many = true,
                                              .fields = publish_fields,
                                              .field_count = HW_ARRAY_LEN(publish_fields),
                                              .begin = begin_publish,
                                              .check = check_publish};

static const struct field programs_fields[] = {
    {"publish", config_read_texts, offsetof(struct config, allow_publish), "a list of ports: [\"80\", \"8000-8099\"]"},
};

static bool check_programs(struct reader *r, const struct toml_node *table, void *object)
{
    const struct config *config = object;
    struct port_ranges ranges = {.count = 0};
    for (unsigned i = 0; i < config->allow_publish.count; i++) {
        if (port_ranges_add(&ranges, config->allow_publish.at[i]) < 0)
            return reader_says(r, toml_get(table, "publish"),
                               "publish: \"%.40s\" is no port from 1 to 65535, nor two with a hyphen between, or there "
                               "are more than %d",
                               config->allow_publish.at[i], PORT_RANGES);
    }
    return true;
}
const struct config_section config_programs = {.name = "programs",
                                               .fields = programs_fields,
                                               .field_count = HW_ARRAY_LEN(programs_fields),
                                               .begin = begin_config,
                                               .check = check_programs};
