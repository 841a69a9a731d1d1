/* SPDX-License-Identifier: GPL-2.0-only */
/* The least that the toolstack of Xen makes a PV domain of. It is never run. */
	.text
	.globl	_start
_start:
	jmp	_start

	/* XEN_ELFNOTE_* of public/elfnote.h */
	.macro	note type, value
	.long	4, 2f - 1f, \type
	.asciz	"Xen"
1:	.asciz	"\value"
2:	.balign	4
	.endm
	.macro	note_of_address type, value
	.long	4, 8, \type
	.asciz	"Xen"
	.quad	\value
	.endm
	.section .note.Xen, "a", @note
	note	6, none
	note	5, xen-3.0
	note	8, generic
	note_of_address 1, _start
	note_of_address 3, 0
	note_of_address 4, 0
