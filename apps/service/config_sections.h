/* The sections of the configuration that are of the service as a whole. Others are declared by their parts. */
#ifndef HW_APPS_SERVICE_CONFIG_SECTIONS_H
#define HW_APPS_SERVICE_CONFIG_SECTIONS_H

#include "service/config.h"

extern const struct config_section config_top, config_uplinks, config_uplink, config_door, config_publish,
    config_programs;

#endif
