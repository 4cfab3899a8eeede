#include "service/program_verb.h"

#include <stdbool.h>

static void put_addr(json_t *answer, const char *key, const struct hawser_addr *addr)
{
    char text[HAWSER_ADDR_STRLEN];
    json_object_set_new(answer, key, json_string(hawser_addr_format(addr, text, sizeof(text))));
}

static enum control_verdict door(void *user, struct control_request *request, json_t *answer)
{
    struct program_grant grant;
    char why[CONTROL_WHY_SIZE];
    if (request->descriptor_count != 1)
        return control_refuse(request, "\"door\" wants a descriptor of a network namespace: use hawser run");
    if (programs_admit(user, request->descriptors[0], request->from.uid, &grant, why, sizeof(why)) < 0)
        return control_refuse(request, "%s", why);
    request->passed = grant.spare;
    put_addr(answer, "address", &grant.addresses.v4);
    put_addr(answer, "gateway", &grant.addresses.gateway);
    json_object_set_new(answer, "prefix", json_integer(PROGRAM_V4_LEN));
    if (grant.has_v6)
        put_addr(answer, "address6", &grant.addresses.v6);
    if (grant.has_v6 && grant.pair_v6)
        json_object_set_new(answer, "gateway6", json_string(PROGRAM_GATEWAY_V6));
    return CONTROL_DONE;
}

int program_verb_add(struct control *control, struct programs *programs)
{
    return control_add_verb(control, &(struct control_verb){.name = "door", .run = door, .user = programs});
}
