/* hawser lab: emulated paths between two ends, one verified transfer, and nothing left behind. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "lab/options.h"
#include "lab/report.h"
#include "lab/run.h"
#include "lab/view.h"

static int no_memory(void)
{
    fprintf(stderr, "hawser lab: no memory: free some and try again\n");
    return EXIT_FAILURE;
}

int lab_main(int argc, char **argv)
{
    struct lab_options options;
    int status = options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    struct run *run = run_new();
    if (!run)
        return no_memory();
    struct view view;
    struct report report;
    view_init(&view, &options);
    enum run_end end = run_execute(run, &options, view_draw, &view);
    if (end == RUN_REFUSED && options.fallback && options.path_count) {
        fprintf(stderr, "hawser lab: %s\nhawser lab: so both ends are Hawser, in one process, on the same paths\n",
                run->why);
        options.in_process = true;
        options.commands[LAB_CLIENT] = options.commands[LAB_SERVER] = NULL;
        options.ends[LAB_CLIENT].stack = options.ends[LAB_SERVER].stack = LAB_HAWSER;
        run_free(run);
        run = run_new();
        if (!run)
            return no_memory();
        end = run_execute(run, &options, view_draw, &view);
    }
    report_make(&report, run, &options, end);
    if (options.json)
        report_json(&report, run, &options);
    else
        report_words(&report, run, &options);
    run_free(run);
    return report.error[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}
