/* SPDX-License-Identifier: MIT
 *
 * switch_amd64.S - swap two stacks: System V ABI, 64 bits.
 *
 * The saved frame is below the stack pointer, in the red zone, which signal handlers leave alone:
 *
 *	  0  return address         <- what is remembered
 *	 -8  rbp  -16 rbx  -24 r12  -32 r13  -40 r14  -48 r15
 *	-52  x87 control word       -56  MXCSR
 *
 * We leave by a jump: the processor predicts a return to the place we were called from, which is
 * always wrong here and costs half as much again.  Shadow stacks cannot follow either; there is
 * no property note, so the linker leaves them off for the program. */
#include "conn/switch.h"

#if SWITCH_AMD64

	.text

	/* bool switch_stacks(void **other, bool say) */
	.globl	switch_stacks
	.hidden	switch_stacks
	.type	switch_stacks, @function
	.p2align 4
switch_stacks:
	.cfi_startproc
	endbr64
	movq	%rbp, -8(%rsp)
	movq	%rbx, -16(%rsp)
	movq	%r12, -24(%rsp)
	movq	%r13, -32(%rsp)
	movq	%r14, -40(%rsp)
	movq	%r15, -48(%rsp)
	fnstcw	-52(%rsp)
	stmxcsr	-56(%rsp)
	movq	(%rdi), %rax
	movq	%rsp, (%rdi)
	movq	%rax, %rsp
	ldmxcsr	-56(%rsp)
	fldcw	-52(%rsp)
	movq	-48(%rsp), %r15
	movq	-40(%rsp), %r14
	movq	-32(%rsp), %r13
	movq	-24(%rsp), %r12
	movq	-16(%rsp), %rbx
	movq	-8(%rsp), %rbp
	movl	%esi, %eax
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp	*%rcx
	.cfi_endproc
	.size	switch_stacks, . - switch_stacks

	/* void *switch_prepare(void *low, void *top, void (*fn)(void *), void *arg) */
	.globl	switch_prepare
	.hidden	switch_prepare
	.type	switch_prepare, @function
	.p2align 4
switch_prepare:
	.cfi_startproc
	endbr64
	movq	%rsi, %rax
	andq	$-16, %rax
	subq	$8, %rax
	leaq	switch_begin(%rip), %rsi
	movq	%rsi, (%rax)
	movq	$0, -8(%rax)
	movq	%rdx, -16(%rax)
	movq	%rcx, -24(%rax)
	fnstcw	-52(%rax)
	stmxcsr	-56(%rax)
	ret
	.cfi_endproc
	.size	switch_prepare, . - switch_prepare

	/* The first code on a new stack.  Nobody called it, and debuggers are told so. */
	.type	switch_begin, @function
	.p2align 4
switch_begin:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%r12, %rdi
	call	*%rbx
	ud2
	.cfi_endproc
	.size	switch_begin, . - switch_begin

#endif

	.section .note.GNU-stack, "", @progbits
