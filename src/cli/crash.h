/* SPDX-License-Identifier: MIT
 *
 * crash.h - a server that ends because its application crashed, or called exit(), says so in the log. */
#ifndef CLI_CRASH_H
#define CLI_CRASH_H

/* From now on, in this process and those it forks; command: "myriad run".  The process still ends as it would have,
 * with its signal and its core file. */
void crash_watch(const char *command);
void crash_done(void);          /* what ends from here on ends on purpose */

#endif
