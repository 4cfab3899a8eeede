/* The makers of all kinds of middleboxes, for the table in boxes.c. */
#ifndef HW_SIM_BOXES_KINDS_H
#define HW_SIM_BOXES_KINDS_H

#include "sim/boxes.h"

typedef struct node *box_maker(struct world *world, const char *name, const struct box_config *config);

/* options.c */
box_maker box_option_stripper, box_option_duplicator;
/* droppers.c */
box_maker box_dropper, box_syn_dropper, box_window_shrinker;
/* nat.c, firewall.c, randomiser.c */
box_maker box_nat, box_firewall, box_seq_randomiser;
/* splitter.c, coalescer.c, rewriter.c */
box_maker box_splitter, box_coalescer, box_payload_rewriter;
/* proxy.c */
box_maker box_acking_proxy;
/* injectors.c */
box_maker box_rst_injector, box_replayer, box_icmp_sender;
/* attackers.c */
box_maker box_token_guesser, box_blind_injector, box_onpath_attacker;

#endif
