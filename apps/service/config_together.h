/* What no table of the configuration tells alone: tables that do not fit together. */
#ifndef HW_APPS_SERVICE_CONFIG_TOGETHER_H
#define HW_APPS_SERVICE_CONFIG_TOGETHER_H

#include "toml/reader.h"

/* Of a configuration (`r->of`) whose tables were all read from `tree`, each right alone. */
bool config_check_together(struct reader *r, const struct toml_node *tree);

#endif
