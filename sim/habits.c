#include "sim/habits.h"

#include <errno.h>
#include <string.h>

#include <hawser/info.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/memory.h"

/* ---- by reference ---- */

struct loan {
    size_t len;
    uint8_t bytes[];
};

static void *env_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return sim_new(size);
}

static void env_free(void *ctx, void *ptr)
{
    (void)ctx;
    sim_free(ptr);
}

/* Whoever still sends them is found out. */
static void spoil(void *ctx)
{
    struct loan *loan = ctx;
    memset(loan->bytes, 0xa5, loan->len);
    sim_free(loan);
}

ssize_t habit_send(struct hawser_conn *conn, const uint8_t *bytes, size_t len)
{
    static const struct hawser_env env = {.alloc = env_alloc, .free = env_free};
    struct loan *loan = sim_new(sizeof *loan + len);
    struct hawser_buf *buf;
    loan->len = len;
    memcpy(loan->bytes, bytes, len);
    CHECK(hawser_buf_wrap(&env, loan->bytes, (uint32_t)len, spoil, loan, &buf) == 0);
    ssize_t n = hawser_send_slice(conn, (struct hawser_slice){buf, loan->bytes, (uint32_t)len});
    hawser_buf_unref(buf);
    return n;
}

static bool give_back_oldest(struct habit_kept *kept, const struct pattern *pattern, uint64_t stream)
{
    const struct hawser_slice *slice = &kept->slices[kept->first];
    bool same = pattern_check(pattern, stream, kept->at[kept->first], slice->data, slice->len) == slice->len;
    hawser_buf_unref(slice->buf);
    kept->first = (kept->first + 1) % HABIT_KEPT_MAX;
    kept->count--;
    return same;
}

bool habit_keep(struct habit_kept *kept, struct hawser_slice slice, uint64_t at, const struct pattern *pattern,
                uint64_t stream)
{
    bool same = kept->count < HABIT_KEPT_MAX || give_back_oldest(kept, pattern, stream);
    unsigned last = (kept->first + kept->count++) % HABIT_KEPT_MAX;
    kept->slices[last] = slice;
    kept->at[last] = at;
    return same;
}

bool habit_give_back(struct habit_kept *kept, const struct pattern *pattern, uint64_t stream)
{
    bool same = true;
    while (kept->count)
        same &= give_back_oldest(kept, pattern, stream);
    return same;
}

/* ---- options ---- */

void habit_tinker(struct hawser_conn *conn, uint64_t number)
{
    static const struct {
        enum hawser_option option;
        uint64_t least, spread;
    } all[] = {
        {HAWSER_OPTION_SEND_BUFFER_BYTES, 8192, 1000000},
        {HAWSER_OPTION_RECV_BUFFER_BYTES, 8192, 1000000},
        {HAWSER_OPTION_NAGLE, 0, 2},
        {HAWSER_OPTION_KEEPALIVE_IDLE_NS, 0, 2 * 60 * NS_PER_S},
        {HAWSER_OPTION_KEEPALIVE_TRIES, 9, 10},
    };
    size_t which = number % (sizeof all / sizeof all[0]);
    uint64_t value = all[which].least + number * 7368787 % all[which].spread;
    CHECK(hawser_conn_set(conn, all[which].option, value) == 0);
}

void habit_prioritise(struct hawser_conn *conn, uint64_t number)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    size_t count = 0;
    while (hawser_subflow_get_info(conn, count, &info) == 0)
        count++;
    if (count == 0)
        return;
    CHECK(hawser_subflow_get_info(conn, number * 7368787 % count, &info) == 0);
    int err = hawser_subflow_set_backup(conn, info.id, number / count % 3 != 0);
    CHECK(err == 0 || err == -ENOENT); /* it speaks plain TCP, or closes */
}
