/* What the program on the host does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

#define LISTENING_PORT 80
#define BACKLOG 4

static struct hawser_conn_options options_of(const struct facts *f)
{
    return (struct hawser_conn_options){.size = sizeof(struct hawser_conn_options),
                                        .no_mptcp = !f->refuses_mptcp,
                                        .nagle = f->nagle,
                                        .send_buffer_bytes = f->send_buffer,
                                        .recv_buffer_bytes = f->recv_buffer,
                                        .keepalive_idle_ns = f->keepalive_idle_ns,
                                        .keepalive_interval_ns = f->keepalive_interval_ns,
                                        .keepalive_tries = f->keepalive_tries,
                                        .user_timeout_ns = f->user_timeout_ns,
                                        .advertised_user_timeout_ns = f->told_user_timeout_ns};
}

static int64_t connect_host(struct stage *stage)
{
    const struct hawser_conn_options options = options_of(stage->facts);
    struct hawser_addr remote = stage->remote;
    return hawser_connect(stage->stack, &remote, &options, stage->now_ns, &stage->conn);
}

static int64_t listen_host(struct stage *stage)
{
    const struct hawser_conn_options options = options_of(stage->facts);
    const struct hawser_addr any = {.port = LISTENING_PORT};
    stage->local.port = LISTENING_PORT;
    return hawser_listen(stage->stack, &any, BACKLOG, &options, &stage->listener);
}

static int64_t send_bytes(struct stage *stage, uint32_t len)
{
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        return -1;
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = stage_byte(true, stage->sent_bytes + i);
    int64_t sent = hawser_send(stage->conn, bytes, len);
    if (sent > 0)
        stage->sent_bytes += (uint64_t)sent;
    free(bytes);
    return sent;
}

static int64_t recv_bytes(struct play *play, uint32_t len)
{
    struct stage *stage = play->stage;
    uint8_t bytes[4096];
    int64_t got = 0, n;
    do {
        uint32_t most = len ? len - (uint32_t)got : sizeof bytes;
        n = hawser_recv(stage->conn, bytes, most < sizeof bytes ? most : sizeof bytes);
        for (int64_t i = 0; i < n; i++)
            if (bytes[i] != stage_byte(false, stage->read_bytes + (uint64_t)i))
                play_wrong(play, "byte %" PRIu64 " is not what the peer sent", stage->read_bytes + (uint64_t)i);
        got += n > 0 ? n : 0;
        stage->read_bytes += (uint64_t)(n > 0 ? n : 0);
    } while (n > 0 && (len == 0 || got < len));
    return got ? got : n;
}

/* Of the connection, or where there is none, of listening. */
static void give_up(struct stage *stage, bool abort)
{
    if (!stage->conn) {
        hawser_listener_close(stage->listener);
        stage->listener = NULL;
    } else if (abort)
        hawser_abort(stage->conn);
    else
        hawser_close(stage->conn);
    stage->conn = NULL;
}

static int64_t act(struct play *play, enum deed deed, const struct call *call)
{
    struct stage *stage = play->stage;
    switch (deed) {
    case DEED_CONNECT:
        return connect_host(stage);
    case DEED_LISTEN:
        return listen_host(stage);
    case DEED_ACCEPT:
        return hawser_accept(stage->listener, &stage->conn);
    case DEED_SEND:
        return send_bytes(stage, call->len);
    case DEED_RECV:
        return recv_bytes(play, call->len);
    case DEED_SHUTDOWN:
        hawser_shutdown(stage->conn);
        return 0;
    case DEED_FINISH:
        hawser_finish(stage->conn);
        return 0;
    case DEED_SET:
        return hawser_conn_set(stage->conn, (enum hawser_option)call->option, call->value);
    default:
        give_up(stage, deed == DEED_ABORT);
        return 0;
    }
}

static void answer_text(int64_t answer, char *text, size_t size)
{
    if (answer < 0)
        snprintf(text, size, "%s", errno_text((int)-answer));
    else
        snprintf(text, size, "%" PRId64, answer);
}

static bool check_told(struct play *play, const struct call *call)
{
    uint32_t missing = call->events & ~play->stage->told;
    bool good = call->events ? !missing : !play->stage->told;
    if (!good)
        play_wrong(play, call->events ? "the program is not told of that" : "the program is told of something");
    play->stage->told = 0;
    return good;
}

static bool check_error(struct play *play, const struct call *call)
{
    int error = -hawser_conn_error(play->stage->conn);
    return error == call->error || play_wrong(play, "the error is %s", error ? errno_text(error) : "none");
}

static bool has_object(struct play *play, enum deed deed)
{
    if (deed == DEED_CONNECT || deed == DEED_LISTEN)
        return true;
    if (deed == DEED_ACCEPT || (deed == DEED_CLOSE && !play->stage->conn))
        return play->stage->listener || play_wrong(play, "the program does not listen");
    return play->stage->conn || play_wrong(play, "the program has no connection");
}

bool call_host(struct play *play, enum deed deed, const struct call *call)
{
    char is[48], ought[48];
    if (deed == DEED_TOLD)
        return check_told(play, call);
    if (!has_object(play, deed))
        return false;
    if (deed == DEED_ERROR)
        return check_error(play, call);
    int64_t ought_be = call->answered ? call->answer : call->len, answer = act(play, deed, call);
    stage_drain(play->stage);
    if (answer == ought_be)
        return !play->wrong[0];
    answer_text(answer, is, sizeof is);
    answer_text(ought_be, ought, sizeof ought);
    return play_wrong(play, "it returns %s, not %s", is, ought);
}
