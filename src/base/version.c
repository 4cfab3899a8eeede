#include <hawser/version.h>

#define TEXT(number) #number
#define JOIN(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *hawser_version(void) { return JOIN(HAWSER_VERSION_MAJOR, HAWSER_VERSION_MINOR, HAWSER_VERSION_PATCH); }
