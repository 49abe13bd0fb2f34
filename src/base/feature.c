/* SPDX-License-Identifier: MIT
 *
 * feature.c - the words of MYRIAD_DISABLE. */
#include "base/feature.h"

#include <stdlib.h>
#include <string.h>

bool feature_is_off(const char *word)
{
	const char *list = getenv("MYRIAD_DISABLE");
	size_t n = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ", ");

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len + (list[len] != '\0');
	}
	return false;
}
