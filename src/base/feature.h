/* SPDX-License-Identifier: MIT
 *
 * feature.h - features of the kernel that are switched off, so that what older kernels get can be
 * tested on newer ones: the words of the environment variable MYRIAD_DISABLE, between commas. */
#ifndef MYR_FEATURE_H
#define MYR_FEATURE_H

#include <stdbool.h>

bool feature_is_off(const char *word);

#endif
