/* Ways of programs with their connections: by reference what others copy, and options that change in mid-stream. */
#ifndef HW_SIM_HABITS_H
#define HW_SIM_HABITS_H

#include <hawser/socket.h>

#include "sim/pattern.h"

/* As hawser_send(), by reference to bytes that are spoilt when they are released. */
ssize_t habit_send(struct hawser_conn *conn, const uint8_t *bytes, size_t len);

#define HABIT_KEPT_MAX 16

/* Slices that a program took and did not give back yet. */
struct habit_kept {
    struct hawser_slice slices[HABIT_KEPT_MAX]; /* a ring */
    uint64_t at[HABIT_KEPT_MAX];                /* where in the stream they were */
    unsigned first, count;
};

/* One more, in place of the oldest when there are too many. False: that was not any more what it had been. */
bool habit_keep(struct habit_kept *kept, struct hawser_slice slice, uint64_t at, const struct pattern *pattern,
                uint64_t stream);
/* Gives back all; false likewise. */
bool habit_give_back(struct habit_kept *kept, const struct pattern *pattern, uint64_t stream);

/* Changes an option of the connection, another one for each number. */
void habit_tinker(struct hawser_conn *conn, uint64_t number);

/* Makes a subflow a backup or a regular one, another one for each number. */
void habit_prioritise(struct hawser_conn *conn, uint64_t number);

#endif
