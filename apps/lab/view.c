#include "view.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VIEW_BAR = 40 };

void view_init(struct view *v, const struct lab_options *o)
{
    *v = (struct view){.options = o, .active = !o->json && isatty(STDOUT_FILENO)};
}

static void draw_path(const struct view *v, const struct run *run, unsigned path, double mbps)
{
    const struct lab_lane *lane = &run->shared.lanes[path][v->options->sender];
    double rate_mbps = (double)v->options->paths[path].config.rate_bps / 1e6;
    int filled = (int)(mbps / rate_mbps * VIEW_BAR + 0.5);
    filled = filled < 0 ? 0 : filled > VIEW_BAR ? VIEW_BAR : filled;
    char bar[VIEW_BAR + 1];
    memset(bar, '.', VIEW_BAR);
    memset(bar, '#', (size_t)filled);
    bar[VIEW_BAR] = '\0';
    bool down = atomic_load_explicit(&run->shared.path_down[path], memory_order_relaxed);
    printf("\r\033[K  path %u [%s] %6.1f of %.0f Mbit/s, queue %4.0f kB%s\n", path, bar, mbps, rate_mbps,
           (double)lab_get(&lane->queue_bytes) / 1e3, down ? "  CUT" : "");
}

void view_draw(void *ctx, const struct run *run, uint64_t now_ns)
{
    struct view *v = ctx;
    const struct lab_options *o = v->options;
    uint64_t start_ns = lab_get(&run->shared.start_ns), total = lab_get(&run->shared.ends[!o->sender].bytes);
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
    printf("\r\033[K  %5.1f s  %8.1f MB received, %6.1f Mbit/s\n", (double)(now_ns - start_ns) / 1e9,
           (double)total / 1e6, measured ? (double)(total - v->last_total) * 8000 / elapsed_ns : 0);
    fflush(stdout);
    v->drawn = true;
    v->last_total = total;
    v->last_ns = now_ns;
}
