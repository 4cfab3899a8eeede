#include "mptcp/silence.h"

#include <errno.h>

#include "mptcp/subflows.h"

/* The first question goes once what was merely lost has been sent again, and then two in a second. */
#define FIRST_TIMEOUTS 2u
#define INTERVAL_NS (500 * NS_PER_MS)
/* In a second, of all: a question is two packets, and what is silent may be silent for good. */
#define QUESTIONS_MAX 100u
#define QUESTIONS_MIN 8u
#define CONNECTIONS_A_QUESTION 2u
/* So many questions may be lost by accident. */
#define UNANSWERED 2u
/* Of 48 bits: 8,900 years. */
#define DUE_MAX ((UINT64_C(1) << 48) - 1)

static uint64_t interval(const struct subflow *subflow) { return HW_MAX(INTERVAL_NS, rtt_rto(&subflow->tcp.rtt)); }

static void ask_at(struct subflow *subflow, uint64_t at_ns)
{
    subflow->silence.due_ms = ((at_ns + NS_PER_MS - 1) / NS_PER_MS) & DUE_MAX;
}

/* When question `number`, from 0, went, if the round trip was as it is now; or earlier than that, where the budget has
 * held others back since. */
static uint64_t asked_at(const struct subflow *subflow, unsigned number)
{
    const struct silence *s = &subflow->silence;
    uint64_t due_ns = s->due_ms * NS_PER_MS, ago_ns = (s->questions - number) * interval(subflow);
    return due_ns - HW_MIN(ago_ns, due_ns);
}

void silence_begin(struct subflow *subflow, uint64_t now_ns)
{
    if (subflow->silence.due_ms || subflow->doubts || !subflow_usable(subflow))
        return;
    /* It may have rested before: that is not held against it. */
    uint64_t timeout_ns = rtt_rto(&subflow->tcp.rtt), heard_ns = subflow->tcp.liveness.heard_ns;
    ask_at(subflow, HW_MAX(heard_ns + timeout_ns, now_ns) + (FIRST_TIMEOUTS - 1) * timeout_ns);
    subflow->silence.questions = 0;
}

void silence_end(struct subflow *subflow, bool brought)
{
    subflow->silence.due_ms = 0;
    subflow->silence.questions = 0;
    subflow->silence.brought |= brought;
}

void silence_look(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->silence.brought && !subflow->passive &&
            now_ns - subflow->tcp.liveness.heard_ns >= rtt_rto(&subflow->tcp.rtt))
            silence_begin(subflow, now_ns);
    }
}

void silence_budget_init(struct silence_budget *budget, uint32_t connections)
{
    uint32_t share = connections / CONNECTIONS_A_QUESTION;
    *budget = (struct silence_budget){.most = HW_MAX(HW_MIN(share, QUESTIONS_MAX), QUESTIONS_MIN)};
}

static bool may_ask(struct silence_budget *budget, uint64_t now_ns)
{
    if (now_ns - budget->second_ns >= NS_PER_S) {
        budget->second_ns = now_ns;
        budget->asked = 0;
    }
    return budget->asked < budget->most;
}

static void ask(struct subflow *subflow, struct silence_budget *budget)
{
    budget->asked++;
    subflow->silence.questions++;
    tcp_question_now(&subflow->tcp);
}

void silence_ask(struct list *subflows, struct silence_budget *budget, struct counters *counters, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (subflow_question_due(subflow) > now_ns)
            continue;
        bool may = may_ask(budget, now_ns);
        ask_at(subflow, now_ns + HW_MAX(interval(subflow), may ? 0 : NS_PER_S)); /* in the next second, then */
        if (!subflow_usable(subflow))
            silence_end(subflow, false);
        else if (may)
            ask(subflow, budget);
        else
            count(counters, COUNT_LIMIT_QUESTIONS);
    }
}

void silence_note_answer(struct list *subflows, struct subflow *subflow, const struct tcp_segment *segment,
                         uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (!subflow->silence.questions || !tcp_echoes_since(tcp, segment, asked_at(subflow, 0)))
        return;
    bool was_deaf =
        subflow->silence.questions > UNANSWERED && tcp_echoes_since(tcp, segment, asked_at(subflow, UNANSWERED));
    bool peer_waits = subflow->silence.brought && !subflow->passive && tcp_txq(tcp)->count == 0;
    silence_end(subflow, false);
    subflow->silence.brought = false;
    if (!was_deaf)
        return;
    tcp_resume(tcp, now_ns);
    if (peer_waits && subflows_have_other(subflows, subflow))
        subflow_reset(subflow, MP_RST_PERFORMANCE, -ECANCELED, now_ns);
}
