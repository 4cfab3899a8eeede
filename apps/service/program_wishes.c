#include "service/program_wishes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_uplink(const json_t *item, const struct choice *choice, struct name_list *out, char *why,
                       size_t why_size)
{
    char list[256];
    const char *name = json_string_value(item);
    if (!name) {
        snprintf(why, why_size, "an uplink is the name of an interface, as a text");
        return -EINVAL;
    }
    if (!choice_knows(choice, name)) {
        choice_list(choice, list, sizeof list);
        snprintf(why, why_size, "\"%.40s\" is no uplink: there %s", name, list[0] ? "are " : "is none now");
        size_t used = strlen(why);
        snprintf(why + used, why_size - used, "%s", list);
        return -EINVAL;
    }
    if (names_add(out, name) < 0) {
        snprintf(why, why_size, "more than %d uplinks: leave some out", NAMES_MAX);
        return -EINVAL;
    }
    return 0;
}

static int read_uplinks(const json_t *body, const char *key, const struct choice *choice, struct name_list *out,
                        char *why, size_t why_size)
{
    const json_t *list = json_object_get(body, key);
    int error = 0;
    if (list && !json_is_array(list)) {
        snprintf(why, why_size, "\"%s\" is a list of uplinks: use hawser run", key);
        return -EINVAL;
    }
    for (size_t i = 0; i < json_array_size(list) && !error; i++)
        error = read_uplink(json_array_get(list, i), choice, out, why, why_size);
    return error;
}

static bool read_port(const json_t *item, uint16_t *out)
{
    json_int_t value = json_integer_value(item);
    *out = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

static int read_ports(const json_t *body, struct program_wishes *out, char *why, size_t why_size)
{
    const json_t *list = json_object_get(body, "publish");
    if (list && !json_is_array(list)) {
        snprintf(why, why_size, "\"publish\" is a list of ports: use hawser run");
        return -EINVAL;
    }
    if (json_array_size(list) > PROGRAM_PORTS) {
        snprintf(why, why_size, "more than %d published ports: leave some out", PROGRAM_PORTS);
        return -EINVAL;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        if (json_array_size(pair) != 2 || !read_port(json_array_get(pair, 0), &out->ports[i].outside) ||
            !read_port(json_array_get(pair, 1), &out->ports[i].inside)) {
            snprintf(why, why_size, "a published port is a pair of numbers from 1 to 65535: use hawser run");
            return -EINVAL;
        }
        out->port_count++;
    }
    return 0;
}

/* Whatever it is, it does no harm to a terminal. */
static void read_name(const json_t *body, char out[PROGRAM_NAME_SIZE])
{
    const char *name = json_string_value(json_object_get(body, "program"));
    size_t len = 0;
    for (; name && name[len] && len + 1 < PROGRAM_NAME_SIZE; len++)
        out[len] = name[len] > ' ' && name[len] <= '~' ? name[len] : '?';
    out[len] = '\0';
}

/* A backup that is none of the uplinks that are used. */
static const char *stray_backup(const struct demands *demands)
{
    for (unsigned i = 0; i < demands->backup.count && demands->only.count; i++)
        if (!names_have(&demands->only, demands->backup.at[i]))
            return demands->backup.at[i];
    return NULL;
}

int program_wishes_read(const json_t *body, const struct choice *choice, struct program_wishes *out, char *why,
                        size_t why_size)
{
    *out = (struct program_wishes){.demands = {.mptcp = json_is_true(json_object_get(body, "require_mptcp"))}};
    read_name(body, out->name);
    int error = read_uplinks(body, "uplinks", choice, &out->demands.only, why, why_size);
    if (!error)
        error = read_uplinks(body, "backups", choice, &out->demands.backup, why, why_size);
    if (!error)
        error = read_ports(body, out, why, why_size);
    if (error)
        return error;
    const char *stray = stray_backup(&out->demands);
    if (stray)
        snprintf(why, why_size, "%s is a backup, and no uplink of this program: name it by --uplink too", stray);
    return stray ? -EINVAL : 0;
}
