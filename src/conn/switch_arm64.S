/* SPDX-License-Identifier: MIT
 *
 * switch_arm64.S - swap two stacks: AAPCS64.
 *
 * The saved frame, 176 bytes, at the stack pointer that is remembered:
 *
 *	  0  x19 x20    16  x21 x22    32  x23 x24    48  x25 x26    64  x27 x28
 *	 80  x29 x30    96  d8 d9     112  d10 d11   128  d12 d13   144  d14 d15
 *	160  fpcr
 *
 * We leave by a return, unlike on amd64: a jump would need a landing pad behind every call where
 * branch targets are enforced.  So the file can be marked as fit for that, and is. */
#include "conn/switch.h"

#if SWITCH_ARM64

	.text

	/* bool switch_stacks(void **other, bool say) */
	.globl	switch_stacks
	.hidden	switch_stacks
	.type	switch_stacks, %function
	.p2align 4
switch_stacks:
	.cfi_startproc
	hint	#34			/* bti c */
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	mrs	x9, fpcr
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	str	x9, [sp, #160]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	ldr	x10, [x0]
	mov	x11, sp
	str	x11, [x0]
	mov	sp, x10
	ldr	x10, [sp, #160]
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	.cfi_restore x29
	.cfi_restore x30
	add	sp, sp, #176
	.cfi_adjust_cfa_offset -176
	cmp	x9, x10			/* writing fpcr is slow, and hardly ever needed */
	b.eq	1f
	msr	fpcr, x10
1:	mov	w0, w1
	ret
	.cfi_endproc
	.size	switch_stacks, . - switch_stacks

	/* void *switch_prepare(void *low, void *top, void (*fn)(void *), void *arg) */
	.globl	switch_prepare
	.hidden	switch_prepare
	.type	switch_prepare, %function
	.p2align 4
switch_prepare:
	.cfi_startproc
	hint	#34
	and	x0, x1, #-16
	sub	x0, x0, #176
	adr	x4, switch_begin
	mrs	x9, fpcr
	stp	x2, x3, [x0, #0]
	stp	xzr, x4, [x0, #80]
	str	x9, [x0, #160]
	ret
	.cfi_endproc
	.size	switch_prepare, . - switch_prepare

	/* The first code on a new stack.  Nobody called it, and debuggers are told so. */
	.type	switch_begin, %function
	.p2align 4
switch_begin:
	.cfi_startproc
	.cfi_undefined x30
	hint	#34
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	switch_begin, . - switch_begin

	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4, 16, 5		/* name, descriptor, NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0	/* AARCH64_FEATURE_1_AND: BTI */

#endif

	.section .note.GNU-stack, "", %progbits
