#include "view.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"

/* The frame is what a line has beside the bar and the figures. */
enum { VIEW_BAR_MAX = 40, VIEW_COLUMNS = 80, VIEW_FRAME = sizeof("  path 0 [] ") - 1 };

void view_init(struct view *v, const struct lab_options *o)
{
    *v = (struct view){.options = o, .active = !o->json && isatty(STDOUT_FILENO)};
}

/* Of the terminal; a line that is longer would wrap, and the next picture not cover this one. */
static int columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : VIEW_COLUMNS;
}

static void draw_line(const char *text) { printf("\r\033[K%.*s\n", columns() - 1, text); }

/* The bar takes what the figures leave of the line. */
static void draw_path(const struct view *v, const struct run *run, unsigned path, double mbps)
{
    const struct lab_lane *lane = &run->shared.lanes[path][v->options->sender];
    double rate_mbps = (double)v->options->paths[path].config.rate_bps / 1e6;
    bool down = atomic_load_explicit(&run->shared.path_down[path], memory_order_relaxed);
    char figures[96], bar[VIEW_BAR_MAX + 1], line[256];
    snprintf(figures, sizeof(figures), "%6.1f of %4g Mbit/s, queue %4.0f kB  %s", mbps, rate_mbps,
             (double)lab_get(&lane->queue_bytes) / 1e3, down ? "CUT" : "   ");
    int room = columns() - 1 - VIEW_FRAME - (int)strlen(figures);
    room = HW_MIN(HW_MAX(room, 0), VIEW_BAR_MAX);
    int filled = (int)(mbps / rate_mbps * room + 0.5);
    filled = HW_MIN(HW_MAX(filled, 0), room);
    memset(bar, '.', sizeof(bar));
    memset(bar, '#', (size_t)filled);
    bar[room] = '\0';
    snprintf(line, sizeof(line), "  path %u [%s] %s", path, bar, figures);
    draw_line(line);
}

static uint64_t received(const struct run *run, const struct lab_options *o)
{
    return lab_get(lab_has_commands(o) ? &run->shared.payload[o->sender].bytes : &run->shared.ends[!o->sender].bytes);
}

void view_draw(void *ctx, const struct run *run, uint64_t now_ns)
{
    struct view *v = ctx;
    const struct lab_options *o = v->options;
    uint64_t start_ns = lab_get(&run->shared.start_ns), total = received(run, o);
    if (!v->active || start_ns == 0 || now_ns - v->last_ns < 90000000)
        return;
    double elapsed_ns = (double)(now_ns - v->last_ns);
    bool measured = v->last_ns != 0;
    if (v->drawn)
        printf("\033[%uA", o->path_count + 1);
    for (unsigned path = 0; path < o->path_count; path++) {
        uint64_t bytes = lab_get(&run->shared.lanes[path][o->sender].bytes);
        draw_path(v, run, path, measured ? (double)(bytes - v->last_bytes[path]) * 8000 / elapsed_ns : 0);
        v->last_bytes[path] = bytes;
    }
    char line[128];
    snprintf(line, sizeof(line), "  %5.1f s  %8.1f MB received, %6.1f Mbit/s", (double)(now_ns - start_ns) / 1e9,
             (double)total / 1e6, measured ? (double)(total - v->last_total) * 8000 / elapsed_ns : 0);
    draw_line(line);
    fflush(stdout);
    v->drawn = true;
    v->last_total = total;
    v->last_ns = now_ns;
}
