/* Which ports programs may publish (apps/service/program_ports.h), and who listens on this host. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/listening.h"
#include "service/program_ports.h"

static void ranges_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "0",    "65536",    "80-", "-80", "80-79", "80-65536",
                                      "80 81", "http", "80-81-82", "+80", " 80", "80,81", "99999999999999999999"};
    struct port_ranges ranges = {.count = 0};
    assert_int_equal(port_ranges_add(&ranges, "80"), 0);
    assert_int_equal(port_ranges_add(&ranges, "1-65535"), 0);
    assert_int_equal(ranges.at[0].first, 80);
    assert_int_equal(ranges.at[0].last, 80);
    assert_int_equal(ranges.at[1].first, 1);
    assert_int_equal(ranges.at[1].last, 65535);
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++)
        if (port_ranges_add(&ranges, bad[i]) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(ranges.count, 2);
    while (ranges.count < PORT_RANGES)
        assert_int_equal(port_ranges_add(&ranges, "80"), 0);
    assert_int_equal(port_ranges_add(&ranges, "80"), -ENOSPC);
}

/* A listener's port, or -1: there is no such family here. */
static int listen_at(int family, const char *addr, int *fd)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const bool is_v4 = family == AF_INET;
    struct sockaddr *at = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = is_v4 ? sizeof v4 : sizeof v6;
    assert_int_equal(inet_pton(family, addr, is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr), 1);
    *fd = socket(family, SOCK_STREAM, 0);
    if (*fd < 0 || bind(*fd, at, len) != 0)
        return -1;
    assert_int_equal(listen(*fd, 1), 0);
    assert_int_equal(getsockname(*fd, at, &len), 0);
    return ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
}

static void who_listens_is_found(void **state)
{
    (void)state;
    static const struct {
        int family;
        const char *addr;
        bool found;
    } table[] = {
        {AF_INET, "0.0.0.0", true}, {AF_INET6, "::", true}, {AF_INET, "127.0.0.1", false}, {AF_INET6, "::1", false}};
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        int fd, port = listen_at(table[i].family, table[i].addr, &fd);
        uid_t user = 77;
        if (port < 0) {
            assert_int_equal(table[i].family, AF_INET6);
            continue;
        }
        assert_int_equal(listening_user((uint16_t)port, &user), table[i].found);
        if (table[i].found)
            assert_int_equal(user, getuid());
        close(fd);
        assert_int_equal(listening_user((uint16_t)port, &user), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(who_listens_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
