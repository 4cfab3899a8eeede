#include "sim/loads/draw.h"

#include "base/compiler.h"

#define PPM UINT64_C(1000000)
#define PPB UINT64_C(1000000000)

/*
 * The two distributions that data centre papers have measured against ever since: read off the papers' figures by the
 * authors of pFabric (Alizadeh et al., SIGCOMM 2013), in packets of 1460 bytes, with means of 1138 and 5117 packets.
 */
const struct size_table sizes_web_search = {
    .source = "web search: Alizadeh et al., Data center TCP (DCTCP), SIGCOMM 2010",
    .packet_bytes = 1460,
    .mean_packets = 1138,
    .count = 12,
    .points = {{6, 0},
               {6, 150000},
               {13, 200000},
               {19, 300000},
               {33, 400000},
               {53, 530000},
               {133, 600000},
               {667, 700000},
               {1333, 800000},
               {3333, 900000},
               {6667, 970000},
               {20000, 1000000}},
};

const struct size_table sizes_data_mining = {
    .source = "data mining: Greenberg et al., VL2: a scalable and flexible data center network, SIGCOMM 2009",
    .packet_bytes = 1460,
    .mean_packets = 5117,
    .count = 9,
    .points = {{1, 0},
               {1, 500000},
               {2, 600000},
               {3, 700000},
               {7, 800000},
               {267, 900000},
               {2107, 950000},
               {66667, 990000},
               {666667, 1000000}},
};

uint64_t draw_size(const struct size_table *table, struct prng *rng)
{
    const struct size_point *p = table->points;
    uint64_t share = prng_below(rng, PPB);
    uint32_t i = 1;
    while (i + 1 < table->count && p[i].share_ppm * (PPB / PPM) <= share)
        i++;
    uint64_t from = p[i - 1].share_ppm * (PPB / PPM), to = p[i].share_ppm * (PPB / PPM);
    uint64_t low = (uint64_t)p[i - 1].packets * table->packet_bytes,
             high = (uint64_t)p[i].packets * table->packet_bytes;
    return HW_MAX(low + (high - low) * (share - from) / (to - from), UINT64_C(1));
}

/* -ln(x / 2^32) for x > 0, in 24 fractional bits: the binary logarithm bit by bit, by squaring. */
static uint64_t minus_log(uint32_t x)
{
    enum { FRACTION = 24 };
    const uint64_t ln2 = 11629080; /* times 2^24 */
    unsigned shift = 0;
    for (; !(x & UINT32_C(1) << 31); shift++)
        x <<= 1;
    uint64_t log2 = 31 - shift, m = x; /* m / 2^31 in [1, 2) */
    for (unsigned i = 0; i < FRACTION; i++) {
        m = m * m >> 31;
        log2 = log2 << 1 | m >> 32;
        m >>= m >> 32;
    }
    return (((UINT64_C(32) << FRACTION) - log2) * ln2) >> FRACTION;
}

uint64_t draw_interval(uint64_t mean_ns, struct prng *rng)
{
    uint32_t x = (uint32_t)(prng_next(rng) >> 32);
    uint64_t e = minus_log(HW_MAX(x, UINT32_C(1))); /* below 23 * 2^24 */
    return (mean_ns >> 12) * e / (UINT64_C(1) << 12) + (((mean_ns & 0xfff) * e) >> 24);
}
