/* Addresses of programs, and what is no namespace for one (apps/service/program_net.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/program_net.h"

static void each_slot_has_addresses_of_its_own(void **state)
{
    (void)state;
    struct program_addresses before = {0}, now;
    struct hawser_addr net;
    assert_int_equal(hawser_addr_parse(&net, PROGRAM_NET_V4, 0), 0);
    for (unsigned slot = 0; slot < PROGRAM_SLOTS; slot++) {
        program_addresses(slot, &now);
        assert_true(hawser_addr_is_v4(&now.v4) && hawser_addr_is_v4(&now.gateway) && !hawser_addr_is_v4(&now.v6));
        assert_memory_equal(now.v4.ip, net.ip, 14);
        assert_int_equal(now.v4.ip[15] & 3, 2); /* neither the network's own nor its broadcast address */
        assert_int_equal(now.v4.ip[15], now.gateway.ip[15] + 1);
        assert_true(memcmp(now.v4.ip, before.v4.ip, 16) > 0 || slot == 0);
        assert_true(memcmp(now.v6.ip, before.v6.ip, 16) > 0 || slot == 0);
        before = now;
    }
}

static void only_a_namespace_of_another_will_do(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int error;
    } cases[] = {
        {"/dev/null", -EINVAL}, {"/proc/self/ns/mnt", -EINVAL}, {"/proc/self/ns/net", -EINVAL}, {"/", -EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[200] = "";
        int fd = open(cases[i].path, O_RDONLY);
        assert_true(fd >= 0);
        assert_int_equal(program_net_check(fd, getuid(), why, sizeof why), cases[i].error);
        assert_true(strlen(why) > 10 && !strchr(why, '\n'));
        close(fd);
    }
    char why[200] = "";
    assert_int_equal(program_net_check(-1, 0, why, sizeof why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_has_addresses_of_its_own),
        cmocka_unit_test(only_a_namespace_of_another_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
