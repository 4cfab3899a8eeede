/* Which Hawser this is. */
#ifndef HAWSER_VERSION_H
#define HAWSER_VERSION_H

#include <hawser/env.h>

/* Of the headers that a program was compiled with. */
#define HAWSER_VERSION_MAJOR 0
#define HAWSER_VERSION_MINOR 1
#define HAWSER_VERSION_PATCH 0

/* As one number that grows with each version. */
#define HAWSER_VERSION (HAWSER_VERSION_MAJOR * 1000000 + HAWSER_VERSION_MINOR * 1000 + HAWSER_VERSION_PATCH)

/* Of the library that it runs with: "MAJOR.MINOR.PATCH". */
HAWSER_API const char *hawser_version(void);

#endif
