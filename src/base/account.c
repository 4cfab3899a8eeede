#include "base/account.h"

#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

/* Parts of what is left of a quarter: each that is taken makes the next one smaller. */
#define SPARE_PARTS 64u

#define HELD_MAX ((UINT64_C(1) << 38) - 1)

static uint64_t held_by(const struct account *account) { return account->held; }

static void set_held(struct account *account, uint64_t bytes)
{
    CHECK(bytes <= HELD_MAX);
    account->held = bytes & HELD_MAX;
}

static const struct account_root *root_of(const struct account *account)
{
    while (account->parent)
        account = account->parent;
    return (const void *)account;
}

static uint64_t ordinary(const struct account_root *root) { return root->limit - root->reserve; }

void account_init(struct account_root *root, const struct hawser_env *env, uint64_t limit, uint64_t reserve)
{
    CHECK(reserve < limit);
    *root = (struct account_root){.env = env, .limit = limit, .reserve = reserve};
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
        set_held(account, held_by(account) + bytes);
}

void account_release(struct account *account, uint64_t bytes)
{
    for (; account; account = account->parent) {
        CHECK(account->held >= bytes);
        set_held(account, held_by(account) - bytes);
    }
}

void *account_alloc(struct account *account, size_t bytes, enum claim claim)
{
    const struct hawser_env *env = root_of(account)->env;
    void *block = account_admits(account, bytes, claim) ? env->alloc(env->ctx, bytes) : NULL;
    if (block)
        account_charge(account, bytes);
    return block;
}

void *account_grow(struct account *account, void *block, size_t from, size_t to)
{
    void *more = account_alloc(account, to, claim_to_grow(block));
    if (more && block)
        memcpy(more, block, from);
    if (more)
        account_free(account, block, from);
    return more;
}

void account_free(struct account *account, void *block, size_t bytes)
{
    const struct hawser_env *env = root_of(account)->env;
    if (!block)
        return;
    account_release(account, bytes);
    env->free(env->ctx, block);
}

uint64_t account_share(const struct account *account)
{
    uint64_t parts = 1, most = ordinary(root_of(account));
    for (; account->parent; account = account->parent)
        parts *= account->parent->parts;
    return most / 2 / parts;
}

uint64_t account_excess(const struct account *account)
{
    uint64_t share = account_share(account);
    return account->held > share ? account->held - share : 0;
}

bool account_is_greedy(const struct account *account) { return account_excess(account) > 0; }

bool account_is_frugal(const struct account *account)
{
    const struct account_root *root = root_of(account);
    return root->account.held > ordinary(root) / 8;
}

uint64_t account_spare(const struct account *account)
{
    const struct account_root *root = root_of(account);
    uint64_t quarter = ordinary(root) / 4;
    return (quarter - HW_MIN(held_by(&root->account), quarter)) / SPARE_PARTS;
}

bool account_is_pressed(const struct account *account)
{
    const struct account_root *root = root_of(account);
    return root->account.held > ordinary(root) / 2;
}

/* Up to where it goes for a key, or for those that have none: of the last eighth a key has what is within its share,
 * while there is any other. */
static uint64_t end_for(const struct account *parent)
{
    const struct account_root *root = root_of(parent);
    bool all = !parent->parent || root->account.parts == 1 || !account_is_greedy(parent);
    return all ? ordinary(root) : ordinary(root) / 8 * 7;
}

bool account_is_full(const struct account *parent)
{
    const struct account_root *root = root_of(parent);
    return root->account.held > (parent->parent ? end_for(parent) : ordinary(root) / 8 * 7);
}

bool account_is_scarce(const struct account *parent, uint64_t leaving)
{
    const struct account_root *root = root_of(parent);
    return root->account.held > end_for(parent) - ordinary(root) / 16 + leaving;
}

static uint64_t quantum(const struct account *account)
{
    return HW_MAX(HW_MIN(account_share(account) / 2, ACCOUNT_QUANTUM_MAX), ACCOUNT_QUANTUM_MIN);
}

bool account_admits(const struct account *account, uint64_t bytes, enum claim claim)
{
    if (!account || claim == CLAIM_OWED)
        return true;
    const struct account_root *root = root_of(account);
    const struct account *conn = account->parent;
    uint64_t all = root->account.held + bytes, most = ordinary(root);
    if (all <= most / 2)
        return true;
    if (all <= most / 4 * 3 && conn->held + bytes <= account_share(conn))
        return true;
    if (claim == CLAIM_SURPLUS)
        return false;
    uint64_t end = end_for(conn->parent);
    if (claim == CLAIM_URGENT && all <= (end == most ? root->limit : end) && account->held <= quantum(account) / 2)
        return true;
    return all <= end && account->held + bytes <= quantum(account);
}
