/* The error of a dialer in words. */
#ifndef HW_APPS_SERVICE_DIAL_WORDS_H
#define HW_APPS_SERVICE_DIAL_WORDS_H

/* What was wrong, and what to do, of a negative errno; valid until the next call. */
const char *dial_words(int error);

#endif
