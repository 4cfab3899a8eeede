#include "base/account.h"

#include "base/check.h"
#include "base/compiler.h"

static const struct account *stack_of(const struct account *account)
{
    while (account->parent)
        account = account->parent;
    return account;
}

static uint64_t ordinary(const struct account *stack) { return stack->limit - stack->reserve; }

void account_init(struct account *account, uint64_t limit, uint64_t reserve)
{
    CHECK(reserve < limit);
    *account = (struct account){.limit = limit, .reserve = reserve};
}

void account_open(struct account *account, struct account *parent)
{
    *account = (struct account){.parent = parent};
    parent->parts++;
}

void account_close(struct account *account)
{
    CHECK(account->held == 0 && account->parts == 0);
    if (account->parent)
        account->parent->parts--;
    account->parent = NULL;
}

void account_charge(struct account *account, uint64_t bytes)
{
    for (; account; account = account->parent)
        account->held += bytes;
}

void account_release(struct account *account, uint64_t bytes)
{
    for (; account; account = account->parent) {
        CHECK(account->held >= bytes);
        account->held -= bytes;
    }
}

uint64_t account_share(const struct account *account)
{
    uint64_t parts = 1;
    for (; account->parent; account = account->parent)
        parts *= account->parent->parts;
    return ordinary(account) / 2 / parts;
}

bool account_is_greedy(const struct account *account) { return account->held > account_share(account); }

bool account_is_pressed(const struct account *account)
{
    const struct account *stack = stack_of(account);
    return stack->held > ordinary(stack) / 2;
}

/* Up to where it goes for a key, or for those that have none: of the last eighth a key has what is within its share,
 * while there is any other. */
static uint64_t end_for(const struct account *parent)
{
    const struct account *stack = stack_of(parent);
    bool all = parent == stack || stack->parts == 1 || !account_is_greedy(parent);
    return all ? ordinary(stack) : ordinary(stack) / 8 * 7;
}

bool account_is_full(const struct account *parent)
{
    const struct account *stack = stack_of(parent);
    return stack->held > (parent == stack ? ordinary(stack) / 8 * 7 : end_for(parent));
}

bool account_is_scarce(const struct account *parent, uint64_t leaving)
{
    const struct account *stack = stack_of(parent);
    return stack->held > end_for(parent) - ordinary(stack) / 16 + leaving;
}

static uint64_t quantum(const struct account *account)
{
    return HW_MAX(HW_MIN(account_share(account) / 2, ACCOUNT_QUANTUM_MAX), ACCOUNT_QUANTUM_MIN);
}

bool account_admits(const struct account *account, uint64_t bytes, enum claim claim)
{
    if (!account)
        return true;
    const struct account *stack = stack_of(account), *conn = account->parent;
    uint64_t all = stack->held + bytes, most = ordinary(stack);
    if (all <= most / 2 || claim == CLAIM_OWED)
        return true;
    if (all <= most / 4 * 3 && conn->held + bytes <= account_share(conn))
        return true;
    if (claim == CLAIM_URGENT && all <= stack->limit && account->held <= quantum(account) / 2)
        return true;
    return claim != CLAIM_SURPLUS && all <= end_for(conn->parent) && account->held + bytes <= quantum(account);
}
