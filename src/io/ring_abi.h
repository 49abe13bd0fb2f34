/* SPDX-License-Identifier: MIT
 *
 * ring_abi.h - constants of the kernel's io_uring interface that are newer than the headers we build
 * with (linux/io_uring.h).  Whether a kernel knows them is found out by trying. */
#ifndef MYR_RING_ABI_H
#define MYR_RING_ABI_H

#define RING_PBUF_INC           2u              /* io_uring_buf_reg.flags (pad in old headers), 6.12 */
#define RING_CQE_F_BUF_MORE     (1u << 4)       /* more will come into this buffer, 6.12 */
#define RING_OP_FIXED_FD_INSTALL 54             /* a descriptor for a slot, 6.8 */

#endif
