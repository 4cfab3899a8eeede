/* How things stand when a script begins. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "story.h"

void facts_init(struct facts *facts)
{
    *facts = (struct facts){
        .segment_bytes = 500,
        .window = 64000,
        .wscale = -1,
        .mtu = 1500,
        .rtt_ns = 100 * NS_PER_MS,
        .tolerance_ns = NS_PER_MS,
    };
}

static bool read_switch(struct words *w, struct facts *facts)
{
    struct {
        const char *name;
        bool *on;
    } switches[] = {
        {"passive", &facts->passive},       {"sack", &facts->sack},    {"nagle", &facts->nagle},
        {"timestamps", &facts->timestamps}, {"ipv4", &facts->only_v4}, {"mptcp-refused", &facts->refuses_mptcp},
        {"ipv6", &facts->only_v6},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(switches); i++)
        if (words_take(w, switches[i].name))
            return *switches[i].on = true;
    return false;
}

static bool read_keepalive(struct words *w, struct facts *facts)
{
    return words_time(w, "the idle time", &facts->keepalive_idle_ns) &&
           words_time(w, "the interval", &facts->keepalive_interval_ns) &&
           words_count(w, "the number of tries", &facts->keepalive_tries);
}

static bool read_congestion(struct words *w, struct facts *facts)
{
    const char *name = words_next(w);
    if (!name || strlen(name) >= sizeof facts->congestion)
        return words_wrong(w, "the name of a congestion control is missing");
    memcpy(facts->congestion, name, strlen(name) + 1);
    return true;
}

static bool read_wscale(struct words *w, struct facts *facts)
{
    uint32_t wscale;
    if (!words_count(w, "wscale", &wscale))
        return false;
    facts->wscale = (int)wscale;
    return wscale <= 255 || words_wrong(w, "wscale is one byte");
}

static bool read_fact(struct words *w, struct facts *facts)
{
    struct {
        const char *name;
        uint32_t *count;
    } counts[] = {
        {"mss", &facts->mss}, {"segment", &facts->segment_bytes},   {"window", &facts->window},
        {"mtu", &facts->mtu}, {"send-buffer", &facts->send_buffer}, {"recv-buffer", &facts->recv_buffer},
    };
    struct {
        const char *name;
        uint64_t *ns;
    } times[] = {
        {"rtt", &facts->rtt_ns},
        {"tolerance", &facts->tolerance_ns},
        {"user-timeout", &facts->user_timeout_ns},
        {"told-user-timeout", &facts->told_user_timeout_ns},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(counts); i++)
        if (words_take(w, counts[i].name))
            return words_count(w, counts[i].name, counts[i].count);
    for (size_t i = 0; i < HW_ARRAY_LEN(times); i++)
        if (words_take(w, times[i].name))
            return words_time(w, times[i].name, times[i].ns);
    if (words_take(w, "keepalive"))
        return read_keepalive(w, facts);
    if (words_take(w, "congestion"))
        return read_congestion(w, facts);
    if (words_take(w, "wscale"))
        return read_wscale(w, facts);
    return read_switch(w, facts) || words_end(w);
}

bool read_facts(struct words *w, struct facts *facts)
{
    while (words_peek(w))
        if (!read_fact(w, facts))
            return false;
    return !(facts->only_v4 && facts->only_v6) || words_wrong(w, "neither IPv4 nor IPv6 is left");
}
