/* Chains of others that drop what Hawser's devices say. */
#include "service/firewall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CHAIN(hook, policy, rules)                                                                                     \
    "table ip filter {\n\tchain X {\n\t\ttype filter hook " hook " priority filter; policy " policy ";\n" rules        \
    "\t}\n}\n"
#define ALL(way) "\t\t" way " \"up0\" accept\n\t\t" way " { \"lan0\", \"pub0\" } counter packets 1 bytes 60 accept\n"
#define BOTH(way) ALL(way) "\t\t" way " \"hawser*\" accept\n"

static void others(void **state)
{
    (void)state;
    static const char listing[] = "table inet hawser_uplinks {\n"
                                  "\tchain forward {\n"
                                  "\t\ttype filter hook forward priority filter; policy drop;\n"
                                  "\t}\n"
                                  "}\n"
                                  "table ip filter { # progname x\n"
                                  "\tchain DOCKER-USER {\n"
                                  "\t}\n"
                                  "\tchain INPUT {\n"
                                  "\t\ttype filter hook input priority filter; policy drop;\n"
                                  "\t}\n"
                                  "}\n"
                                  "table bridge filter {\n"
                                  "\tchain FORWARD {\n"
                                  "\t\ttype filter hook forward priority filter; policy drop;\n"
                                  "\t}\n"
                                  "}\n"
                                  "table inet fw {\n"
                                  "\tchain nat {\n"
                                  "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
                                  "\t}\n"
                                  "\tchain forward {\n"
                                  "\t\ttype filter hook forward priority filter; policy accept;";
    struct firewall_chain chains[FIREWALL_CHAINS];
    assert_int_equal(firewall_chains("", chains), 0);
    assert_int_equal(firewall_chains(listing, chains), 2);
    assert_string_equal(chains[0].name, "ip filter INPUT");
    assert_string_equal(chains[1].name, "inet fw forward");
}

static void what_drops(void **state)
{
    (void)state;
    static const struct {
        const char *listing;
        bool drops;
    } all[] = {
        {"", false},
        {CHAIN("forward", "accept", ""), false},
        {CHAIN("forward", "accept", "\t\tip saddr 10.0.0.1 drop\n\t\tct state invalid drop\n"), false},
        {CHAIN("forward", "accept", "\t\tct status dnat accept\n\t\treject with icmpx admin-prohibited\n"), true},
        {CHAIN("input", "accept", "\t\tcounter packets 7 bytes 420 drop\n"), true},
        {CHAIN("forward", "drop", ""), true},
        {CHAIN("forward", "drop", BOTH("iifname")), true},
        {CHAIN("forward", "drop", BOTH("iifname") BOTH("oifname")), false},
        {CHAIN("forward", "accept", BOTH("iifname") BOTH("oifname") "\t\tdrop\n"), false},
        {CHAIN("forward", "drop", BOTH("iifname") ALL("oifname") "\t\toifname \"hawser-*\" accept\n"), true},
        {CHAIN("forward", "drop",
               BOTH("iifname") ALL("oifname") "\t\toifname \"hawser-*\" accept\n\t\toifname \"hawser+*\" accept\n"),
         false},
        {CHAIN("input", "drop", BOTH("iifname")), false},
        {CHAIN("input", "drop", ALL("iifname") "\t\tiifname \"hawser*\" tcp dport 22 accept\n"), true},
        {CHAIN("input", "drop", ALL("iifname") "\t\tiifname \"lan0\" oifname \"hawser*\" accept\n"), true},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_int_equal(firewall_chain_drops(all[i].listing), all[i].drops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(others), cmocka_unit_test(what_drops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
