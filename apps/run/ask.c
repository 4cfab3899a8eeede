#include "run/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "service/control_socket.h"

static bool read_addr(const json_t *answer, const char *key, struct hawser_addr *out)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text && hawser_addr_parse(out, text, 0) == 0;
}

static bool read_network(const json_t *answer, struct network *out)
{
    out->v4_len = (unsigned)json_integer_value(json_object_get(answer, "prefix"));
    out->has_v6 = read_addr(answer, "address6", &out->v6);
    out->has_gateway_v6 = read_addr(answer, "gateway6", &out->gateway_v6);
    return out->v4_len - 1 < 32 && read_addr(answer, "address", &out->v4) &&
           read_addr(answer, "gateway", &out->gateway);
}

static json_t *list_of(const char *const *names, unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *list_ports(const struct run_options *options)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < options->port_count; i++)
        json_array_append_new(list, json_pack("[i,i]", options->ports[i].outside, options->ports[i].inside));
    return list;
}

/* NULL: a name of an uplink is no text. That of the program is left out then. */
static json_t *write_request(const struct run_options *options)
{
    const char *path = options->program[0], *slash = strrchr(path, '/');
    json_t *request = json_pack("{s:s,s:b,s:o,s:o,s:o}", "do", "door", "require_mptcp", options->require_mptcp,
                                "uplinks", list_of(options->uplinks, options->uplink_count), "backups",
                                list_of(options->backups, options->backup_count), "publish", list_ports(options));
    json_object_set_new(request, "program", json_string(slash ? slash + 1 : path));
    return request;
}

int ask_door(int control, int namespace, const struct run_options *options, struct ask_answer *out, char *why,
             size_t why_size)
{
    json_t *request = write_request(options);
    *out = (struct ask_answer){.queue = -1};
    const struct control_extras extras = {
        .descriptors = &namespace, .count = 1, .passed = &out->queue, .path = control_path(options->control)};
    json_t *answer = control_ask(control, request, &extras, why, why_size);
    if (!answer)
        return -EREMOTEIO;
    bool good = read_network(answer, &out->network) && out->queue >= 0;
    json_decref(answer);
    out->network.no_quic = options->no_quic;
    if (good)
        return 0;
    snprintf(why, why_size, "the service's answer makes no sense: it may be of another version");
    return -EPROTO;
}
