/* What can be changed of a live connection. */
#include <errno.h>

#include <hawser/socket.h>

#include "stack/stack.h"

static bool is_possible(enum hawser_option option, uint64_t value)
{
    switch (option) {
    case HAWSER_OPTION_SEND_BUFFER_BYTES:
    case HAWSER_OPTION_RECV_BUFFER_BYTES:
        return value && value <= HAWSER_BUFFER_MAX;
    case HAWSER_OPTION_SEND_LOW_WATER_BYTES:
        return value <= HAWSER_BUFFER_MAX;
    case HAWSER_OPTION_NAGLE:
    case HAWSER_OPTION_ASKED:
        return value <= 1;
    case HAWSER_OPTION_KEEPALIVE_IDLE_NS:
    case HAWSER_OPTION_USER_TIMEOUT_NS:
        return true;
    case HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS:
        return value == 0 || user_timeout_encode(value);
    case HAWSER_OPTION_KEEPALIVE_INTERVAL_NS:
        return value;
    case HAWSER_OPTION_KEEPALIVE_TRIES:
        return value && value <= TCP_KEEPALIVE_TRIES_MAX;
    }
    return false;
}

static void advertise(struct conn *conn, uint64_t user_timeout_ns)
{
    struct user_timeout *u = &conn->patience.user_timeout;
    const uint64_t before_ns = user_timeout_advertised(u);
    user_timeout_advertise(u, user_timeout_ns);
    if (user_timeout_advertised(u) == before_ns)
        return;
    EACH_SUBFLOW (it, conn)
        tcp_user_timeout_changed(&subflow_at(it)->tcp);
}

static void set(struct conn *conn, enum hawser_option option, uint64_t value)
{
    switch (option) {
    case HAWSER_OPTION_SEND_BUFFER_BYTES:
        data_tx_set_limit(&conn->data_tx, (uint32_t)value);
        break;
    case HAWSER_OPTION_RECV_BUFFER_BYTES:
        data_rx_set_limit_max(&conn->data_rx, (uint32_t)value);
        break;
    case HAWSER_OPTION_SEND_LOW_WATER_BYTES:
        conn->send_low_water = (uint32_t)value;
        break;
    case HAWSER_OPTION_NAGLE:
        data_tx_set_nagle(&conn->data_tx, value);
        break;
    case HAWSER_OPTION_KEEPALIVE_IDLE_NS:
        conn->patience.keepalive.idle_ms = ms_of_ns(value);
        break;
    case HAWSER_OPTION_KEEPALIVE_INTERVAL_NS:
        conn->patience.keepalive.interval_ms = ms_of_ns(value);
        break;
    case HAWSER_OPTION_KEEPALIVE_TRIES:
        conn->patience.keepalive.tries = (uint32_t)value & TCP_KEEPALIVE_TRIES_MAX;
        break;
    case HAWSER_OPTION_USER_TIMEOUT_NS:
        user_timeout_set(&conn->patience.user_timeout, value);
        break;
    case HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS:
        advertise(conn, value);
        break;
    case HAWSER_OPTION_ASKED:
        conn->patience.keepalive.passed_on = value & 1;
        break;
    }
}

int hawser_conn_set(struct hawser_conn *handle, enum hawser_option option, uint64_t value)
{
    struct conn *conn = (struct conn *)(void *)handle;
    if (!is_possible(option, value))
        return -EINVAL;
    set(conn, option, value);
    EACH_SUBFLOW (it, conn)
        tcp_keepalive_changed(&subflow_at(it)->tcp);
    if (data_tx_room(&conn->data_tx) == 0)
        told_forget(&conn->told, HAWSER_WRITABLE);
    conn_event(conn);
    conn_wake(conn);
    return 0;
}

int hawser_conn_get(const struct hawser_conn *handle, enum hawser_option option, uint64_t *value)
{
    const struct conn *conn = (const struct conn *)(const void *)handle;
    switch (option) {
    case HAWSER_OPTION_SEND_BUFFER_BYTES:
        *value = data_tx_limit(&conn->data_tx);
        return 0;
    case HAWSER_OPTION_RECV_BUFFER_BYTES:
        *value = data_rx_limit_max(&conn->data_rx);
        return 0;
    case HAWSER_OPTION_SEND_LOW_WATER_BYTES:
        *value = conn->send_low_water;
        return 0;
    case HAWSER_OPTION_NAGLE:
        *value = data_tx_nagle(&conn->data_tx);
        return 0;
    case HAWSER_OPTION_KEEPALIVE_IDLE_NS:
        *value = tcp_keepalive_idle_ns(&conn->patience.keepalive);
        return 0;
    case HAWSER_OPTION_KEEPALIVE_INTERVAL_NS:
        *value = tcp_keepalive_interval_ns(&conn->patience.keepalive);
        return 0;
    case HAWSER_OPTION_KEEPALIVE_TRIES:
        *value = conn->patience.keepalive.tries;
        return 0;
    case HAWSER_OPTION_USER_TIMEOUT_NS:
        *value = user_timeout_own(&conn->patience.user_timeout);
        return 0;
    case HAWSER_OPTION_ADVERTISED_USER_TIMEOUT_NS:
        *value = user_timeout_advertised(&conn->patience.user_timeout);
        return 0;
    case HAWSER_OPTION_ASKED:
        *value = conn->patience.keepalive.passed_on;
        return 0;
    }
    return -EINVAL;
}
