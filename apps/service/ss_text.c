#include "service/ss_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* What was so a while ago; without `object`: nothing is known of that. */
struct past {
    const json_t *object;
    uint64_t ms; /* how long ago */
};

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* NULL: there is none. */
static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *value = text(object, key);
    return value ? value : otherwise;
}

/* As a few characters: 950, 1.2k, 35M. */
static const char *amount(uint64_t value, char out[16])
{
    static const char units[] = " kMGTPE";
    double scaled = (double)value;
    size_t unit = 0;
    for (; scaled >= 999.5 && unit + 1 < sizeof units - 1; unit++)
        scaled /= 1000;
    if (unit == 0)
        snprintf(out, 16, "%u", (unsigned)value);
    else
        snprintf(out, 16, scaled < 9.95 ? "%.1f%c" : "%.0f%c", scaled, units[unit]);
    return out;
}

/* The one with that ID in another list, or NULL. Both lists are in the order of their IDs, so that a search goes on
 * where the last one ended. */
static const json_t *with_same_id(const json_t *list, size_t *from, const json_t *object)
{
    uint64_t id = number(object, "id");
    while (*from < json_array_size(list) && number(json_array_get(list, *from), "id") < id)
        ++*from;
    const json_t *found = json_array_get(list, *from);
    return found && number(found, "id") == id ? found : NULL;
}

/* The same path in another list; the kernel's have no IDs, but addresses. */
static const json_t *same_path(const json_t *list, const json_t *path)
{
    static const char *const keys[] = {"id", "local", "remote"};
    const json_t *other;
    size_t i;
    json_array_foreach(list, i, other)
    {
        bool same = true;
        for (size_t k = 0; k < sizeof keys / sizeof keys[0] && same; k++) {
            const json_t *one = json_object_get(path, keys[k]), *two = json_object_get(other, keys[k]);
            same = one == two || json_equal(one, two);
        }
        if (same)
            return other;
    }
    return NULL;
}

static void print_amount(FILE *out, const json_t *now, const struct past *past, const char *key)
{
    char text[16];
    const uint64_t value = number(now, key), was = number(past->object, key);
    fprintf(out, " %s", amount(value, text));
    if (past->object && past->ms)
        fprintf(out, " %sbit/s", amount(value > was ? (value - was) * 8 * 1000 / past->ms : 0, text));
}

/* "KEY N", if that is known, and there are any. */
static void print_some(FILE *out, const json_t *object, const char *key, const char *what)
{
    char text[16];
    if (number(object, key))
        fprintf(out, ", %s %s", what, amount(number(object, key), text));
}

static void print_path(FILE *out, const json_t *path, const struct past *past)
{
    char window[16], rate[16], peer[16], flight[16];
    fprintf(out, "    %s %s", text_or(path, "uplink", "-"), text_or(path, "local", "?"));
    if (text(path, "outside"))
        fprintf(out, " (%s)", text(path, "outside"));
    fprintf(out, " -> %s %s%s, out", text_or(path, "remote", "?"), text_or(path, "state", "?"),
            json_is_true(json_object_get(path, "backup")) ? ", backup" : "");
    print_amount(out, path, past, "sent_bytes");
    fputs(", in", out);
    print_amount(out, path, past, "recv_bytes");
    fprintf(out, "\n        rtt %.1f ms (least %.1f), window %s (%sbit/s), peer's %s, in flight %s",
            (double)number(path, "rtt_us") / 1000, (double)number(path, "rtt_min_us") / 1000,
            amount(number(path, "cwnd_bytes"), window), amount(number(path, "rate_bps"), rate),
            amount(number(path, "peer_window_bytes"), peer), amount(number(path, "in_flight_bytes"), flight));
    print_some(out, path, "retransmitted_bytes", "again");
    print_some(out, path, "timeouts", "timeouts");
    putc('\n', out);
}

/* Which program, and by which door where that is not the one of all programs. */
static void print_door(FILE *out, const json_t *connection)
{
    const char *door = text_or(connection, "door", "-"), *program = text(connection, "program");
    const bool is_program = json_object_get(connection, "user") != NULL;
    fputs("  ", out);
    if (!is_program || strcmp(door, "programs") != 0)
        fputs(door, out);
    if (is_program && strcmp(door, "programs") != 0)
        fputs(", ", out);
    if (is_program)
        fprintf(out, "%s%suser %" PRIu64, program ? program : "", program ? " of " : "", number(connection, "user"));
}

static void print_connection(FILE *out, const json_t *connection, const struct past *past)
{
    const json_t *path;
    size_t i;
    fprintf(out, "%s -> %s", text_or(connection, "client", "?"), text_or(connection, "destination", "?"));
    if (text(connection, "address"))
        fprintf(out, " (%s)", text(connection, "address"));
    if (text(connection, "upstream"))
        fprintf(out, " by upstream %s", text(connection, "upstream"));
    print_door(out, connection);
    fprintf(out, "  %.1f s, out", (double)number(connection, "age_ms") / 1000);
    print_amount(out, connection, past, "out_bytes");
    fputs(", in", out);
    print_amount(out, connection, past, "in_bytes");
    if (json_is_true(json_object_get(connection, "mptcp")))
        fputs("  Multipath TCP", out);
    else if (json_object_get(connection, "mptcp"))
        fprintf(out, "  TCP%s%s", text(connection, "plain_why") ? ": " : "", text_or(connection, "plain_why", ""));
    print_some(out, connection, "reinjected_bytes", "elsewhere again");
    print_some(out, connection, "copied_bytes", "copied");
    putc('\n', out);
    json_array_foreach(json_object_get(connection, "subflows"), i, path)
    {
        const json_t *was = same_path(json_object_get(past->object, "subflows"), path);
        print_path(out, path, &(struct past){.object = was, .ms = past->ms});
    }
}

void ss_text_print(FILE *out, const json_t *connections, const json_t *before)
{
    const json_t *connection;
    size_t i, from = 0;
    json_array_foreach(connections, i, connection)
    {
        const json_t *was = before ? with_same_id(before, &from, connection) : NULL;
        const struct past past = {.object = was, .ms = number(connection, "age_ms") - number(was, "age_ms")};
        print_connection(out, connection, &past);
    }
}
