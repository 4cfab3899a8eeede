#include "service/status_text.h"

#define NUMBER "%" JSON_INTEGER_FORMAT

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "?";
}

static void print_service(FILE *out, const json_t *status)
{
    const json_t *connections = json_object_get(status, "connections");
    json_int_t up_s = number(status, "uptime_s");
    fprintf(out, "hawser %s, process " NUMBER ", up for " NUMBER ":%02d:%02d\n", text(status, "version"),
            number(status, "pid"), up_s / 3600, (int)(up_s / 60 % 60), (int)(up_s % 60));
    fprintf(out,
            "connections  " NUMBER " now, " NUMBER " so far, " NUMBER " of them reset; " NUMBER " bytes out, " NUMBER
            " in\n",
            number(connections, "now"), number(connections, "so_far"), number(connections, "reset"),
            number(connections, "bytes_out"), number(connections, "bytes_in"));
}

static void print_door(FILE *out, const json_t *door)
{
    fprintf(out,
            "door         %s: " NUMBER " asked, " NUMBER " accepted, " NUMBER " wait, " NUMBER " gave up; " NUMBER
            " refused, " NUMBER " unreachable, " NUMBER " prohibited, " NUMBER " without an answer; " NUMBER
            " refused for want of Multipath TCP, " NUMBER " kept waiting for want of a port\n",
            text(door, "door"), number(door, "asked"), number(door, "accepted"), number(door, "waiting"),
            number(door, "gave_up"), number(door, "refused"), number(door, "unreachable"), number(door, "prohibited"),
            number(door, "silent"), number(door, "without_mptcp"), number(door, "without_port"));
}

static void print_port(FILE *out, const json_t *port)
{
    fprintf(out,
            "port         %s: " NUMBER " accepted, " NUMBER " wait, " NUMBER " gave up; " NUMBER " refused, " NUMBER
            " of them by the destination, " NUMBER " for nonsense\n",
            text(port, "port"), number(port, "accepted"), number(port, "waiting"), number(port, "gave_up"),
            number(port, "refused"), number(port, "refused_by_destination"), number(port, "nonsense"));
}

static void print_published(FILE *out, const json_t *port)
{
    fprintf(out,
            "published    " NUMBER ": " NUMBER " accepted, " NUMBER " wait; " NUMBER " refused, " NUMBER " turned away",
            number(port, "port"), number(port, "accepted"), number(port, "waiting"), number(port, "refused"),
            number(port, "turned_away"));
    if (json_object_get(port, "program"))
        fprintf(out, "; by %s of user " NUMBER, text(port, "program"), number(port, "user"));
    else if (json_object_get(port, "user"))
        fprintf(out, "; by a program of user " NUMBER, number(port, "user"));
    fputc('\n', out);
}

static void print_upstream(FILE *out, const json_t *upstream)
{
    fprintf(out,
            "upstream     %s: " NUMBER " asked, " NUMBER " times not reached, " NUMBER
            " times somebody with another key or certificate, or no Hawser%s%s\n",
            text(upstream, "server"), number(upstream, "asked"), number(upstream, "unreachable"),
            number(upstream, "strangers"), *text(upstream, "failure") ? "; the last time: " : "",
            text(upstream, "failure"));
}

static void print_uplink(FILE *out, const json_t *uplink)
{
    fprintf(out, "uplink       %s: %s, inside %s%s%s\n", text(uplink, "uplink"), text(uplink, "outside"),
            text(uplink, "inside"), json_is_true(json_object_get(uplink, "backup")) ? ", a backup" : "",
            json_is_true(json_object_get(uplink, "carrier")) ? "" : ", no carrier");
}

static void print_remark(FILE *out, const json_t *remark)
{
    const char *line = json_string_value(remark);
    fprintf(out, "remark       %s\n", line ? line : "?");
}

static void print_each(FILE *out, const json_t *status, const char *key, void (*print)(FILE *out, const json_t *item))
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(status, key), i, item) print(out, item);
}

void status_text_print(FILE *out, const json_t *status)
{
    print_service(out, status);
    print_each(out, status, "doors", print_door);
    if (json_object_get(status, "doors_not_listed"))
        fprintf(out, "and " NUMBER " more doors\n", number(status, "doors_not_listed"));
    print_each(out, status, "ports", print_port);
    print_each(out, status, "published", print_published);
    if (json_object_get(status, "upstream"))
        print_upstream(out, json_object_get(status, "upstream"));
    print_each(out, status, "uplinks", print_uplink);
    print_each(out, status, "remarks", print_remark);
}
