#include "service/program_verb.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"

static void put_addr(json_t *answer, const char *key, const struct hawser_addr *addr)
{
    char text[HAWSER_ADDR_STRLEN];
    json_object_set_new(answer, key, json_string(hawser_addr_format(addr, text, sizeof(text))));
}

/* A peer that waits for a program's devices. */
struct asking {
    struct program_request request;
    struct control_watch watch;
    struct control_peer *peer; /* NULL: gone */
};

static void gone(struct control_watch *watch) { HW_CONTAINER(watch, struct asking, watch)->peer = NULL; }

static json_t *describe(const struct program_grant *grant)
{
    json_t *answer = json_object();
    put_addr(answer, "address", &grant->addresses.v4);
    put_addr(answer, "gateway", &grant->addresses.gateway);
    json_object_set_new(answer, "prefix", json_integer(PROGRAM_V4_LEN));
    if (grant->has_v6)
        put_addr(answer, "address6", &grant->addresses.v6);
    if (grant->has_v6 && grant->pair_v6)
        json_object_set_new(answer, "gateway6", json_string(PROGRAM_GATEWAY_V6));
    return answer;
}

/* Nobody may be there any more; then the namespace goes, and the devices with it. */
static void decided(struct program_request *request, const struct program_grant *grant, const char *why)
{
    struct asking *a = HW_CONTAINER(request, struct asking, request);
    if (a->peer) {
        control_unwatch(&a->watch);
        control_answer(a->peer, grant ? describe(grant) : NULL, why, grant ? grant->spare : -1);
    } else if (grant) {
        close(grant->spare);
    }
    free(a);
}

static enum control_verdict door(void *user, struct control_request *request, json_t *answer)
{
    char why[CONTROL_WHY_SIZE];
    struct program_wishes wishes;
    (void)answer;
    if (request->descriptor_count != 1)
        return control_refuse(request, "\"door\" wants a descriptor of a network namespace: use hawser run");
    if (programs_read_wishes(user, request->body, &wishes, why, sizeof(why)) < 0)
        return control_refuse(request, "%s", why);
    struct asking *a = malloc(sizeof *a);
    if (!a)
        return control_refuse(request, "the service is out of memory: end something, and try again");
    *a = (struct asking){.request = {decided}, .watch = {.gone = gone}, .peer = request->peer};
    if (programs_admit(user, request->descriptors[0], request->from.uid, &wishes, &a->request, why, sizeof(why)) < 0) {
        free(a);
        return control_refuse(request, "%s", why);
    }
    request->descriptors[0] = -1;
    control_watch(request->peer, &a->watch);
    return CONTROL_LATER;
}

int program_verb_add(struct control *control, struct programs *programs)
{
    return control_add_verb(control, &(struct control_verb){.name = "door", .run = door, .user = programs});
}
