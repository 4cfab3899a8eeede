#include "service/doors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/link_spec.h"
#include "service/door_filter.h"
#include "service/program_net.h"
#include "service/publish.h"
#include "service/ways_out.h"

enum { DOORS_SPEC_SIZE = 5200 };

struct open_door {
    struct door_rule rule;
    char *spec; /* the rule's */
    struct service_door *door;
    bool wanted;
};

struct doors {
    struct service *service;
    struct door_options options;
    struct door_ways *ways;
    struct open_door all[DOORS_MAX];
    unsigned count;
};

int door_when_down_read(const char *text, bool *fails_closed)
{
    *fails_closed = strcmp(text, "closed") == 0;
    return *fails_closed || strcmp(text, "direct") == 0 ? 0 : -EINVAL;
}

static bool is_own(const char *name)
{
    static const char *const own[] = {WAYS_DEVICE, PUBLISH_DEVICE};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(name, own[i]) == 0)
            return true;
    }
    return strncmp(name, DOOR_DEVICE_PREFIX, sizeof(DOOR_DEVICE_PREFIX) - 1) == 0 ||
           strncmp(name, PROGRAM_DEVICE_PREFIX, sizeof(PROGRAM_DEVICE_PREFIX) - 1) == 0;
}

int door_interface_check(const char *name, char *why, size_t why_size)
{
    if (!name[0] || strlen(name) >= DOOR_NAME_SIZE || strpbrk(name, "/,\"*\\ \t\n") || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        snprintf(why, why_size, "\"%.60s\" is no name of an interface: such as lan0, of at most %d characters", name,
                 DOOR_NAME_SIZE - 1);
    else if (strcmp(name, "lo") == 0)
        snprintf(why, why_size, "by lo come only programs of this host: start them by hawser run");
    else if (is_own(name))
        snprintf(why, why_size, "%s is a device of Hawser: name the interface that clients are behind", name);
    else
        return 0;
    return -EINVAL;
}

/* All of it, as hawser_host_add_link() reads it. Returns 0 or -EINVAL and one line in `why`. */
static int write_spec(const char *text, char spec[DOORS_SPEC_SIZE], char *why, size_t why_size)
{
    int n = snprintf(spec, DOORS_SPEC_SIZE, "%s,door", text);
    if (n >= 0 && n < DOORS_SPEC_SIZE)
        return 0;
    snprintf(why, why_size, "more than %d characters", DOORS_SPEC_SIZE);
    return -EINVAL;
}

int door_rule_read(const char *text, struct door_rule *rule, char *why, size_t why_size)
{
    static const char when_down[] = "when-down=";
    char name[64];
    size_t len = strcspn(text, ",");
    *rule = (struct door_rule){.spec = NULL};
    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), text);
    if (door_interface_check(name, why, why_size) < 0)
        return -EINVAL;
    snprintf(rule->interface, sizeof(rule->interface), "%.15s", name);
    if (!text[len])
        return 0;
    text += len + 1;
    size_t word = sizeof(when_down) - 1;
    if (strncmp(text, when_down, word) == 0 && door_when_down_read(text + word, &rule->fails_closed) == 0)
        return 0;
    snprintf(why, why_size, "\"%.60s\" means nothing behind an interface: when-down=direct or when-down=closed", text);
    return -EINVAL;
}

int door_spec_read(const char *text, struct door_rule *rule, char *why, size_t why_size)
{
    struct link_spec parsed;
    char spec[DOORS_SPEC_SIZE];
    *rule = (struct door_rule){.spec = text};
    return write_spec(text, spec, why, why_size) < 0 ? -EINVAL : link_spec_parse(spec, &parsed, why, why_size);
}

void door_rule_device(const struct door_rule *rule, char name[DOOR_NAME_SIZE])
{
    const char *device = rule->spec ? strstr(rule->spec, ",dev=") : NULL;
    if (device)
        snprintf(name, DOOR_NAME_SIZE, "%.*s", (int)strcspn(device + 5, ","), device + 5);
    else
        door_device_name(rule->interface, name);
}

void door_device_name(const char *interface, char name[DOOR_NAME_SIZE])
{
    const size_t room = DOOR_NAME_SIZE - sizeof(DOOR_DEVICE_PREFIX), len = strlen(interface);
    snprintf(name, DOOR_NAME_SIZE, DOOR_DEVICE_PREFIX "%s", interface + (len > room ? len - room : 0));
}

int doors_open(struct doors **out, struct service *service, const struct door_options *options, char *why,
               size_t why_size)
{
    struct doors *doors = calloc(1, sizeof(*doors));
    if (!doors) {
        snprintf(why, why_size, "no memory for doors: free some and try again");
        return -ENOMEM;
    }
    doors->service = service;
    doors->options = *options;
    int error = door_ways_open(&doors->ways, service, why, why_size);
    if (error)
        doors_close(doors);
    else
        *out = doors;
    return error;
}

static bool same_rule(const struct door_rule *a, const struct door_rule *b)
{
    return strcmp(a->spec ? a->spec : "", b->spec ? b->spec : "") == 0 && strcmp(a->interface, b->interface) == 0 &&
           a->fails_closed == b->fails_closed;
}

static void close_door(struct doors *doors, unsigned i)
{
    struct open_door *door = &doors->all[i];
    if (door->door)
        service_close_door(doors->service, door->door);
    if (door->rule.interface[0])
        door_ways_remove(doors->ways, door->rule.interface);
    free(door->spec);
    *door = doors->all[--doors->count];
}

static const char *name_of(const struct door_rule *rule) { return rule->interface[0] ? rule->interface : rule->spec; }

static int add_link(struct service *service, const struct door_rule *rule, const char *device, char *why,
                    size_t why_size)
{
    char spec[DOORS_SPEC_SIZE];
    if (!rule->spec)
        return service_add_own_device(service, device, "door", why, why_size);
    int error = write_spec(rule->spec, spec, why, why_size);
    return error ? error : service_add_link(service, spec, why, why_size);
}

/* A device that serves as a door, and, for an interface, the way there. */
static int serve(struct doors *doors, struct open_door *door, char *why, size_t why_size)
{
    const struct door_rule *rule = &door->rule;
    char device[DOOR_NAME_SIZE];
    door_rule_device(rule, device);
    int link = add_link(doors->service, rule, device, why, why_size);
    if (link < 0)
        return link;
    int error = service_add_door(doors->service, link, name_of(rule), &doors->options, &door->door);
    if (error)
        snprintf(why, why_size, "cannot listen: %s", strerror(-error));
    else if (rule->interface[0])
        error = door_ways_add(doors->ways, rule->interface, device, rule->fails_closed, why, why_size);
    return error;
}

static int open_door(struct doors *doors, const struct door_rule *rule, char *why, size_t why_size)
{
    char reason[600] = "no memory";
    int error = 0;
    struct open_door *door = &doors->all[doors->count];
    *door = (struct open_door){.rule = *rule, .wanted = true};
    if (rule->spec && !(door->rule.spec = door->spec = strdup(rule->spec)))
        error = -ENOMEM;
    doors->count++;
    if (!error)
        error = serve(doors, door, reason, sizeof(reason));
    if (error) {
        snprintf(why, why_size, "%s %s: %s", rule->interface[0] ? "door" : "--door", name_of(rule), reason);
        close_door(doors, doors->count - 1);
    }
    return error;
}

static bool is_open(struct doors *doors, const struct door_rule *rule)
{
    for (unsigned i = 0; i < doors->count; i++) {
        if (!doors->all[i].wanted && same_rule(&doors->all[i].rule, rule))
            return doors->all[i].wanted = true;
    }
    return false;
}

/* Beside all that are open. */
static bool has_place(const struct doors *doors, const struct door_rule *rule)
{
    char device[DOOR_NAME_SIZE], taken[DOOR_NAME_SIZE];
    door_rule_device(rule, device);
    for (unsigned i = 0; i < doors->count; i++) {
        door_rule_device(&doors->all[i].rule, taken);
        if (strcmp(device, taken) == 0)
            return false;
    }
    return doors->count < DOORS_MAX;
}

int doors_check(const struct doors *doors, const struct door_rule *rules, unsigned count,
                const struct uplink_names *names, char *why, size_t why_size)
{
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        if (rules[i].interface[0])
            error = door_ways_check(doors->ways, rules[i].interface, names, why, why_size);
    }
    return error;
}

int doors_set(struct doors *doors, const struct door_rule *rules, unsigned count, char *why, size_t why_size)
{
    bool there[DOORS_MAX] = {false};
    const unsigned before = doors->count;
    if (count > DOORS_MAX) {
        snprintf(why, why_size, "more than %d doors", DOORS_MAX);
        return -ENOSPC;
    }
    for (unsigned i = 0; i < before; i++)
        doors->all[i].wanted = false;
    for (unsigned i = 0; i < count; i++)
        there[i] = is_open(doors, &rules[i]);
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        if (!there[i] && has_place(doors, &rules[i])) {
            error = open_door(doors, &rules[i], why, why_size);
            there[i] = true;
        }
    }
    for (unsigned i = doors->count; i-- > 0;) {
        if (error ? i >= before : !doors->all[i].wanted)
            close_door(doors, i);
    }
    for (unsigned i = 0; i < count && !error; i++)
        error = there[i] ? 0 : open_door(doors, &rules[i], why, why_size);
    if (doors->service->ways)
        ways_look_at_doors(doors->service->ways);
    return error;
}

void doors_close(struct doors *doors)
{
    if (!doors)
        return;
    door_ways_close(doors->ways);
    for (unsigned i = 0; i < doors->count; i++)
        free(doors->all[i].spec);
    free(doors);
}
