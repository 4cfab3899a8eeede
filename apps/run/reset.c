#include "run/reset.h"

#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

static size_t write_segment(const struct hawser_addr *from, const struct hawser_addr *to, struct tcp_header tcp,
                            uint8_t *out)
{
    size_t l3 = ip_emit(out, from, to, 0, TCP_HEADER_LEN);
    tcp.header_len = TCP_HEADER_LEN;
    tcp.src_port = from->port;
    tcp.dst_port = to->port;
    tcp_header_emit(out + l3, &tcp);
    struct csum sum = {0, false};
    csum_add_pseudo(&sum, from, to, TCP_HEADER_LEN);
    csum_add(&sum, out + l3, TCP_HEADER_LEN);
    tcp.checksum = csum_finish(&sum);
    tcp_header_emit(out + l3, &tcp);
    return l3 + TCP_HEADER_LEN;
}

size_t reset_answer(const uint8_t *packet, size_t len, uint8_t *out)
{
    struct ip_header ip;
    struct tcp_header tcp;
    if (ip_parse(packet, len, true, &ip) != IP_OK || ip.protocol != IP_PROTO_TCP ||
        !tcp_header_parse(packet + ip.header_len, ip.payload_len, &tcp) || (tcp.flags & TCP_RST))
        return 0;
    uint32_t taken = ip.payload_len - tcp.header_len + !!(tcp.flags & TCP_SYN) + !!(tcp.flags & TCP_FIN);
    struct tcp_header answer = {.flags = TCP_RST};
    if (tcp.flags & TCP_ACK) {
        answer.seq = tcp.ack;
    } else {
        answer.flags |= TCP_ACK;
        answer.ack = seq_add(tcp.seq, taken);
    }
    struct hawser_addr from = ip.dst, to = ip.src;
    from.port = tcp.dst_port;
    to.port = tcp.src_port;
    return write_segment(&from, &to, answer, out);
}

size_t reset_question(const struct hawser_addr *from, const struct hawser_addr *to, uint32_t seq, uint8_t *out)
{
    return write_segment(from, to, (struct tcp_header){.seq = seq_at(seq), .flags = TCP_ACK}, out);
}
