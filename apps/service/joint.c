#include "service/joint.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/units.h"

enum { JOINT_PARTS = 16 };

/* What is to be expected of a direction after some bytes were moved, or none. */
enum joint_news { JOINT_GOES_ON, JOINT_WAITS, JOINT_ENDED, JOINT_FAILED };

void joints_init(struct joints *joints)
{
    *joints = (struct joints){.held_max = JOINTS_HELD_MAX};
    list_init(&joints->all);
    list_init(&joints->doomed);
    list_init(&joints->turns);
    list_init(&joints->walks);
}

static struct joint *joint_of(struct joint_end *end) { return HW_CONTAINER(end - end->second, struct joint, ends[0]); }

static struct joint_end *other_end(struct joint_end *end) { return end->second ? end - 1 : end + 1; }

static bool is_doomed(const struct joint *joint) { return joint->ends[0].doomed || joint->ends[1].doomed; }

static void let_go(struct joint_end *end)
{
    if (!end->held)
        return;
    joint_of(end)->joints->held_bytes -= hawser_buf_capacity(end->held->buf);
    hawser_buf_unref(end->held->buf);
    free(end->held);
    end->held = NULL;
}

static void forget(struct joint *joint)
{
    struct joints *joints = joint->joints;
    for (unsigned i = 0; i < 2; i++) {
        list_remove(&joint->ends[i].turn);
        let_go(&joint->ends[i]);
    }
    LIST_EACH (it, &joints->walks) {
        struct joints_walk *walk = LIST_ENTRY(it, struct joints_walk, link);
        if (walk->at == &joint->link)
            joints_walk_on(walk);
    }
    list_remove(&joint->link);
    joints->count--;
    free(joint->origin.asked);
    free(joint);
}

/* Resets both ends: what one of them is told late, the other would be told later. */
static void break_off(struct joint *joint)
{
    joint->joints->broken++;
    for (unsigned i = 0; i < 2; i++)
        end_abort(joint->ends[i].end);
    forget(joint);
}

/* Both streams are over, and what is not delivered yet is the stack's. */
static void close_both(struct joint *joint)
{
    for (unsigned i = 0; i < 2; i++)
        end_close(joint->ends[i].end);
    forget(joint);
}

static void take_turn(struct joint_end *end)
{
    if (!is_doomed(joint_of(end)) && !end->ended && !end->shut && list_empty(&end->turn))
        list_push_back(&joint_of(end)->joints->turns, &end->turn);
}

/* This end failed: nothing is taken from the other one any more. */
static void doom(struct joint_end *failed)
{
    struct joint_end *other = other_end(failed);
    if (is_doomed(joint_of(failed)))
        return;
    list_remove(&failed->turn);
    list_move_back(&joint_of(failed)->joints->doomed, &other->turn);
    other->doomed = true;
}

/* What had arrived at the end that failed still goes on its way. */
static void end_failed(struct joint_end *end)
{
    doom(end);
    if (!end->doomed && !end->ended && !end->shut && list_empty(&end->turn))
        list_push_front(&joint_of(end)->joints->turns, &end->turn);
}

/* Who asks by keepalive is answered as long as the other one answers: so its own terms decide when it gives up. */
static void carry_question(struct joint_end *asked, uint64_t now_ns)
{
    bool there = hawser_conn_ask(end_conn(other_end(asked)->end), now_ns) == 0;
    hawser_conn_answer(end_conn(asked->end), there, now_ns);
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct joint_end *end = HW_CONTAINER(watch, struct joint_end, watch), *other = other_end(end);
    if (event->what & HAWSER_ERROR) {
        end_failed(end);
        return;
    }
    if (event->what & HAWSER_ASKED)
        carry_question(end, now_ns);
    if (event->what & (HAWSER_READABLE | HAWSER_PEER_FINISHED))
        take_turn(end);
    if (event->what & (HAWSER_WRITABLE | HAWSER_CONNECTED)) {
        other->shut = false;
        take_turn(other);
    }
}

/* A socket of the kernel can neither ask at will nor be heard to ask. */
static void hear_questions(struct joint *joint)
{
    struct hawser_conn *first = end_conn(joint->ends[0].end), *second = end_conn(joint->ends[1].end);
    if (!first || !second)
        return;
    hawser_conn_set(first, HAWSER_OPTION_ASKED, 1);
    hawser_conn_set(second, HAWSER_OPTION_ASKED, 1);
}

int joint_make(struct joints *joints, struct end first, struct end second, const struct joint_origin *origin,
               uint64_t now_ns)
{
    struct joint *joint = calloc(1, sizeof *joint);
    if (!joint)
        return -ENOMEM;
    joint->joints = joints;
    joint->origin = *origin;
    joint->origin.since_ms = now_ns / NS_PER_MS & (UINT64_MAX >> (64 - JOINT_SINCE_BITS));
    list_push_back(&joints->all, &joint->link);
    joints->count++;
    joint->id = ++joints->made;
    for (unsigned i = 0; i < 2; i++) {
        struct joint_end *end = &joint->ends[i];
        end->watch.heard = heard;
        end->end = i ? second : first;
        end->second = i;
        list_init(&end->turn);
        end_watch(end->end, &end->watch);
        take_turn(end); /* it may have been told of something before */
    }
    hear_questions(joint);
    return 0;
}

static bool came_by_uplink(const struct joint *joint)
{
    return joint->origin.way == JOINT_BY_PORT || joint->origin.way == JOINT_BY_UPSTREAM;
}

struct end joint_client(const struct joint *joint) { return joint->ends[came_by_uplink(joint)].end; }

struct end joint_server(const struct joint *joint) { return joint->ends[!came_by_uplink(joint)].end; }

/* The stream from here has no more bytes now: -EAGAIN; or ever: 0; or it failed. */
static enum joint_news nothing_came(struct joint_end *end, ssize_t why)
{
    if (why == -EAGAIN)
        return JOINT_WAITS;
    if (why < 0) {
        doom(end);
        return JOINT_FAILED;
    }
    end_finish(other_end(end)->end);
    end->ended = true;
    return JOINT_ENDED;
}

/* What the other end took of `offered` bytes, or why it took none. HAWSER_WRITABLE tells when it takes more. */
static enum joint_news was_taken(struct joint_end *end, ssize_t taken, size_t offered)
{
    if (taken < 0 && taken != -EAGAIN && taken != -ENOBUFS) {
        doom(other_end(end));
        return JOINT_FAILED;
    }
    size_t n = taken > 0 ? (size_t)taken : 0;
    end->bytes += n;
    joint_of(end)->joints->bytes[end->second] += n;
    end->credit -= (int32_t)n;
    end->shut = n < offered;
    return end->shut ? JOINT_WAITS : JOINT_GOES_ON;
}

static enum joint_news pass_held(struct joint_end *end)
{
    struct hawser_slice *held = end->held;
    uint32_t offered = held->len;
    ssize_t n = end_give(other_end(end)->end, *held);
    if (n > 0) {
        held->data += n;
        held->len -= (uint32_t)n;
    }
    if (held->len == 0)
        let_go(end);
    return was_taken(end, n, offered);
}

/* Bytes stay with the end that received them until the other one has copied them. */
static enum joint_news pass_copy(struct joint_end *end)
{
    struct hawser_part parts[JOINT_PARTS];
    ssize_t count = end_peek(end->end, parts, JOINT_PARTS);
    if (count <= 0)
        return nothing_came(end, count);
    size_t passed = 0;
    enum joint_news news = JOINT_GOES_ON;
    for (ssize_t i = 0; i < count && news == JOINT_GOES_ON && (int64_t)passed <= JOINT_TURN_BYTES; i++) {
        const struct hawser_slice part = {.data = parts[i].data, .len = (uint32_t)parts[i].len};
        ssize_t n = end_give(other_end(end)->end, part);
        passed += n > 0 ? (size_t)n : 0;
        news = was_taken(end, n, part.len);
    }
    end_consume(end->end, passed);
    joint_of(end)->joints->copied_bytes += passed;
    return news;
}

/* May a slice more be held? */
static bool may_hold(struct joints *joints)
{
    if (!joints->spare)
        joints->spare = malloc(sizeof *joints->spare);
    return joints->spare && joints->held_bytes < joints->held_max;
}

static enum joint_news pass_slice(struct joint_end *end)
{
    struct joints *joints = joint_of(end)->joints;
    struct hawser_slice slice;
    ssize_t n = end_take(end->end, &slice);
    if (n == -ENOBUFS)
        return pass_copy(end);
    if (n <= 0)
        return nothing_came(end, n);
    uint32_t offered = slice.len;
    n = end_give(other_end(end)->end, slice);
    uint32_t taken = n > 0 ? (uint32_t)n : 0;
    if (taken == offered) {
        hawser_buf_unref(slice.buf);
    } else {
        end->held = joints->spare;
        joints->spare = NULL;
        *end->held = (struct hawser_slice){slice.buf, slice.data + taken, offered - taken};
        joints->held_bytes += hawser_buf_capacity(slice.buf);
    }
    return was_taken(end, n, offered);
}

static enum joint_news pass_some(struct joint_end *end)
{
    if (!end_connected(other_end(end)->end))
        return JOINT_WAITS;
    if (end->held)
        return pass_held(end);
    return may_hold(joint_of(end)->joints) ? pass_slice(end) : pass_copy(end);
}

static void move(struct joint_end *end)
{
    struct joint *joint = joint_of(end);
    enum joint_news news = JOINT_GOES_ON;
    end->credit += JOINT_TURN_BYTES;
    while (news == JOINT_GOES_ON && end->credit > 0)
        news = pass_some(end);
    if (news == JOINT_ENDED && other_end(end)->ended)
        close_both(joint);
    else if (news == JOINT_GOES_ON)
        list_push_back(&joint->joints->turns, &end->turn);
    else
        end->credit = HW_MIN(end->credit, 0); /* who waits saves up nothing */
}

/* What they had passed on in the turn before has left since. */
static void bury_doomed(struct joints *joints)
{
    LIST_EACH (it, &joints->doomed) {
        struct joint_end *end = LIST_ENTRY(it, struct joint_end, turn);
        if (end->had_turn)
            break_off(joint_of(end));
        else
            end->had_turn = true;
    }
}

bool joints_turn(struct joints *joints)
{
    bury_doomed(joints);
    for (unsigned turns = JOINTS_TURN_BYTES / JOINT_TURN_BYTES; turns && !list_empty(&joints->turns); turns--) {
        struct joint_end *end = LIST_ENTRY(list_first(&joints->turns), struct joint_end, turn);
        list_remove(&end->turn);
        move(end);
    }
    return !list_empty(&joints->turns) || !list_empty(&joints->doomed);
}

/* -1: it is no connection of the stack, or no packet of it goes by any link any more. */
static int end_link(struct end end)
{
    struct hawser_subflow_info first = {.size = sizeof first};
    struct hawser_conn *conn = end_conn(end);
    return conn && hawser_subflow_get_info(conn, 0, &first) == 0 ? first.link : -1;
}

static bool has_finished(struct end end)
{
    struct hawser_conn *conn = end_conn(end);
    return conn && (hawser_conn_ready(conn) & HAWSER_PEER_FINISHED);
}

static void bereave(struct joint *joint)
{
    struct joint_end *gone = &joint->ends[0], *left = &joint->ends[1];
    if (gone->ended) {
        end_abort(gone->end);
        end_close(left->end);
        forget(joint);
    } else if (has_finished(gone->end) && !is_doomed(joint)) {
        left->ended = true; /* nobody hears it */
        list_remove(&left->turn);
        let_go(left);
        take_turn(gone);
    } else {
        break_off(joint);
    }
}

void joints_bereave(struct joints *joints, const struct hawser_addr *addr)
{
    LIST_EACH (it, &joints->all) {
        struct joint *joint = LIST_ENTRY(it, struct joint, link);
        struct hawser_addr peer;
        end_peer(joint->ends[0].end, &peer);
        if (hawser_addr_same_ip(&peer, addr))
            bereave(joint);
    }
}

void joints_break_link(struct joints *joints, int link)
{
    LIST_EACH (it, &joints->all) {
        struct joint *joint = LIST_ENTRY(it, struct joint, link);
        if (end_link(joint->ends[0].end) == link)
            break_off(joint);
    }
}

void joints_walk_begin(struct joints *joints, struct joints_walk *walk)
{
    walk->all = &joints->all;
    walk->at = joints->all.next;
    walk->last = joints->made;
    list_push_back(&joints->walks, &walk->link);
}

struct joint *joints_walk_at(const struct joints_walk *walk)
{
    struct joint *at = walk->at == walk->all ? NULL : LIST_ENTRY(walk->at, struct joint, link);
    return at && at->id <= walk->last ? at : NULL;
}

void joints_walk_on(struct joints_walk *walk)
{
    if (walk->at != walk->all)
        walk->at = walk->at->next;
}

void joints_walk_end(struct joints_walk *walk) { list_remove(&walk->link); }

void joints_break(struct joints *joints)
{
    LIST_EACH (it, &joints->all)
        break_off(LIST_ENTRY(it, struct joint, link));
    free(joints->spare);
    joints->spare = NULL;
}
