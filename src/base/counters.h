/* Counters of a stack: every packet dropped and every limit hit is counted under a name of its own. */
#ifndef HW_BASE_COUNTERS_H
#define HW_BASE_COUNTERS_H

#include <stdint.h>

/* X(identifier, public name) */
#define HW_COUNTERS(X)                                                                                                 \
    X(TIME_WENT_BACK, "time.went_back")                                                                                \
    X(IP_IN, "ip.packets_in")                                                                                          \
    X(IP_OUT, "ip.packets_out")                                                                                        \
    X(DROP_IP_TRUNCATED, "drop.ip_truncated")                                                                          \
    X(DROP_IP_VERSION, "drop.ip_bad_version")                                                                          \
    X(DROP_IP_HEADER, "drop.ip_bad_header")                                                                            \
    X(DROP_IP_CHECKSUM, "drop.ip_bad_checksum")                                                                        \
    X(DROP_IP_FRAGMENT, "drop.ip_fragment")                                                                            \
    X(DROP_IP_ADDRESS, "drop.ip_bad_address")                                                                          \
    X(DROP_MARTIAN, "drop.martian_source")                                                                             \
    X(DROP_NOT_OURS, "drop.not_our_address")                                                                           \
    X(DROP_OTHER_DOOR, "drop.by_another_door")                                                                         \
    X(DROP_PROTOCOL, "drop.not_tcp")                                                                                   \
    X(DROP_ICMP_MALFORMED, "drop.icmp_malformed")                                                                      \
    X(DROP_ICMP_CHECKSUM, "drop.icmp_bad_checksum")                                                                    \
    X(DROP_ICMP_OTHER, "drop.icmp_no_error")                                                                           \
    X(DROP_ICMP_UNMATCHED, "drop.icmp_unmatched")                                                                      \
    X(DROP_ICMP_MTU, "drop.icmp_bad_mtu")                                                                              \
    X(DROP_TCP_HEADER, "drop.tcp_bad_header")                                                                          \
    X(DROP_TCP_CHECKSUM, "drop.tcp_bad_checksum")                                                                      \
    X(DROP_NO_CONNECTION, "drop.no_connection")                                                                        \
    X(DROP_OUT_OF_WINDOW, "drop.out_of_window")                                                                        \
    X(DROP_PAWS, "drop.old_timestamp")                                                                                 \
    X(DROP_BAD_ACK, "drop.bad_ack")                                                                                    \
    X(DROP_NO_ACK, "drop.no_ack_flag")                                                                                 \
    X(DROP_BAD_RST, "drop.bad_rst")                                                                                    \
    X(DROP_BAD_SYN, "drop.syn_in_connection")                                                                          \
    X(DROP_BACKLOG, "drop.backlog_full")                                                                               \
    X(DROP_ACCEPT_QUEUE, "drop.accept_queue_full")                                                                     \
    X(DROP_HALF_OPEN, "drop.too_many_half_open")                                                                       \
    X(DROP_NO_MEMORY, "drop.no_memory")                                                                                \
    X(DROP_GAPS, "drop.too_many_gaps")                                                                                 \
    X(DROP_JOIN_TOKEN, "drop.join_unknown_token")                                                                      \
    X(DROP_JOIN_HMAC, "drop.join_bad_hmac")                                                                            \
    X(DROP_JOIN_PROHIBITED, "drop.join_prohibited")                                                                    \
    X(DROP_JOIN_REFUSED, "drop.join_refused")                                                                          \
    X(DROP_ADD_ADDR_HMAC, "drop.add_addr_bad_hmac")                                                                    \
    X(DROP_ADD_ADDR_LIMIT, "drop.add_addr_limit")                                                                      \
    X(DROP_ADD_ADDR_INVALID, "drop.add_addr_invalid")                                                                  \
    X(DROP_DATA_WINDOW, "drop.data_out_of_window")                                                                     \
    X(DROP_DATA_ACK, "drop.bad_data_ack")                                                                              \
    X(DROP_MAPPING, "drop.bad_mapping")                                                                                \
    X(DROP_UNMAPPED, "drop.unmapped_data")                                                                             \
    X(DROP_DATA_CHECKSUM, "drop.dss_bad_checksum")                                                                     \
    X(TCP_OPTION_MALFORMED, "tcp.options_malformed")                                                                   \
    X(TCP_CHALLENGE_ACK, "tcp.challenge_acks")                                                                         \
    X(TCP_RESETS_IN, "tcp.resets_in")                                                                                  \
    X(TCP_RESETS_OUT, "tcp.resets_out")                                                                                \
    X(TCP_TIMEOUTS, "tcp.timeouts")                                                                                    \
    X(TCP_PORT_TRIES, "tcp.port_tries")                                                                                \
    X(TCP_TIME_WAITS, "tcp.time_waits")                                                                                \
    X(TCP_ATTEMPTS, "tcp.further_attempts")                                                                            \
    X(HANDSHAKE_TIMEOUTS, "tcp.handshake_timeouts")                                                                    \
    X(COOKIES_OUT, "tcp.syn_cookies_sent")                                                                             \
    X(COOKIES_IN, "tcp.syn_cookies_answered")                                                                          \
    X(TCP_UNREACHABLE, "tcp.icmp_unreachable")                                                                         \
    X(TCP_PATH_MTUS, "tcp.icmp_too_big")                                                                               \
    X(TCP_BLACK_HOLES, "tcp.black_holes")                                                                              \
    X(TCP_MTU_PROBES, "tcp.mtu_probes")                                                                                \
    X(TCP_PROBES, "tcp.tail_loss_probes")                                                                              \
    X(TCP_KEEPALIVE_PROBES, "tcp.keepalive_probes")                                                                    \
    X(TCP_KEEPALIVES_IN, "tcp.keepalives_in")                                                                          \
    X(TCP_RESTS, "tcp.rests")                                                                                          \
    X(TCP_RESTS_IN_VAIN, "tcp.rests_in_vain")                                                                          \
    X(TCP_RECOVERIES, "tcp.recoveries")                                                                                \
    X(TCP_RETRANSMITS, "tcp.retransmits")                                                                              \
    X(TCP_SPURIOUS, "tcp.spurious_recoveries")                                                                         \
    X(TCP_REORDERINGS, "tcp.reorderings_seen")                                                                         \
    X(TCP_DUPLICATES, "tcp.duplicate_segments")                                                                        \
    X(MPTCP_ACTIVE, "mptcp.connections_opened")                                                                        \
    X(MPTCP_PASSIVE, "mptcp.connections_accepted")                                                                     \
    X(MPTCP_FALLBACKS, "mptcp.fallbacks")                                                                              \
    X(MPTCP_PLAIN_PEERS, "mptcp.capable_eaten")                                                                        \
    X(MPTCP_JOINS_OUT, "mptcp.joins_made")                                                                             \
    X(MPTCP_JOINS_IN, "mptcp.joins_accepted")                                                                          \
    X(MPTCP_JOINS_DECLINED, "mptcp.joins_declined")                                                                    \
    X(MPTCP_ADD_ADDR_IN, "mptcp.addresses_learned")                                                                    \
    X(MPTCP_ADD_ADDR_OUT, "mptcp.addresses_announced")                                                                 \
    X(MPTCP_ADD_ADDR_LOST, "mptcp.announcements_not_echoed")                                                           \
    X(MPTCP_USELESS, "mptcp.subflows_given_up")                                                                        \
    X(MPTCP_REINJECTIONS, "mptcp.reinjections")                                                                        \
    X(MPTCP_COPIES, "mptcp.copies")                                                                                    \
    X(MPTCP_UNDELIVERED, "mptcp.failed_after_close")                                                                   \
    X(MPTCP_SCHEDULER_MISTAKES, "mptcp.scheduler_mistakes")                                                            \
    X(MPTCP_SCHEDULER_OVERRULED, "mptcp.scheduler_overruled")                                                          \
    X(LIMIT_CONNECTIONS, "limit.connections")                                                                          \
    X(LIMIT_SHARES, "limit.shares_of_connections")                                                                     \
    X(LIMIT_EVICTED, "limit.reset_for_connections")                                                                    \
    X(LIMIT_SUBFLOWS, "limit.subflows")                                                                                \
    X(LIMIT_SUBFLOWS_LENT, "limit.subflows_taken_back")                                                                \
    X(LIMIT_HALF_OPEN, "limit.half_open")                                                                              \
    X(LIMIT_ATTEMPTS, "limit.attempts")                                                                                \
    X(LIMIT_PLAIN_PEERS, "limit.plain_peers")                                                                          \
    X(LIMIT_REQUESTS, "limit.requests")                                                                                \
    X(LIMIT_REFUSALS, "limit.refusals_remembered")                                                                     \
    X(LIMIT_PORTS, "limit.ports")                                                                                      \
    X(LIMIT_TIME_WAIT, "limit.time_waits")                                                                             \
    X(LIMIT_COOKIES, "limit.syn_cookies_waiting")                                                                      \
    X(LIMIT_MEMORY, "limit.memory")                                                                                    \
    X(LIMIT_LENT_BUFFERS, "limit.lent_buffers")                                                                        \
    X(LIMIT_RECORDS, "limit.records")                                                                                  \
    X(LIMIT_MAPPINGS, "limit.mappings")                                                                                \
    X(LIMIT_UNMAPPED, "limit.unmapped")                                                                                \
    X(LIMIT_UNMAPPED_DROPPED, "limit.unmapped_dropped")                                                                \
    X(LIMIT_DISORDER, "limit.out_of_order_memory")                                                                     \
    X(LIMIT_DISORDER_DROPPED, "limit.out_of_order_dropped")                                                            \
    X(LIMIT_LAGGARD, "limit.lagging_bytes")                                                                            \
    X(LIMIT_SACKED_DROPPED, "limit.sacked_dropped")                                                                    \
    X(LIMIT_NEW, "limit.connections_for_memory")                                                                       \
    X(LIMIT_RESET, "limit.reset_for_memory")                                                                           \
    X(LIMIT_ASSEMBLY, "limit.unfinished_mappings")                                                                     \
    X(LIMIT_FLIGHTS, "limit.subflows_in_flight")                                                                       \
    X(LIMIT_SACKED, "limit.sacked_ranges")                                                                             \
    X(LIMIT_ICMP, "limit.icmp_errors")                                                                                 \
    X(LIMIT_PATH_MTUS, "limit.path_mtus")                                                                              \
    X(LIMIT_REPEATS, "limit.answers_to_repeats")                                                                       \
    X(LIMIT_KEEPALIVES, "limit.answers_to_keepalives")                                                                 \
    X(LIMIT_ANNOUNCEMENTS, "limit.announcements")                                                                      \
    X(LIMIT_ADDRESS_IDS, "limit.address_ids")                                                                          \
    X(LIMIT_QUESTIONS, "limit.questions")                                                                              \
    X(LIMIT_QUESTIONS_PASSED_ON, "limit.questions_passed_on")                                                          \
    X(LIMIT_ECHOES, "limit.echoes")                                                                                    \
    X(LIMIT_PAIRS, "limit.pairs")                                                                                      \
    X(LIMIT_SCHEDULER, "limit.scheduler_memory")                                                                       \
    X(LIMIT_REPLIES, "limit.stateless_replies")

enum counter {
#define HW_COUNTER_ENUM(id, name) COUNT_##id,
    HW_COUNTERS(HW_COUNTER_ENUM)
#undef HW_COUNTER_ENUM
        COUNTER_TOTAL
};

struct counters {
    uint64_t v[COUNTER_TOTAL];
};

static inline void count(struct counters *c, enum counter which) { c->v[which]++; }
static inline void count_n(struct counters *c, enum counter which, uint64_t n) { c->v[which] += n; }

/* The public name of a counter. */
const char *counter_name(enum counter which);

#endif
