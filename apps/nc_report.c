#include "nc_report.h"

#include <inttypes.h>

#include "commands.h"

static struct hawser_subflow_info *nc_report_slot(struct nc_report *r, const struct hawser_subflow_info *info)
{
    for (size_t i = 0; i < r->count; i++) {
        if (hawser_addr_equal(&r->subflows[i].local, &info->local) &&
            hawser_addr_equal(&r->subflows[i].remote, &info->remote))
            return &r->subflows[i];
    }
    return r->count < NC_REPORT_SUBFLOWS ? &r->subflows[r->count++] : NULL;
}

void nc_report_note(struct nc_report *r, const struct hawser_conn *conn)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    r->conn.size = sizeof(r->conn);
    r->have_conn = hawser_conn_get_info(conn, &r->conn) == 0;
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &info) == 0; i++) {
        struct hawser_subflow_info *slot = nc_report_slot(r, &info);
        if (slot)
            *slot = info;
    }
}

static void nc_report_conn(const struct hawser_conn_info *c, FILE *out)
{
    fprintf(out, "connection: %s%s\n", c->mptcp ? "Multipath TCP" : "plain TCP", c->checksums ? ", checksums" : "");
    fprintf(out, "  sent %" PRIu64 " bytes, acknowledged %" PRIu64 ", received %" PRIu64 "\n", c->sent_bytes,
            c->acked_bytes, c->recv_bytes);
    fprintf(out, "  reinjected %" PRIu64 " bytes, received twice %" PRIu64 "\n", c->reinjected_bytes,
            c->duplicate_bytes);
}

static double milliseconds(uint64_t ns) { return (double)ns / 1e6; }

static void nc_report_subflow(const struct hawser_subflow_info *s, FILE *out)
{
    char local[HAWSER_ADDR_STRLEN], remote[HAWSER_ADDR_STRLEN];
    fprintf(out, "subflow %s -> %s: %s%s, address IDs %u and %u\n", hawser_addr_format(&s->local, local, sizeof(local)),
            hawser_addr_format(&s->remote, remote, sizeof(remote)), s->state, s->backup ? ", backup" : "", s->local_id,
            s->remote_id);
    fprintf(out, "  sent %" PRIu64 " bytes, retransmitted %" PRIu64 ", received %" PRIu64 ", timeouts %" PRIu64 "\n",
            s->sent_bytes, s->retransmitted_bytes, s->recv_bytes, s->timeouts);
    fprintf(out, "  rtt %.2f ms (+- %.2f, least %.2f), cwnd %" PRIu32 " bytes, mss %" PRIu32 "\n",
            milliseconds(s->srtt_ns), milliseconds(s->rttvar_ns), milliseconds(s->min_rtt_ns), s->cwnd_bytes,
            s->mss_bytes);
}

void nc_report_print(const struct nc_report *r, struct hawser_host *host, FILE *out)
{
    if (r->have_conn)
        nc_report_conn(&r->conn, out);
    else
        fprintf(out, "connection: none\n");
    for (size_t i = 0; i < r->count; i++)
        nc_report_subflow(&r->subflows[i], out);
    fprintf(out, "counters:\n");
    command_print_counters(out, host, "  ");
}
