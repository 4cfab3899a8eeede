/* The two halves of a step, for a loop that looks at events in between: what it says to them leaves with the rest. */
#ifndef HW_RUN_HOST_TURN_H
#define HW_RUN_HOST_TURN_H

#include <stdbool.h>

#include <hawser/host.h>

/* Takes in packets, a batch of each link at most, and runs timers. Returns what hawser_host_step() does. */
int host_take_in(struct hawser_host *host);

/* Sends packets. Returns whether another turn is due at once; the descriptor is readable then, too. */
bool host_send_out(struct hawser_host *host);

#endif
