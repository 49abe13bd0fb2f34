/* SPDX-License-Identifier: MIT
 *
 * exact.h - the tutorials' programs: what their editions have in common. */
#ifndef SERVICE_EXACT_H
#define SERVICE_EXACT_H

#define EXACT_RECV 1024                 /* their recv(1024); each such piece is printed and answered for itself */

/* The chapter on Twisted names no size: its framework reads so much at once. */
#define EXACT_TWISTED 65536

#endif
