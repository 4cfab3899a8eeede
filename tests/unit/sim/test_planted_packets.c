/* Bugs that show in packets: each is changed on its way out, and the table at the end says which rule catches it. */
#include "plant.h"

/* ---- scenarios in which the bug can show ---- */

static void arrange_loss(struct scenario *s) { lossy(s, 20000); }
static void arrange_plain(struct scenario *s)
{
    s->flows[0].plan.options[FLOW_CLIENT].no_mptcp = true;
    s->link_count = 1;
}
static void arrange_lossy_plain(struct scenario *s)
{
    arrange_plain(s);
    lossy(s, 20000);
}
static void arrange_checksums(struct scenario *s) { s->hosts[0].options.checksum_required = true; }
static void arrange_one_path(struct scenario *s) { s->link_count = 1; }
static void arrange_one_way(struct scenario *s)
{
    s->flows[0].plan.response_bytes = 0;
    s->flows[0].plan.duplex = false;
}
static void arrange_loss_one_way(struct scenario *s)
{
    lossy(s, 20000);
    arrange_one_way(s);
}

/* ---- changes ---- */

static void add16(uint8_t *p, uint16_t n)
{
    uint16_t v = (uint16_t)((p[0] << 8 | p[1]) + n);
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void add32(uint8_t *p, uint32_t n)
{
    uint32_t v = ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) + n;
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The option of that kind (and MPTCP subtype), or NULL. */
static uint8_t *option(struct plant *plant, unsigned kind, unsigned subtype)
{
    uint8_t *p = plant->tcp + 20, *end = p + plant->seen.option_bytes;
    while (p < end && *p) {
        if (*p == kind && (kind != 30 || p[2] >> 4 == subtype))
            return p;
        p += *p == 1 ? 1 : p[1];
    }
    return NULL;
}

static bool is_bare(const struct plant *plant)
{
    return plant->seen.len == 0 && !(plant->seen.flags & (SEEN_SYN | SEEN_FIN | SEEN_RST));
}
/* Has this segment left before? Follows the first subflow that sends data. */
static bool is_repeated(struct plant *plant)
{
    const struct seen *seen = &plant->seen;
    if (!is_data(plant))
        return false;
    if (plant->port == 0) {
        plant->port = seen->src.port;
        plant->highest = seen->seq;
    }
    if (plant->port != seen->src.port)
        return false;
    uint32_t end = seen->seq + seen->len;
    bool repeated = (int32_t)(end - plant->highest) <= 0;
    if (!repeated)
        plant->highest = end;
    return repeated;
}

static bool corrupt_byte(struct plant *plant, struct packet *packet)
{
    if (plant->count == 0 && is_data(plant) && world_ms(plant) > 200) {
        packet->data[packet->len - 1] ^= 0x40; /* with the checksum still to be computed: it will be right */
        plant->count++;
    }
    return true;
}

static bool corrupt_repetition(struct plant *plant, struct packet *packet)
{
    if (is_repeated(plant))
        packet->data[packet->len - 1] ^= 0x40;
    return true;
}

static bool map_repetition_elsewhere(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (is_repeated(plant) && dss && plant->seen.dss.has_map)
        add32(dss + (plant->seen.dss.ack_is_64 ? 16 : 12), 1);
    return true;
}

static bool shrink_window(struct plant *plant, struct packet *packet)
{
    (void)packet;
    if (is_bare(plant) && world_ms(plant) > 300)
        add16(plant->tcp + 14, (uint16_t) - (plant->seen.window / 2));
    return true;
}

static bool ack_ahead(struct plant *plant, struct packet *packet)
{
    (void)packet;
    if (is_bare(plant) && world_ms(plant) > 300)
        add32(plant->tcp + 8, 1);
    return true;
}

static bool ack_behind(struct plant *plant, struct packet *packet)
{
    (void)packet;
    if (is_bare(plant) && world_ms(plant) > 300 && plant->count++ == 0)
        add32(plant->tcp + 8, (uint32_t)-20000);
    return true;
}

static bool data_ack_by(struct plant *plant, uint32_t n)
{
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (dss && is_bare(plant) && plant->seen.dss.has_ack && world_ms(plant) > 300)
        add32(dss + (plant->seen.dss.ack_is_64 ? 8 : 4), n);
    return true;
}

static bool data_ack_ahead(struct plant *plant, struct packet *packet)
{
    (void)packet;
    return data_ack_by(plant, 1u << 20);
}

static bool data_ack_behind(struct plant *plant, struct packet *packet)
{
    (void)packet;
    return data_ack_by(plant, (uint32_t)-20000);
}

static bool sack_a_hole(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *sack = option(plant, 5, 0);
    if (sack && plant->seen.sack[0].start != plant->seen.ack)
        add32(sack + 6, 1u << 20); /* to where nothing was sent yet */
    return true;
}

static bool break_option(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (dss && world_ms(plant) > 300)
        dss[1] = 0;
    return true;
}

static bool break_length(struct plant *plant, struct packet *packet)
{
    if (world_ms(plant) > 300)
        add16(packet->data + 2, 1);
    return true;
}

static bool echo_another_key(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *capable = option(plant, 30, SEEN_CAPABLE);
    if (capable && plant->seen.capable.len >= 20)
        add32(capable + 12, 1);
    return true;
}

static bool reset_and_go_on(struct plant *plant, struct packet *packet)
{
    (void)packet;
    if (is_bare(plant) && world_ms(plant) > 300 && plant->count++ == 0) {
        uint8_t *dss = option(plant, 30, SEEN_DSS);
        plant->tcp[13] |= SEEN_RST;
        if (dss)
            memset(dss, 1, dss[1]);
    }
    return true;
}

static bool turn_clock_back(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *times = option(plant, 8, 0);
    if (times && world_ms(plant) > 300 && plant->count++ == 0)
        add32(times + 2, (uint32_t)-1000);
    return true;
}

static bool forget_timestamps(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *times = option(plant, 8, 0);
    if (times && world_ms(plant) > 300)
        memset(times, 1, times[1]);
    return true;
}

static bool forget_mapping(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (dss && is_data(plant) && world_ms(plant) > 300 && plant->count++ == 0)
        memset(dss, 1, dss[1]);
    return true;
}

/* Of a join, which cannot be plain TCP. */
static bool forget_mapping_of_a_join(struct plant *plant, struct packet *packet)
{
    if (is_data(plant) && plant->port == 0)
        plant->port = plant->seen.src.port;
    return plant->port != plant->seen.src.port ? forget_mapping(plant, packet) : true;
}

/* One that no other segment brings. */
static bool forget_small_mapping(struct plant *plant, struct packet *packet)
{
    return plant->seen.dss.len == plant->seen.len ? forget_mapping(plant, packet) : true;
}

static bool map_nothing(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (dss && is_data(plant) && plant->seen.dss.has_map && world_ms(plant) > 300)
        add32(dss + (plant->seen.dss.ack_is_64 ? 12 : 8) + 8, 1u << 20);
    return true;
}

static bool mapping_less(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    if (dss && is_data(plant) && plant->seen.dss.has_map && world_ms(plant) > 300)
        add16(dss + (plant->seen.dss.ack_is_64 ? 12 : 8) + 12, (uint16_t)-1);
    return true;
}

/* Where the checksum of a mapping is, or NULL. */
static uint8_t *dss_checksum(struct plant *plant)
{
    uint8_t *dss = option(plant, 30, SEEN_DSS);
    return dss && plant->seen.dss.has_checksum ? dss + dss[1] - 2 : NULL;
}

static bool sum_wrongly(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *checksum = dss_checksum(plant);
    if (checksum && is_data(plant) && world_ms(plant) > 300)
        add16(checksum, 1);
    return true;
}

static bool sum_the_end_wrongly(struct plant *plant, struct packet *packet)
{
    (void)packet;
    uint8_t *checksum = dss_checksum(plant);
    if (checksum && plant->seen.dss.fin && plant->seen.dss.len == 1)
        add16(checksum, 1);
    return true;
}

static bool lose_before_leaving(struct plant *plant, struct packet *packet)
{
    (void)packet;
    return !(is_data(plant) && world_ms(plant) > 300 && plant->count++ == 0);
}

/* ---- the table ---- */

static const struct bug bugs[] = {
    /* the streams themselves, judged by the flows */
    {"a byte changes under a good checksum", "stream-equal", .tamper = corrupt_byte},
    /* form */
    {"an IP length is wrong", "packet-form", .tamper = break_length},
    {"an option has length 0", "option-form", .tamper = break_option},
    /* windows */
    {"the window shrinks", "window-shrinks", .host = 1, .tamper = shrink_window},
    {"the window of plain TCP shrinks", "window-shrinks", .host = 1, .arrange = arrange_plain, .tamper = shrink_window},
    /* acknowledgements */
    {"an ACK runs ahead", "ack-honest", .host = 1, .arrange = arrange_one_way, .tamper = ack_ahead},
    {"an ACK falls back", "ack-back", .host = 1, .arrange = arrange_one_way, .tamper = ack_behind},
    {"a SACK block covers a hole", "sack-honest", .host = 1, .arrange = arrange_loss_one_way, .tamper = sack_a_hole},
    {"a DATA_ACK runs ahead", "data-ack-honest", .host = 1, .arrange = arrange_one_way, .tamper = data_ack_ahead},
    {"a DATA_ACK falls back", "data-ack-back", .host = 1, .arrange = arrange_one_way, .tamper = data_ack_behind},
    /* mappings */
    {"a retransmission is mapped elsewhere", "mapping-fixed", .arrange = arrange_loss,
     .tamper = map_repetition_elsewhere},
    {"a retransmission has other bytes", "bytes-fixed", .arrange = arrange_loss, .tamper = corrupt_repetition},
    {"plain TCP retransmits other bytes", "bytes-fixed", .arrange = arrange_lossy_plain, .tamper = corrupt_repetition},
    {"a mapping lies beyond its segment", "mapping-applies", .tamper = map_nothing},
    {"a mapping is a byte short", "mapping-missing", .tamper = mapping_less},
    {"a DSS checksum is wrong", "dss-checksum", .arrange = arrange_checksums, .tamper = sum_wrongly},
    {"a byte changes in a mapping with a checksum", "dss-checksum", .arrange = arrange_checksums,
     .tamper = corrupt_byte},
    {"the checksum of a DATA_FIN is wrong", "dss-checksum", .arrange = arrange_checksums,
     .tamper = sum_the_end_wrongly},
    {"a segment is skipped", "sequence-contiguous", .tamper = lose_before_leaving},
    /* the RFC's limits */
    {"another key is echoed", "capable-consistent", .tamper = echo_another_key},
    {"a mapping is forgotten, once joined", "mapping-missing", .tamper = forget_mapping_of_a_join},
    {"a mapping is forgotten", "fallback-final", .arrange = arrange_one_path, .tamper = forget_small_mapping},
    {"a subflow goes on after its RST", "reset-final", .tamper = reset_and_go_on},
    {"the clock runs backwards", "timestamp-back", .tamper = turn_clock_back},
    {"timestamps are forgotten", "timestamp-agreed", .tamper = forget_timestamps},
};

static void test_planted_bugs(void **state)
{
    (void)state;
    assert_int_equal(play_bugs(bugs, HW_ARRAY_LEN(bugs)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted_bugs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
