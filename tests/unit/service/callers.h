/* Who dials, and a dialer that does what a test says (apps/service/dial.h). */
#ifndef HW_TESTS_SERVICE_CALLERS_H
#define HW_TESTS_SERVICE_CALLERS_H

#include "service/dial.h"
#include "service/ends.h"

/* Who waits. */
struct caller {
    struct dial_user user;
    unsigned told;
    int error;
    struct end end;
};

static inline void told(struct dial_user *user, int error, struct end end, uint64_t now_ns)
{
    struct caller *caller = HW_CONTAINER(user, struct caller, user);
    (void)now_ns;
    caller->told++;
    caller->error = error;
    caller->end = end;
}

static inline int dial(struct caller *caller, struct dialer *dialer, const char *name, const char *address,
                       uint16_t port, struct dial **out)
{
    struct destination to = {.name = name, .addr = {.port = port}};
    *caller = (struct caller){.user = {told}};
    if (address)
        assert_int_equal(hawser_addr_parse(&to.addr, address, port), 0);
    return dial_begin(dialer, &to, &caller->user, 0, out);
}

static inline int dial_for(const char *from, struct caller *caller, struct dialer *dialer, const char *name,
                           struct dial **out)
{
    struct destination to = {.name = name, .addr = {.port = 80}};
    *caller = (struct caller){.user = {told}};
    assert_int_equal(hawser_addr_parse(&to.from, from, 4000), 0);
    return dial_begin(dialer, &to, &caller->user, 0, out);
}

enum { ADDRESSES_MAX_TRIED = 20 };

/* A dialer below, of which the test says what becomes of each. */
struct fake {
    struct dialer dialer;
    struct dial_user *users[ADDRESSES_MAX_TRIED];
    struct hawser_addr addrs[ADDRESSES_MAX_TRIED];
    unsigned count, cancelled;
    int at_once;
};

static inline int fake_begin(struct dialer *dialer, const struct destination *to, struct dial_user *user,
                             uint64_t now_ns, struct dial **out)
{
    struct fake *fake = HW_CONTAINER(dialer, struct fake, dialer);
    (void)now_ns;
    assert_null(to->name);
    fake->addrs[fake->count] = to->addr;
    if (fake->at_once)
        return fake->at_once;
    fake->users[fake->count] = user;
    *out = (struct dial *)(void *)&fake->users[fake->count++];
    return 0;
}

static inline void fake_cancel(struct dialer *dialer, struct dial *dial)
{
    (void)dial;
    HW_CONTAINER(dialer, struct fake, dialer)->cancelled++;
}

static inline void fake_answer(struct fake *fake, unsigned i, int error, struct end end)
{
    fake->users[i]->answered(fake->users[i], error, end, 0);
}

#endif
