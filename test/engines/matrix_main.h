/* SPDX-License-Identifier: MIT
 *
 * matrix_main.h - what the program and its scripts share: the topics, and the server for all. */
#ifndef MATRIX_MAIN_H
#define MATRIX_MAIN_H

#include "engines/matrix.h"

#define N_TOPICS 8

extern const struct topic *const topics[N_TOPICS];

const char *main_address(const char *service);

#endif
