#include "sim/boxes.h"

#include <string.h>

#include "sim/boxes/kinds.h"

static const struct box_kind kinds[] = {
    {"nat", "translates addresses and ports of IPv4; address, period (a new port), idle", box_nat},
    {"firewall", "lets in what belongs to connections opened from inside; idle", box_firewall},
    {"seq-randomiser", "other initial sequence numbers for the inner side's connections", box_seq_randomiser},
    {"option-stripper", "overwrites options; amount (kind, 0: MPTCP, 255: all but MSS)", box_option_stripper},
    {"option-duplicator", "says an option twice where there is room; amount as for the stripper",
     box_option_duplicator},
    {"splitter", "cuts segments in two, options in both; amount (bytes of the first, 0: half)", box_splitter},
    {"coalescer", "joins segments, options of the first; period (wait, 0: 1 ms)", box_coalescer},
    {"payload-rewriter", "lengthens one segment each way and mends the numbers; amount (bytes, 0: 4)",
     box_payload_rewriter},
    {"acking-proxy", "acknowledges early and delivers itself; period (before it sends again, 0: 300 ms)",
     box_acking_proxy},
    {"window-shrinker", "window fields of at most amount", box_window_shrinker},
    {"rst-injector", "a RST behind a segment; amount (0: exact number, 1: in the window, 2: outside)",
     box_rst_injector},
    {"icmp-sender",
     "ICMP errors for packets that pass; amount (0: port unreachable, 1: too big for 1280, 2: forged, 3: host "
     "unreachable, 4: prohibited, 5: too big for 68)",
     box_icmp_sender},
    {"syn-dropper", "drops SYNs with MPTCP options; amount (only the first so many, 0: all)", box_syn_dropper},
    {"dropper", "drops packets; amount (0: any, 1: FIN, 2: bare ACK, 3: data, 4: RST)", box_dropper},
    {"replayer", "sends segments once more; period (later, 0: 1 s)", box_replayer},
    {"token-guesser", "joins with guessed tokens; period (between attempts, 0: 100 ms)", box_token_guesser},
    {"blind-injector", "segments with guessed numbers; period (between attempts, 0: 100 ms)", box_blind_injector},
    {"onpath-attacker", "options that lie, in segments that fit; period (between attempts, 0: 100 ms)",
     box_onpath_attacker},
    {NULL, NULL, NULL},
};

const struct box_kind *box_kinds(void) { return kinds; }

struct node *box_new(struct world *world, const char *name, const struct box_config *config)
{
    for (const struct box_kind *kind = kinds; kind->name; kind++)
        if (strcmp(kind->name, config->kind) == 0)
            return kind->make(world, name, config);
    return NULL;
}
