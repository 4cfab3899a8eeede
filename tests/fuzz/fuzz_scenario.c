/* Scenario files: read, and where they make sense, built and played for a moment. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/units.h"
#include "fuzz.h"
#include "sim/judges/judges.h"
#include "sim/reader.h"
#include "sim/stage.h"

enum { FLOWS_MAX = 200, WHY_SIZE = 1024 };

static void play(const struct scenario_file *file)
{
    struct scenario s = file->scenario; /* borrowed, but for what is shortened */
    struct stage *stage = malloc(sizeof *stage);
    CHECK(stage);
    s.duration_ns = HW_MIN(s.duration_ns, 30 * NS_PER_MS);
    s.heal_ns = 0;
    stage_init(stage, &s, file->seed);
    stage_watch(stage, judges_new());
    (void)stage_run(stage); /* rules are for the swarm: a file may ask for what breaks them */
    (void)stage_close(stage);
    stage_fini(stage);
    free(stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32], why[WHY_SIZE] = "";
    struct scenario_file file;
    int fd = memfd_create("scenario", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(size == 0 || write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool good = scenario_file_read(&file, path, NULL, 0, NULL, why, sizeof why);
    close(fd);
    if (good && file.scenario.flow_count <= FLOWS_MAX)
        play(&file);
    /* A complaint is one line that names the file. */
    CHECK(good || (strncmp(why, path, strlen(path)) == 0 && !strpbrk(why, "\n\r")));
    scenario_file_free(&file);
    return 0;
}
