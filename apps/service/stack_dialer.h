/* Dialling by the stack: over its uplinks, by Multipath TCP where the destination speaks it. Addresses only. */
#ifndef HW_APPS_SERVICE_STACK_DIALER_H
#define HW_APPS_SERVICE_STACK_DIALER_H

#include "service/choice.h"
#include "service/dial.h"

struct stack_dialer {
    struct dialer dialer;
    struct hawser_stack *stack;
    struct choice *choice;              /* where connections begin; NULL: as the stack decides */
    struct hawser_conn_options options; /* their size is set; what they point to outlives the dialer */
    size_t port_limit;                  /* the stack's counter of who found no port */
};

void stack_dialer_init(struct stack_dialer *dialer, struct hawser_stack *stack, struct choice *choice,
                       const struct hawser_conn_options *options);

#endif
