#include "stack/bare.h"

#include <string.h>

#include "wire/checksum.h"
#include "wire/ip.h"

void bare_write(struct hawser_tx *tx, uint8_t link, const struct hawser_addr *local, const struct hawser_addr *remote,
                struct tcp_header header, const struct tcp_options *options)
{
    uint8_t area[TCP_OPTION_SPACE];
    struct tcp_options sent;
    size_t options_len = tcp_options_plan(area, options, &sent);
    header.src_port = local->port;
    header.dst_port = remote->port;
    header.header_len = (uint8_t)(TCP_HEADER_LEN + options_len);
    struct csum pseudo = {0, false};
    csum_add_pseudo(&pseudo, local, remote, header.header_len);
    header.checksum = csum_fold(&pseudo);
    size_t l3 = ip_emit(tx->head, local, remote, 0, header.header_len);
    tcp_header_emit(tx->head + l3, &header);
    memcpy(tx->head + l3 + TCP_HEADER_LEN, area, options_len);
    tx->l3_len = (uint8_t)l3;
    tx->head_len = (uint8_t)(l3 + header.header_len);
    tx->link = link;
    tx->flags = 0;
    tx->part_count = 0;
    tx->payload_len = 0;
    tx->gso_size = 0;
}
