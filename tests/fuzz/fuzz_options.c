/* The TCP option area, MPTCP included: what parses can be planned and written, and reads back as the same. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"

/* The parts of `sent` that the wire keeps must be what `again` says. */
static void compare(const struct tcp_options *sent, const struct tcp_options *again)
{
    CHECK(again->malformed == 0);
    CHECK(again->mp.present == sent->mp.present);
    CHECK((again->present & TCP_OPT_TIMESTAMPS) == (sent->present & TCP_OPT_TIMESTAMPS));
    if (sent->present & TCP_OPT_TIMESTAMPS)
        CHECK(again->ts_val == sent->ts_val && again->ts_ecr == sent->ts_ecr);
    CHECK((again->present & TCP_OPT_USER_TIMEOUT) == (sent->present & TCP_OPT_USER_TIMEOUT));
    if (sent->present & TCP_OPT_USER_TIMEOUT)
        CHECK(again->user_timeout == sent->user_timeout && user_timeout_decode(again->user_timeout) != 0);
    if (again->present & TCP_OPT_SACK)
        CHECK(again->sack_count == sent->sack_count &&
              memcmp(again->sack, sent->sack, sent->sack_count * sizeof sent->sack[0]) == 0);
    if (mptcp_has(&sent->mp, MPTCP_DSS)) {
        const struct mp_dss *a = &sent->mp.dss, *b = &again->mp.dss;
        CHECK(a->has_ack == b->has_ack && a->has_map == b->has_map && a->data_fin == b->data_fin);
        CHECK(!a->has_ack || a->ack == b->ack);
        CHECK(!a->has_map || (a->dsn == b->dsn && a->ssn == b->ssn && a->len == b->len));
    }
    if (mptcp_has(&sent->mp, MPTCP_ADD_ADDR))
        CHECK(again->mp.add_addr.hmac64 == sent->mp.add_addr.hmac64 &&
              hawser_addr_equal(&again->mp.add_addr.addr, &sent->mp.add_addr.addr));
    if (mptcp_has(&sent->mp, MPTCP_CAPABLE))
        CHECK(again->mp.capable.sender_key == sent->mp.capable.sender_key &&
              again->mp.capable.receiver_key == sent->mp.capable.receiver_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcp_options want, sent, again;
    uint8_t area[TCP_OPTION_SPACE];
    if (size < 1 || size > 1 + TCP_OPTION_SPACE)
        return 0;
    uint8_t flags = data[0];
    tcp_options_parse(data + 1, size - 1, flags, &want);
    if (want.mp.present >> MPTCP_CAPABLE & 1 && want.mp.capable.version != MPTCP_VERSION)
        return 0; /* shapes of other versions are not ours to write */
    size_t len = tcp_options_plan(area, &want, &sent);
    CHECK(len <= TCP_OPTION_SPACE && len % 4 == 0);
    tcp_options_parse(area, len, flags, &again);
    compare(&sent, &again);
    return 0;
}
