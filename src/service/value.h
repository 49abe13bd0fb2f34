/* SPDX-License-Identifier: MIT
 *
 * value.h - the values of a service's options, in build().
 *
 * Each returns 0 and the value, or -EINVAL after saying what is wrong. */
#ifndef SERVICE_VALUE_H
#define SERVICE_VALUE_H

#include <myriad.h>
#include <stdbool.h>
#include <stdint.h>

int value_switch(struct myr_server *, const char *name, bool *);
int value_ms    (struct myr_server *, const char *name, int *);         /* 500ms 5s 2m; 0 */
/* 1000, 64k, 16M, 1G */
int value_number(struct myr_server *, const char *name, uint64_t least, uint64_t most, uint64_t *);

#endif
