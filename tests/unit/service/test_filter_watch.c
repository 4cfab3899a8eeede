/* Which messages of the packet filter say that a table went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "service/filter_watch.h"

static struct filter_watch watch;

static bool gone_after(uint16_t type, uint8_t family, const char *table)
{
    struct netlink_message m;
    struct nlmsghdr *header = netlink_start(&m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0);
    struct nfgenmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->nfgen_family = family;
    if (table)
        mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
    filter_watch_take(&watch, header);
    return watch.gone;
}

static void a_table_goes_and_comes(void **state)
{
    (void)state;
    watch = (struct filter_watch){.table = "ours"};
    assert_false(gone_after(NFT_MSG_NEWTABLE, NFPROTO_INET, "ours"));
    assert_true(gone_after(NFT_MSG_DELTABLE, NFPROTO_INET, "ours"));
    assert_true(gone_after(NFT_MSG_NEWTABLE, NFPROTO_INET, "another"));
    assert_false(gone_after(NFT_MSG_NEWTABLE, NFPROTO_INET, "ours"));
}

static void others_do_not_matter(void **state)
{
    (void)state;
    struct netlink_message m;
    watch = (struct filter_watch){.table = "ours"};
    assert_false(gone_after(NFT_MSG_DELTABLE, NFPROTO_INET, "another"));
    assert_false(gone_after(NFT_MSG_DELTABLE, NFPROTO_IPV4, "ours"));
    assert_false(gone_after(NFT_MSG_DELCHAIN, NFPROTO_INET, "ours"));
    assert_false(gone_after(NFT_MSG_DELTABLE, NFPROTO_INET, NULL));
    filter_watch_take(&watch, netlink_start(&m, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0)); /* too short */
    assert_false(watch.gone);
}

static void what_was_not_opened_is_closed(void **state)
{
    (void)state;
    watch = (struct filter_watch){.table = "ours"};
    filter_watch_close(&watch);
    if (filter_watch_open(&watch, "ours") < 0)
        skip();
    assert_true(filter_watch_fd(&watch) >= 0);
    assert_false(filter_watch_read(&watch));
    filter_watch_close(&watch);
    filter_watch_close(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_goes_and_comes),
        cmocka_unit_test(others_do_not_matter),
        cmocka_unit_test(what_was_not_opened_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
