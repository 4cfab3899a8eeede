#include "flows.h"

#include <string.h>

enum { PROTOCOL_TCP = 6, TCP_HEADER = 20, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

struct flows_segment {
    const uint8_t *source, *destination, *tcp;
    size_t address_len, payload_len;
};

/* Plain headers only: no fragments, no extension headers, for the ends send none. */
static bool flows_parse(const uint8_t *packet, size_t len, struct flows_segment *s)
{
    if (len < 20)
        return false;
    bool v4 = packet[0] >> 4 == 4;
    size_t header = v4 ? (size_t)(packet[0] & 15) * 4 : 40;
    if ((!v4 && packet[0] >> 4 != 6) || header < 20 || len < header + TCP_HEADER || packet[v4 ? 9 : 6] != PROTOCOL_TCP)
        return false;
    *s = v4 ? (struct flows_segment){packet + 12, packet + 16, packet + header, 4, 0}
            : (struct flows_segment){packet + 8, packet + 24, packet + header, 16, 0};
    size_t headers = header + (size_t)(s->tcp[12] >> 4) * 4;
    s->payload_len = len > headers ? len - headers : 0;
    return true;
}

static void flows_tuple(const struct flows_segment *s, bool reversed, uint8_t tuple[FLOWS_TUPLE_BYTES])
{
    memset(tuple, 0, FLOWS_TUPLE_BYTES);
    memcpy(tuple, reversed ? s->destination : s->source, s->address_len);
    memcpy(tuple + 16, reversed ? s->source : s->destination, s->address_len);
    memcpy(tuple + 32, s->tcp + (reversed ? 2 : 0), 2);
    memcpy(tuple + 34, s->tcp + (reversed ? 0 : 2), 2);
}

static struct flow *flows_find(struct flows *f, const uint8_t tuple[FLOWS_TUPLE_BYTES])
{
    for (unsigned i = 0; i < f->count; i++) {
        if (memcmp(f->flow[i].tuple, tuple, FLOWS_TUPLE_BYTES) == 0)
            return &f->flow[i];
    }
    return NULL;
}

size_t flows_note(struct flows *f, const uint8_t *packet, size_t len)
{
    struct flows_segment segment;
    uint8_t tuple[FLOWS_TUPLE_BYTES];
    bool parsed = flows_parse(packet, len, &segment);
    uint8_t flags = parsed ? segment.tcp[13] & (TCP_SYN | TCP_ACK | TCP_RST) : 0;
    if (flags == (TCP_SYN | TCP_ACK)) {
        flows_tuple(&segment, true, tuple);
        if (!flows_find(f, tuple) && f->count < FLOWS_MAX)
            memcpy(f->flow[f->count++].tuple, tuple, FLOWS_TUPLE_BYTES);
    } else if (flags == TCP_ACK && f->established < f->count) {
        flows_tuple(&segment, false, tuple);
        struct flow *flow = flows_find(f, tuple);
        if (flow && !flow->established) {
            flow->established = true;
            f->established++;
        }
    }
    return parsed ? segment.payload_len : 0;
}
