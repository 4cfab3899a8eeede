/* What `hawser nc -v` tells at its end: the connection, its subflows, every counter that is not zero. */
#ifndef HW_APPS_NC_REPORT_H
#define HW_APPS_NC_REPORT_H

#include <stdio.h>

#include <hawser/hawser.h>

enum { NC_REPORT_SUBFLOWS = 32 };

/* The last that was seen of each subflow, for they are gone when the connection is. */
struct nc_report {
    bool have_conn;
    struct hawser_conn_info conn;
    struct hawser_subflow_info subflows[NC_REPORT_SUBFLOWS];
    size_t count;
};

/* Notes how the connection stands now. */
void nc_report_note(struct nc_report *report, const struct hawser_conn *conn);

void nc_report_print(const struct nc_report *report, struct hawser_host *host, FILE *out);

#endif
