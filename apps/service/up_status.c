#include "service/up_status.h"

#include <inttypes.h>

#include "base/units.h"

void up_status_door(FILE *out, const char *name, const struct door_counts *c)
{
    fprintf(out,
            "door %s: %" PRIu64 " asked, %" PRIu64 " accepted, %" PRIu32 " wait, %" PRIu64 " gave up; %" PRIu64
            " refused, %" PRIu64 " unreachable, %" PRIu64 " prohibited, %" PRIu64 " without an answer; %" PRIu64
            " refused for want of Multipath TCP\n",
            name, c->asked, c->accepted, c->waiting, c->withdrawn,
            c->refused[HAWSER_REFUSE_RESET] + c->refused[HAWSER_REFUSE_PORT],
            c->refused[HAWSER_REFUSE_NETWORK] + c->refused[HAWSER_REFUSE_HOST], c->refused[HAWSER_REFUSE_PROHIBITED],
            c->refused[HAWSER_REFUSE_SILENTLY], c->without_mptcp);
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

void up_status_published(FILE *out, const struct publish_rule *rule, const struct stall_counts *c)
{
    fprintf(out,
            "published port %u: %" PRIu64 " accepted, %" PRIu64 " refused, %" PRIu64 " turned away, %" PRIu32 " wait\n",
            rule->port, c->accepted, c->refused, c->turned_away, c->waiting);
}

static void print_paths(FILE *out, const struct hawser_conn *conn)
{
    struct hawser_conn_info info = {.size = sizeof info};
    struct hawser_subflow_info path = {.size = sizeof path};
    char local[HAWSER_ADDR_STRLEN];
    hawser_conn_get_info(conn, &info);
    fprintf(out, "  %s:", info.mptcp ? "Multipath TCP" : "TCP");
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &path) == 0; i++)
        fprintf(out, " %s (%s, %.1f ms, %" PRIu64 " out, %" PRIu64 " in)",
                hawser_addr_format(&path.local, local, sizeof local), path.state,
                (double)path.srtt_ns / (double)NS_PER_MS, path.sent_bytes, path.recv_bytes);
    fputc('\n', out);
}

static void print_joint(FILE *out, const struct joint *joint, uint64_t now_ns)
{
    char from[HAWSER_ADDR_STRLEN], to[HAWSER_ADDR_STRLEN];
    struct hawser_addr addr;
    end_peer(joint->ends[0].end, &addr);
    hawser_addr_format(&addr, from, sizeof from);
    end_peer(joint->ends[1].end, &addr);
    hawser_addr_format(&addr, to, sizeof to);
    fprintf(out, "%s -> %s: %" PRIu64 " bytes out, %" PRIu64 " in, %.1f s\n", from, to, joint->ends[0].bytes,
            joint->ends[1].bytes, (double)(now_ns - joint->since_ns) / (double)NS_PER_S);
    struct hawser_conn *far = end_conn(joint->ends[1].end);
    if (far)
        print_paths(out, far);
}

void up_status_joints(FILE *out, const struct joints *joints, uint64_t now_ns)
{
    unsigned left = UP_STATUS_JOINTS;
    fprintf(out,
            "connections: %" PRIu32 " now, %" PRIu64 " so far, %" PRIu64 " of them reset; %" PRIu64
            " bytes out, %" PRIu64 " in, %" PRIu64 " by a copy\n",
            joints->count, joints->made, joints->broken, joints->bytes[0], joints->bytes[1], joints->copied_bytes);
    LIST_EACH (it, &joints->all) {
        if (left-- == 0)
            break;
        print_joint(out, LIST_ENTRY(it, struct joint, link), now_ns);
    }
    if (joints->count > UP_STATUS_JOINTS)
        fprintf(out, "and %" PRIu32 " more\n", joints->count - UP_STATUS_JOINTS);
}
