/* Boxes that take options away, or say them twice (RFC 8684 6: what middleboxes are known to do). */
#include <string.h>

#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"
#include "wire/mptcp_options.h"

enum { OPT_NOP = 1, OPT_MSS = 2 };

/* `amount`: the kind of option; 0 means MPTCP, 255 every one but the MSS. */
static bool is_target(uint32_t amount, uint8_t kind)
{
    if (amount == UINT8_MAX)
        return kind > OPT_MSS;
    return kind == (amount ? amount : MPTCP_OPTION_KIND);
}

bool box_strip(struct packet *packet, struct box_segment *seg, uint32_t amount)
{
    uint32_t at = 0, len = 0;
    uint8_t kind;
    bool changed = false;
    while (box_next_option(seg, &at, &kind, &len))
        if (kind != OPT_NOP && is_target(amount, kind)) {
            memset(seg->options + at, OPT_NOP, len);
            changed = true;
        }
    if (changed)
        box_rewrite(packet, seg);
    return changed;
}

static enum box_fate strip(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                           uint64_t now_ns)
{
    (void)port;
    (void)now_ns;
    if (box_selects(box, seg))
        box->acted += box_strip(packet, seg, box->config.amount);
    return BOX_PASS;
}

struct node *box_option_stripper(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), strip)->node;
}

static enum box_fate duplicate(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns)
{
    (void)port;
    (void)now_ns;
    uint8_t options[TCP_OPTION_SPACE], kind;
    uint32_t at = 0, len = 0;
    if (!box_selects(box, seg))
        return BOX_PASS;
    while (box_next_option(seg, &at, &kind, &len)) {
        uint32_t total = (seg->options_len + len + 3) / 4 * 4;
        if (kind == OPT_NOP || !is_target(box->config.amount, kind) || total > TCP_OPTION_SPACE)
            continue;
        memset(options, OPT_NOP, sizeof options);
        memcpy(options, seg->options, at + len);
        memcpy(options + at + len, seg->options + at, seg->options_len - at);
        box->acted += box_set_options(packet, seg, options, total);
        break;
    }
    return BOX_PASS;
}

struct node *box_option_duplicator(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), duplicate)->node;
}
