/* SPDX-License-Identifier: MIT
 *
 * datagrams.h - myriad connect to udp: and unixgram:, where each line is a datagram and so is each answer. */
#ifndef CLI_DATAGRAMS_H
#define CLI_DATAGRAMS_H

#include <stdbool.h>

#include "cli/talk.h"

bool datagrams_meant(const char *endpoint);
int  datagrams_run  (const struct talk *);      /* the exit status; per_message has no meaning here */

#endif
