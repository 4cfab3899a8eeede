/* A packet on its way up, past the checks of IP and TCP headers. */
#ifndef HW_STACK_ARRIVAL_H
#define HW_STACK_ARRIVAL_H

#include "tcp/tcp.h"
#include "wire/ip.h"

struct arrival {
    const struct hawser_rx *rx;
    int link;
    struct ip_header ip;
    struct tcp_segment segment;
    struct tcp_options options;
    struct hawser_addr local, remote;
    bool offered, declined; /* may it be left to another stack; and is it? */
};

#endif
