/* SPDX-License-Identifier: MIT
 *
 * app.c - what an application reads of its options.
 *
 * Who starts the application puts every option it has into the configuration, with the default where
 * nothing was asked for, so that a name that is not there is one that the application does not have. */
#include <string.h>

#include "serve/server.h"

const char *myr_app_value(struct myr_server *v, const char *option)
{
	size_t n = strlen(option);

	for (const char *const *value = v->config.values; value != NULL && *value != NULL; value++)
		if (strncmp(*value, option, n) == 0 && (*value)[n] == '=')
			return *value + n + 1;
	return NULL;
}
