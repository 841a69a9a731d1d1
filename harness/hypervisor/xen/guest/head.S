/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry of the PVH guest: docs/misc/pvh.pandoc of Xen. 32 bits, paging off, %ebx the start info. It maps the first 4 GiB at
 * their own addresses, enters long mode, and calls guest_main(start info).
 */
#define PAGE_PRESENT_WRITABLE	0x003
#define PAGE_LARGE		0x083
#define CR0_PAGING		(1 << 31)
#define CR4_PAE			(1 << 5)
#define CR4_MACHINE_CHECK	(1 << 6)
#define MSR_EFER		0xc0000080
#define EFER_LONG_MODE		(1 << 8)
#define NOTE_PHYS32_ENTRY	18

	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, NOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	start

	.section .head, "ax", @progbits
	.code32
	.globl	start
start:
	cld
	mov	$stack_top, %esp
	mov	%ebx, %ebp
	mov	$directories, %edi
	mov	$PAGE_LARGE, %eax
	mov	$(4 * 512), %ecx
1:	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b
	movl	$(pointers + PAGE_PRESENT_WRITABLE), top
	mov	$(directories + PAGE_PRESENT_WRITABLE), %eax
	mov	$pointers, %edi
	mov	$4, %ecx
2:	mov	%eax, (%edi)
	add	$0x1000, %eax
	add	$8, %edi
	loop	2b
	mov	$(CR4_PAE | CR4_MACHINE_CHECK), %eax
	mov	%eax, %cr4
	mov	$top, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LONG_MODE, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PAGING, %eax
	mov	%eax, %cr0
	lgdt	descriptor
	ljmp	$8, $long_mode

	.code64
long_mode:
	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%ebp, %edi
	call	guest_main
3:	hlt
	jmp	3b

	/* Sixteen bytes each: the processor pushes an error code for some only, so that a zero stands in for it. */
	.globl	trap_entries
	.align	16
trap_entries:
	.set	trap, 0
	.rept	33
	.align	16
	.if	!(trap == 8 || (trap >= 10 && trap <= 14) || trap == 17)
	push	$0
	.endif
	push	$trap
	jmp	common
	.set	trap, trap + 1
	.endr

common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	mov	80(%rsp), %rdi
	mov	96(%rsp), %rsi
	mov	%rsp, %rbx
	and	$~15, %rsp
	call	guest_trap
	mov	%rbx, %rsp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.section .rodata
	.align	8
segments:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
descriptor:
	.word	. - segments - 1
	.long	segments

	.bss
	.align	4096
top:	.skip	4096
pointers: .skip	4096
directories: .skip 4 * 4096
	.globl	hypercall_page
hypercall_page: .skip 4096
	.skip	65536
stack_top:
	.section .note.GNU-stack, "", @progbits
