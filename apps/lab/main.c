/* hawser lab: emulated paths between two ends, one verified transfer, and nothing left behind. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "lab/options.h"
#include "lab/report.h"
#include "lab/run.h"
#include "lab/view.h"

int lab_main(int argc, char **argv)
{
    struct lab_options options;
    int status = options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    struct run *run = run_new();
    if (!run) {
        fprintf(stderr, "hawser lab: no memory: free some and try again\n");
        return EXIT_FAILURE;
    }
    struct view view;
    struct report report;
    view_init(&view, &options);
    enum run_end end = run_execute(run, &options, view_draw, &view);
    report_make(&report, run, &options, end);
    if (options.json)
        report_json(&report, run, &options);
    else
        report_words(&report, run, &options);
    run_free(run);
    return report.whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
