/* The sections of the configuration that are about proxies (service/proxies.h). */
#ifndef HW_APPS_SERVICE_PROXY_SECTIONS_H
#define HW_APPS_SERVICE_PROXY_SECTIONS_H

#include "service/config.h"

extern const struct config_section config_proxy, config_upstream;

#endif
