#include "service/kernel_paths.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "service/sockaddr.h"

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

static const char *state_name(uint8_t state)
{
    static const char *const names[] = {NULL,         "ESTABLISHED", "SYN-SENT",    "SYN-RECEIVED", "FIN-WAIT-1",
                                        "FIN-WAIT-2", "TIME-WAIT",   "CLOSED",      "CLOSE-WAIT",   "LAST-ACK",
                                        "LISTEN",     "CLOSING",     "SYN-RECEIVED"};
    return state < HW_ARRAY_LEN(names) && names[state] ? names[state] : "?";
}

static void take_tcp(const struct tcp_info *from, struct hawser_subflow_info *out)
{
    const uint32_t gone = from->tcpi_sacked + from->tcpi_lost, segments = from->tcpi_unacked + from->tcpi_retrans;
    out->size = sizeof *out;
    out->state = state_name(from->tcpi_state);
    out->mss_bytes = from->tcpi_snd_mss;
    out->cwnd_bytes = from->tcpi_snd_cwnd * from->tcpi_snd_mss;
    out->in_flight_bytes = (segments > gone ? segments - gone : 0) * from->tcpi_snd_mss;
    out->peer_window_bytes = from->tcpi_snd_wnd;
    out->srtt_ns = from->tcpi_rtt * NS_PER_US;
    out->rttvar_ns = from->tcpi_rttvar * NS_PER_US;
    out->min_rtt_ns = from->tcpi_min_rtt == UINT32_MAX ? 0 : from->tcpi_min_rtt * NS_PER_US;
    out->sent_bytes = from->tcpi_bytes_sent - from->tcpi_bytes_retrans;
    out->recv_bytes = from->tcpi_bytes_received;
    out->retransmitted_bytes = from->tcpi_bytes_retrans;
}

static void take_addr(const void *from, struct hawser_addr *out)
{
    struct sockaddr_storage addr;
    memcpy(&addr, from, sizeof addr);
    sockaddr_read(&addr, out);
}

/* One record a subflow, of `size` bytes each, behind a head. Returns how many came, or a negative errno. */
static int ask_each(int fd, int option, struct mptcp_subflow_data *head, size_t size)
{
    *head = (struct mptcp_subflow_data){.size_subflow_data = sizeof *head, .size_user = (uint32_t)size};
    socklen_t len = (socklen_t)(sizeof *head + KERNEL_PATHS * size);
    if (getsockopt(fd, SOL_MPTCP, option, head, &len) < 0)
        return -errno;
    return (int)HW_MIN(head->num_subflows, KERNEL_PATHS);
}

static int read_mptcp(int fd, struct kernel_paths *out)
{
    struct {
        struct mptcp_subflow_data head;
        struct tcp_info at[KERNEL_PATHS];
    } tcp;
    struct {
        struct mptcp_subflow_data head;
        struct mptcp_subflow_addrs at[KERNEL_PATHS];
    } ends;
    memset(&tcp, 0, sizeof tcp);
    memset(&ends, 0, sizeof ends);
    int count = ask_each(fd, MPTCP_TCPINFO, &tcp.head, sizeof tcp.at[0]);
    int others = ask_each(fd, MPTCP_SUBFLOW_ADDRS, &ends.head, sizeof ends.at[0]);
    if (count < 0 || others < 0)
        return count < 0 ? count : others;
    out->mptcp = true;
    out->count = (unsigned)HW_MIN(count, others); /* one may have come or gone in between */
    for (unsigned i = 0; i < out->count; i++) {
        take_tcp(&tcp.at[i], &out->at[i]);
        take_addr(&ends.at[i].ss_local, &out->at[i].local);
        take_addr(&ends.at[i].ss_remote, &out->at[i].remote);
    }
    return 0;
}

static int read_tcp(int fd, struct kernel_paths *out)
{
    struct tcp_info info;
    struct sockaddr_storage local, remote;
    socklen_t len = sizeof info, local_len = sizeof local, remote_len = sizeof remote;
    memset(&info, 0, sizeof info);
    int protocol = IPPROTO_TCP; /* a socket of Multipath TCP that takes plain options has fallen back */
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -errno;
    len = sizeof protocol;
    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
    out->plain_why = protocol == IPPROTO_TCP ? "not offered" : "peer fell back";
    if (getsockname(fd, (struct sockaddr *)&local, &local_len) < 0 ||
        getpeername(fd, (struct sockaddr *)&remote, &remote_len) < 0)
        return 0; /* it was reset: there is none any more */
    out->count = 1;
    take_tcp(&info, &out->at[0]);
    sockaddr_read(&local, &out->at[0].local);
    sockaddr_read(&remote, &out->at[0].remote);
    return 0;
}

int kernel_paths_read(int fd, struct kernel_paths *out)
{
    memset(out, 0, sizeof *out);
    return read_mptcp(fd, out) == 0 ? 0 : read_tcp(fd, out);
}
