#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "commands.h"
#include "lab/values.h"

enum {
    OPTION_PATH = 256,
    OPTION_CLIENT,
    OPTION_SERVER,
    OPTION_DIRECTION,
    OPTION_HOMES,
    OPTION_BYTES,
    OPTION_TIME,
    OPTION_TIMEOUT,
    OPTION_CUT,
    OPTION_IPV6,
    OPTION_TCP,
    OPTION_CLIENT_TCP,
    OPTION_SERVER_TCP,
    OPTION_CC,
    OPTION_SEED,
    OPTION_PCAP,
    OPTION_JSON,
    OPTION_DIRECT,
    OPTION_IN_PROCESS,
    OPTION_FALLBACK,
    OPTION_NO_VERIFY,
    OPTION_ZERO_COPY,
    OPTION_CHECKSUM,
    OPTION_CLIENT_COMMAND,
    OPTION_SERVER_COMMAND,
};

enum { GO_ON = -1 };

/* Enough for the largest packet rates; what a slow, long path holds is bounded by its queue. */
enum { PATH_PACKET_LIMIT = 1 << 16 };

#define PATH_RATE_MIN_BPS UINT64_C(1000)
#define PATH_RATE_MAX_BPS UINT64_C(100000000000)
#define PATH_DELAY_MAX_NS (60 * NS_PER_S)
#define PATH_QUEUE_MAX_BYTES UINT64_C(1000000000)
#define DEFAULT_TIME_NS (10 * NS_PER_S)
#define COMMANDS_TIMEOUT_NS (3600 * NS_PER_S)
#define TIME_MAX_S UINT64_C(86400)
#define TIME_MAX_NS (TIME_MAX_S * NS_PER_S)
#define BYTES_MAX UINT64_C(1000000000000000)

static const char usage[] =
    "usage: hawser lab --path rate=50mbit,delay=10ms,queue=128k[,...] [--path ...]... [OPTION]...\n"
    "\n"
    "Moves one verified stream between a client and a server over emulated paths, in network namespaces of its own\n"
    "that vanish with it. Exits 0 only when every byte arrived and was right.\n"
    "Or runs commands of yours at both ends of the paths, and exits 0 only when the client's did.\n"
    "\n"
    "  --path WORDS          a path; the words are\n"
    "                          rate=50mbit    of IP packets, each way (required)\n"
    "                          delay=10ms     one way (default 0)\n"
    "                          queue=128k     drop-tail, bytes (default 128k)\n"
    "                          loss=1%        lost on the wire\n"
    "                          jitter=2ms     up to this much more delay, at random, so that packets overtake\n"
    "                          reorder=1%     held back so that later ones overtake\n"
    "  --direct              no emulated path: as fast as this machine can\n"
    "  --in-process          both ends are Hawser, in one process, on emulated paths: needs no privilege\n"
    "  --fallback            like --in-process, but only where namespaces or TUN devices are refused\n"
    "  --client hawser|kernel, --server hawser|kernel      default hawser and kernel\n"
    "  --direction up|down   up: the client sends (default); down: the server sends\n"
    "  --homes client|server the end with an address per path; the other has one (default client)\n"
    "  --bytes N[k|m|g]      length of the stream, or\n"
    "  --time SECONDS        how long to send (default 10)\n"
    "  --cut PATH@FROM[-TO]  the path carries nothing between these seconds; the first path is 0; repeatable\n"
    "  --client-command CMD, --server-command CMD          instead of the stream: the server's is started first, and "
    "what\n"
    "                        it started is killed once the client's ends. Each path is a device with an address (at\n"
    "                        --homes) and a default route. $HAWSER_LAB_CLIENT and $HAWSER_LAB_SERVER are the "
    "addresses\n"
    "  --ipv6                IPv6 instead of IPv4\n"
    "  --tcp                 plain TCP at both ends; --client-tcp, --server-tcp at one\n"
    "  --checksum            the ends ask for DSS checksums\n"
    "  --cc NAME             congestion control of both ends (default cubic)\n"
    "  --seed N              of losses, jitter and the stream; the same seed repeats them\n"
    "  --pcap DIR            captures of what enters and leaves the network, per path and end\n"
    "  --timeout SECONDS     give up after this long (default: generous)\n"
    "  --zero-copy           a Hawser end sends from where the bytes lie and keeps what arrives, instead of copying\n"
    "  --no-verify           only count the bytes: for measuring speed\n"
    "  --json                one JSON object instead of the live view\n"
    "\n"
    "example: hawser lab --path rate=50mbit,delay=10ms,queue=128k --path rate=20mbit,delay=30ms --cut 1@3-6\n";

#define usage_error(...) command_misused("lab", __VA_ARGS__)

/* Reads one word of --path into `config`. */
static int read_path_word(struct impair_config *config, const char *name, const char *value)
{
    if (strcmp(name, "rate") == 0) {
        if (!value_rate(value, &config->rate_bps) || config->rate_bps < PATH_RATE_MIN_BPS ||
            config->rate_bps > PATH_RATE_MAX_BPS)
            return usage_error("rate \"%s\": write it like 50mbit (1kbit to 100gbit)", value);
    } else if (strcmp(name, "delay") == 0) {
        if (!value_duration(value, &config->delay_ns) || config->delay_ns > PATH_DELAY_MAX_NS)
            return usage_error("delay \"%s\": write it like 10ms (at most 60s)", value);
    } else if (strcmp(name, "jitter") == 0) {
        if (!value_duration(value, &config->jitter_ns) || config->jitter_ns > PATH_DELAY_MAX_NS)
            return usage_error("jitter \"%s\": write it like 2ms (at most 60s)", value);
    } else if (strcmp(name, "queue") == 0) {
        if (!value_bytes(value, &config->queue_bytes) || config->queue_bytes < LAB_MTU ||
            config->queue_bytes > PATH_QUEUE_MAX_BYTES)
            return usage_error("queue \"%s\": write it like 128k (1500 bytes to 1g)", value);
    } else if (strcmp(name, "loss") == 0) {
        if (!value_percent(value, &config->loss_ppm))
            return usage_error("loss \"%s\": write it like 1%% (at most 100%%)", value);
    } else if (strcmp(name, "reorder") == 0) {
        if (!value_percent(value, &config->reorder_ppm))
            return usage_error("reorder \"%s\": write it like 1%% (at most 100%%)", value);
    } else {
        return usage_error("path: no word \"%s\" (rate, delay, queue, loss, jitter, reorder)", name);
    }
    return GO_ON;
}

static int read_path(struct lab_options *o, const char *text)
{
    if (o->path_count == LAB_PATHS)
        return usage_error("more than %d paths", LAB_PATHS);
    struct lab_path *path = &o->paths[o->path_count++];
    char copy[256], seen[256] = ",";
    path->config = (struct impair_config){.queue_bytes = 128000, .packet_limit = PATH_PACKET_LIMIT};
    if (strlen(text) >= sizeof(copy))
        return usage_error("path \"%.40s...\" is too long", text);
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(word, '=');
        if (!value)
            return usage_error("path \"%s\": write words like rate=50mbit,delay=10ms,queue=128k", text);
        *value++ = '\0';
        char mark[64];
        snprintf(mark, sizeof(mark), ",%.60s,", word);
        if (strstr(seen, mark))
            return usage_error("path \"%s\": %s is said twice", text, word);
        int status = read_path_word(&path->config, word, value);
        if (status != GO_ON)
            return status;
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof(seen) - used, "%s", mark + 1);
    }
    return path->config.rate_bps ? GO_ON : usage_error("path \"%s\" has no rate: add rate=50mbit", text);
}

/* PATH@FROM[-TO]; whether there is such a path is known at the end only. */
static int read_cut(struct lab_options *o, const char *text, uint64_t *highest)
{
    char copy[64];
    uint64_t path;
    struct lab_cut cut = {.until_ns = UINT64_MAX};
    const char *shape = "write it like 0@3 or 0@3-6, path and seconds";
    if (strlen(text) >= sizeof(copy))
        return usage_error("cut \"%.40s...\": %s", text, shape);
    snprintf(copy, sizeof(copy), "%s", text);
    char *from = strchr(copy, '@');
    if (!from)
        return usage_error("cut \"%s\": %s", text, shape);
    *from++ = '\0';
    char *until = strchr(from, '-');
    if (until)
        *until++ = '\0';
    if (!value_number(copy, &path) || !value_seconds(from, &cut.from_ns) ||
        (until && !value_seconds(until, &cut.until_ns)))
        return usage_error("cut \"%s\": %s", text, shape);
    if (cut.until_ns <= cut.from_ns)
        return usage_error("cut \"%s\" ends before it begins", text);
    if (path >= LAB_PATHS)
        return usage_error("cut \"%s\": there is no path %s (the first is 0)", text, copy);
    if (o->paths[path].cut_count == LAB_CUTS)
        return usage_error("more than %d cuts of path %s", LAB_CUTS, copy);
    o->paths[path].cuts[o->paths[path].cut_count++] = cut;
    if (path + 1 > *highest)
        *highest = path + 1;
    return GO_ON;
}

static int read_choice(const char *option, const char *value, const char *zero, const char *one, unsigned *out)
{
    if (strcmp(value, zero) != 0 && strcmp(value, one) != 0)
        return usage_error("%s \"%s\": %s or %s", option, value, zero, one);
    *out = strcmp(value, one) == 0;
    return GO_ON;
}

static int read_number_option(struct lab_options *o, int option, const char *value)
{
    switch (option) {
    case OPTION_BYTES:
        if (!value_bytes(value, &o->bytes) || o->bytes == 0 || o->bytes > BYTES_MAX)
            return usage_error("--bytes \"%s\": write it like 32m (k, m, g)", value);
        return GO_ON;
    case OPTION_TIME:
        if (!value_seconds(value, &o->time_ns) || o->time_ns == 0 || o->time_ns > TIME_MAX_NS)
            return usage_error("--time \"%s\": seconds, more than 0, like 10", value);
        return GO_ON;
    case OPTION_TIMEOUT:
        if (!value_seconds(value, &o->timeout_ns) || o->timeout_ns == 0 || o->timeout_ns > TIME_MAX_NS)
            return usage_error("--timeout \"%s\": seconds, more than 0, like 60", value);
        return GO_ON;
    default:
        return value_number(value, &o->seed) ? GO_ON : usage_error("--seed \"%s\": a number", value);
    }
}

static int read_choice_option(struct lab_options *o, int option, const char *value)
{
    unsigned choice = 0;
    int status;
    switch (option) {
    case OPTION_CLIENT:
        status = read_choice("--client", value, "hawser", "kernel", &choice);
        o->ends[LAB_CLIENT].stack = choice ? LAB_KERNEL : LAB_HAWSER;
        return status;
    case OPTION_SERVER:
        status = read_choice("--server", value, "hawser", "kernel", &choice);
        o->ends[LAB_SERVER].stack = choice ? LAB_KERNEL : LAB_HAWSER;
        return status;
    case OPTION_DIRECTION:
        status = read_choice("--direction", value, "up", "down", &choice);
        o->sender = choice ? LAB_SERVER : LAB_CLIENT;
        return status;
    default:
        status = read_choice("--homes", value, "client", "server", &choice);
        o->homes = choice ? LAB_SERVER : LAB_CLIENT;
        return status;
    }
}

static int read_flag(struct lab_options *o, int option)
{
    switch (option) {
    case OPTION_IPV6:
        o->ipv6 = true;
        break;
    case OPTION_TCP:
        o->ends[LAB_CLIENT].tcp = o->ends[LAB_SERVER].tcp = true;
        break;
    case OPTION_CLIENT_TCP:
        o->ends[LAB_CLIENT].tcp = true;
        break;
    case OPTION_SERVER_TCP:
        o->ends[LAB_SERVER].tcp = true;
        break;
    case OPTION_JSON:
        o->json = true;
        break;
    case OPTION_DIRECT:
        o->direct = true;
        break;
    case OPTION_IN_PROCESS:
        o->in_process = true;
        break;
    case OPTION_FALLBACK:
        o->fallback = true;
        break;
    case OPTION_CHECKSUM:
        o->checksum = true;
        break;
    case OPTION_ZERO_COPY:
        o->zero_copy = true;
        break;
    default:
        o->no_verify = true;
        break;
    }
    return GO_ON;
}

static int read_cc(struct lab_options *o, const char *name)
{
    if (name[0] == '\0' || strlen(name) >= LAB_CC_SIZE)
        return usage_error("--cc \"%s\": a name like cubic", name);
    snprintf(o->cc, sizeof(o->cc), "%s", name);
    return GO_ON;
}

static int read_command(struct lab_options *o, enum lab_side side, const char *command)
{
    if (!command[0])
        return usage_error("--%s-command: a line for the shell, like 'curl ...'", lab_side_name(side));
    o->commands[side] = command;
    o->ends[side].stack = LAB_KERNEL;
    return GO_ON;
}

static int read_option(struct lab_options *o, int option, uint64_t *cut_paths, char **argv)
{
    switch (option) {
    case OPTION_PATH:
        return read_path(o, optarg);
    case OPTION_CUT:
        return read_cut(o, optarg, cut_paths);
    case OPTION_CLIENT:
    case OPTION_SERVER:
    case OPTION_DIRECTION:
    case OPTION_HOMES:
        return read_choice_option(o, option, optarg);
    case OPTION_BYTES:
    case OPTION_TIME:
    case OPTION_TIMEOUT:
    case OPTION_SEED:
        return read_number_option(o, option, optarg);
    case OPTION_CC:
        return read_cc(o, optarg);
    case OPTION_PCAP:
        o->pcap_dir = optarg;
        return GO_ON;
    case OPTION_CLIENT_COMMAND:
        return read_command(o, LAB_CLIENT, optarg);
    case OPTION_SERVER_COMMAND:
        return read_command(o, LAB_SERVER, optarg);
    case 'h':
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    case ':':
        return usage_error("%s needs a value", argv[optind - 1]);
    case '?':
        return usage_error("unknown option in \"%s\"", argv[optind - 1]);
    default:
        return read_flag(o, option);
    }
}

static int check_commands(const struct lab_options *o)
{
    if (!o->commands[LAB_CLIENT] && !o->commands[LAB_SERVER])
        return GO_ON;
    if (!o->commands[LAB_CLIENT] || !o->commands[LAB_SERVER])
        return usage_error("--client-command and --server-command go together");
    if (o->direct || o->in_process)
        return usage_error("commands run over paths, in namespaces: leave out --direct and --in-process");
    if (o->ends[LAB_CLIENT].stack == LAB_HAWSER || o->ends[LAB_SERVER].stack == LAB_HAWSER)
        return usage_error("--client and --server say who streams: leave them out beside commands");
    if ((o->bytes || o->time_ns) && !o->fallback)
        return usage_error("--bytes and --time are of a stream, commands have none: leave them out, or add --fallback");
    return GO_ON;
}

static int check_together(struct lab_options *o, uint64_t cut_paths)
{
    int status = check_commands(o);
    if (status != GO_ON)
        return status;
    bool hawser = o->ends[LAB_CLIENT].stack == LAB_HAWSER || o->ends[LAB_SERVER].stack == LAB_HAWSER;
    if (o->direct && o->path_count)
        return usage_error("--direct has no paths: leave out --path, or --direct");
    if (o->direct && o->in_process)
        return usage_error("--direct and --in-process exclude each other");
    if (!o->direct && !o->path_count)
        return usage_error("no path: add --path rate=50mbit,delay=10ms,queue=128k, or --direct");
    if (cut_paths > o->path_count)
        return usage_error("--cut of path %" PRIu64 ", but the last path is %d", cut_paths - 1, (int)o->path_count - 1);
    if (o->bytes && o->time_ns)
        return usage_error("--bytes and --time exclude each other");
    if (o->in_process && (o->ends[LAB_CLIENT].stack == LAB_KERNEL || o->ends[LAB_SERVER].stack == LAB_KERNEL))
        return usage_error("--in-process has Hawser at both ends: add --client hawser --server hawser");
    if (hawser && !hawser_congestion_find(o->cc))
        return usage_error("--cc \"%s\": Hawser has cubic, reno and bbr", o->cc);
    if (o->direct && o->pcap_dir)
        return usage_error("--direct has no captures: leave out --pcap");
    return GO_ON;
}

/* What the slowest way through would take, several times over. */
static uint64_t default_timeout_ns(const struct lab_options *o)
{
    uint64_t slowest_bps = UINT64_C(1000000000), longest_ns = 0;
    for (unsigned i = 0; i < o->path_count; i++) {
        slowest_bps = o->paths[i].config.rate_bps < slowest_bps ? o->paths[i].config.rate_bps : slowest_bps;
        for (unsigned c = 0; c < o->paths[i].cut_count; c++) {
            uint64_t until_ns = o->paths[i].cuts[c].until_ns;
            longest_ns = until_ns != UINT64_MAX && until_ns > longest_ns ? until_ns : longest_ns;
        }
    }
    double seconds = o->bytes ? 10.0 * 8.0 * (double)o->bytes / (double)slowest_bps : 4.0 * (double)o->time_ns / 1e9;
    return 60 * NS_PER_S + HW_MIN(longest_ns, TIME_MAX_NS) + (uint64_t)(HW_MIN(seconds, (double)TIME_MAX_S) * 1e9);
}

static const struct option long_options[] = {
    {"path", required_argument, NULL, OPTION_PATH},
    {"client", required_argument, NULL, OPTION_CLIENT},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"direction", required_argument, NULL, OPTION_DIRECTION},
    {"homes", required_argument, NULL, OPTION_HOMES},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"time", required_argument, NULL, OPTION_TIME},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"cut", required_argument, NULL, OPTION_CUT},
    {"ipv6", no_argument, NULL, OPTION_IPV6},
    {"tcp", no_argument, NULL, OPTION_TCP},
    {"client-tcp", no_argument, NULL, OPTION_CLIENT_TCP},
    {"server-tcp", no_argument, NULL, OPTION_SERVER_TCP},
    {"cc", required_argument, NULL, OPTION_CC},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"pcap", required_argument, NULL, OPTION_PCAP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"direct", no_argument, NULL, OPTION_DIRECT},
    {"in-process", no_argument, NULL, OPTION_IN_PROCESS},
    {"fallback", no_argument, NULL, OPTION_FALLBACK},
    {"zero-copy", no_argument, NULL, OPTION_ZERO_COPY},
    {"no-verify", no_argument, NULL, OPTION_NO_VERIFY},
    {"checksum", no_argument, NULL, OPTION_CHECKSUM},
    {"client-command", required_argument, NULL, OPTION_CLIENT_COMMAND},
    {"server-command", required_argument, NULL, OPTION_SERVER_COMMAND},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

int options_read(struct lab_options *o, int argc, char **argv)
{
    uint64_t cut_paths = 0;
    int option;
    *o = (struct lab_options){.ends = {{.stack = LAB_HAWSER}, {.stack = LAB_KERNEL}}, .cc = "cubic", .seed = 1};
    bool server_said = false;
    while ((option = command_next_option(argc, argv, ":h", long_options)) != -1) {
        int status = read_option(o, option, &cut_paths, argv);
        if (status != GO_ON)
            return status;
        server_said |= option == OPTION_SERVER;
    }
    if (optind < argc)
        return usage_error("what is \"%s\"?", argv[optind]);
    if (o->in_process && !server_said)
        o->ends[LAB_SERVER].stack = LAB_HAWSER;
    int status = check_together(o, cut_paths);
    if (status != GO_ON)
        return status;
    if (!o->bytes && !o->time_ns)
        o->time_ns = DEFAULT_TIME_NS;
    if (!o->timeout_ns)
        o->timeout_ns = lab_has_commands(o) ? COMMANDS_TIMEOUT_NS : default_timeout_ns(o);
    return GO_ON;
}
