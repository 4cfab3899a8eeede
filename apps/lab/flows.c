#include "flows.h"

#include <string.h>

enum { PROTOCOL_TCP = 6, TCP_HEADER = 20, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

struct flows_segment {
    const uint8_t *source, *destination, *tcp;
    size_t address_len;
};

/* Plain headers only: no fragments, no extension headers, for the ends send none. */
static bool flows_parse(const uint8_t *packet, size_t len, struct flows_segment *s)
{
    if (len < 20)
        return false;
    if (packet[0] >> 4 == 4) {
        size_t header = (size_t)(packet[0] & 15) * 4;
        *s = (struct flows_segment){packet + 12, packet + 16, packet + header, 4};
        return packet[9] == PROTOCOL_TCP && header >= 20 && len >= header + TCP_HEADER;
    }
    if (packet[0] >> 4 != 6 || len < 40 + TCP_HEADER)
        return false;
    *s = (struct flows_segment){packet + 8, packet + 24, packet + 40, 16};
    return packet[6] == PROTOCOL_TCP;
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

void flows_note(struct flows *f, const uint8_t *packet, size_t len)
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
}
