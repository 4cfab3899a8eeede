#include "service/up_status.h"

#include <inttypes.h>

#include "service/ss_tell.h"
#include "service/ss_text.h"

void up_status_door(FILE *out, const char *name, const struct door_counts *c)
{
    fprintf(out,
            "door %s: %" PRIu64 " asked, %" PRIu64 " accepted, %" PRIu32 " wait, %" PRIu64 " gave up; %" PRIu64
            " refused, %" PRIu64 " unreachable, %" PRIu64 " prohibited, %" PRIu64 " without an answer; %" PRIu64
            " refused for want of Multipath TCP, %" PRIu64 " kept waiting for want of a port\n",
            name, c->asked, c->accepted, c->waiting, c->withdrawn,
            c->refused[HAWSER_REFUSE_RESET] + c->refused[HAWSER_REFUSE_PORT] + c->refused[HAWSER_REFUSE_PROTOCOL],
            c->refused[HAWSER_REFUSE_NETWORK] + c->refused[HAWSER_REFUSE_HOST], c->refused[HAWSER_REFUSE_PROHIBITED],
            c->refused[HAWSER_REFUSE_SILENTLY], c->without_mptcp, c->without_port);
}

void up_status_port(FILE *out, const char *name, const struct session_counts *c)
{
    fprintf(out,
            "port %s: %" PRIu64 " accepted, %" PRIu32 " wait, %" PRIu64 " gave up; %" PRIu64 " refused, %" PRIu64
            " of them by the destination, %" PRIu64 " for nonsense\n",
            name, c->joined, c->count, c->gave_up, c->refused, c->failed, c->nonsense);
}

void up_status_upstream(FILE *out, const struct upstream_counts *c, const char *failure)
{
    fprintf(out,
            "upstream: %" PRIu64 " asked, %" PRIu64 " times not reached, %" PRIu64
            " times somebody with another key or certificate, or no Hawser%s%s\n",
            c->asked, c->unreachable, c->strangers, *failure ? "; the last time: " : "", failure);
}

void up_status_published(FILE *out, const struct stall_status *p)
{
    fprintf(out,
            "published port %u: %" PRIu64 " accepted, %" PRIu64 " refused, %" PRIu64 " turned away, %" PRIu32 " wait",
            p->port, p->counts.accepted, p->counts.refused, p->counts.turned_away, p->counts.waiting);
    if (p->owner.is_program)
        fprintf(out, "; by %s%sa program of user %u", p->owner.program, p->owner.program[0] ? ", " : "", p->owner.user);
    fputc('\n', out);
}

void up_status_joints(FILE *out, const struct service *service)
{
    const struct joints *joints = &service->joints;
    json_t *first = json_array();
    fprintf(out,
            "connections: %" PRIu32 " now, %" PRIu64 " so far, %" PRIu64 " of them reset; %" PRIu64
            " bytes out, %" PRIu64 " in, %" PRIu64 " by a copy\n",
            joints->count, joints->made, joints->broken, joints->bytes[0], joints->bytes[1], joints->copied_bytes);
    LIST_EACH (it, &joints->all) {
        if (json_array_size(first) == UP_STATUS_JOINTS)
            break;
        json_array_append_new(first, ss_tell(service, LIST_ENTRY(it, struct joint, link)));
    }
    ss_text_print(out, first, NULL);
    json_decref(first);
    if (joints->count > UP_STATUS_JOINTS)
        fprintf(out, "and %" PRIu32 " more\n", joints->count - UP_STATUS_JOINTS);
}
