/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GMEM_COMMAND_H
#define BRINELL_GMEM_COMMAND_H

/*
 * The commands of the guest payload, and the mailbox that holds them. Compiled twice: freestanding for the payload, and into
 * the tests, where it runs on fake guest memory.
 */

#include "inject/gmem/page.h"

/* Guest physical addresses, identity-mapped. */
#define GUEST_TABLES 0x1000u
#define GUEST_CODE 0x8000u
#define GUEST_CODE_SIZE 0x8000u
#define GUEST_MAILBOXES 0x10000u
#define GUEST_STACKS 0x20000u
#define GUEST_LOW_SIZE 0x40000u
#define GUEST_SIBLING 0x20000000u
#define GUEST_MODEL 0x30000000u
#define GUEST_REGION 0x40000000u
#define GUEST_PORT 0x10
#define GUEST_VCPUS 15

/* KVM_HC_MAP_GPA_RANGE and its attribute of an encrypted page (Documentation/virt/kvm/x86/hypercalls.rst). */
#define GUEST_HC_MAP_GPA_RANGE 12
#define GUEST_MAP_ENCRYPTED (1u << 4)

/**
 * enum guest_command - commands of the payload
 * @GUEST_CHECK:   read each page of the range, and compare it with the model
 * @GUEST_FILL:    write the model's content to each page of the range
 * @GUEST_TOUCH:   read the range again and again until @stop, from page @next on, without comparing it
 * @GUEST_CONVERT: request a conversion of the range from the VMM
 * @GUEST_CRASH:   end in a triple fault
 */
enum guest_command {
	GUEST_CHECK = 1,
	GUEST_FILL,
	GUEST_TOUCH,
	GUEST_CONVERT,
	GUEST_CRASH,
};

/**
 * struct guest_mailbox - one page for each vCPU
 * @command:  enum guest_command; the payload clears it when done
 * @stop:     ends GUEST_TOUCH
 * @intel:    hypercalls are VMCALL instead of VMMCALL
 * @to_private: of GUEST_CONVERT
 * @bad:      of GUEST_CHECK: a page differs from the model: @bad_page, @found, @expected
 * @first, @count: range, in pages
 * @seed:     of the pattern
 * @planted:  a page for which the payload expects the previous generation, a defect for tests; ~0: none
 * @single:   both sides are the same memory
 * @answer:   result of the hypercall
 * @touched:  pages read by GUEST_TOUCH
 * @next:     page that GUEST_TOUCH reads next
 */
struct guest_mailbox {
	volatile uint32_t command, stop;
	uint32_t intel, to_private, single, bad;
	uint64_t first, count, seed, planted;
	uint64_t bad_page, found, expected;
	int64_t answer;
	volatile uint64_t touched, next;
};

/* Access of the payload to its memory and its VMM. */
struct guest_view {
	void *context;
	const gmem_page *model;
	void *(*page)(void *context, uint64_t number);
	int64_t (*hypercall)(void *context, struct guest_mailbox *box);
};

static inline void guest_check(struct guest_mailbox *box, const struct guest_view *view)
{
	for (uint64_t i = box->first; i < box->first + box->count; i++) {
		gmem_page state = view->model[i];
		bool private = gmem_is_private(state) && !box->single;
		unsigned int generation = gmem_generation(state, private), word;

		if (state & GMEM_LOST)
			continue;
		if (i == box->planted)
			generation ^= 1;
		word = gmem_differs(view->page(view->context, i), box->seed, i, private, generation,
				    &box->found);
		if (word == GMEM_WORDS)
			continue;
		box->bad_page = i;
		box->expected = gmem_pattern(box->seed, i, private, generation, word);
		box->bad = 1;
		return;
	}
}

static inline void guest_fill(struct guest_mailbox *box, const struct guest_view *view)
{
	for (uint64_t i = box->first; i < box->first + box->count; i++) {
		gmem_page state = view->model[i];
		bool private = gmem_is_private(state) && !box->single;

		if (!(state & GMEM_LOST))
			gmem_fill(view->page(view->context, i), box->seed, i, private,
				  gmem_generation(state, private));
	}
}

/* A vCPU that is reset at a page goes on after it. The pages before it keep what KVM made of the access, such as an MMIO SPTE. */
static inline void guest_touch(struct guest_mailbox *box, const struct guest_view *view)
{
	while (!box->stop) {
		uint64_t page = box->next - box->first < box->count ? box->next : box->first;

		box->next = page + 1;
		if (view->model[page] & GMEM_LOST)
			continue;
		(void)*(volatile uint64_t *)gmem_word(view->page(view->context, page), page, 0);
		box->touched++;
	}
}

/** guest_execute - execute the command of the mailbox */
static inline void guest_execute(struct guest_mailbox *box, const struct guest_view *view)
{
	switch (box->command) {
	case GUEST_CHECK:
		guest_check(box, view);
		break;
	case GUEST_FILL:
		guest_fill(box, view);
		break;
	case GUEST_TOUCH:
		guest_touch(box, view);
		break;
	case GUEST_CONVERT:
		box->answer = view->hypercall(view->context, box);
		break;
	}
	box->command = 0;
}

#endif
