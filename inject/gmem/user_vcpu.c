// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "vcpu": the guest. The kernel unmaps and maps its pages by itself. The guest checks the private pages too.
 */
#include <errno.h>
#include <inttypes.h>

#include "inject/gmem/users.h"

static int vcpu_open(struct gmem_user *user, struct reason *why)
{
	return user->vm->shape->vcpus ? 0
				      : fail(why, -EINVAL, "user 'vcpu' needs a vCPU: set vcpus");
}

static int vcpu_check(struct gmem_user *user, const struct gmem_range *range,
		      struct user_finding *finding)
{
	struct guest_mailbox *box = user->vm->kernel->mailbox(user->vm, 0);
	uint64_t stopped = range->first;
	struct reason why = {0};
	int error;

	box->command = user->knobs->plant == PLANT_CRASH ? GUEST_CRASH : GUEST_CHECK;
	box->first = range->first;
	box->count = range->count;
	box->seed = user_seed(user);
	box->single = gmem_is_single(user->vm->shape);
	box->planted = user->knobs->plant == PLANT_PAYLOAD ? user->vm->shape->pages / 2 : ~0ull;
	box->bad = 0;
	error = user->vm->kernel->run(user->vm, 0, &stopped, &why);
	if (error == -EFAULT || error == -EHWPOISON) {
		*finding = (struct user_finding){.page = stopped, .lost = true};
		snprintf(finding->text, sizeof(finding->text), "%.159s", why.text);
		return 0;
	}
	if (error)
		snprintf(finding->text, sizeof(finding->text), "%.159s", why.text);
	if (error || !box->bad)
		return error ? error : 1;
	*finding = (struct user_finding){.page = box->bad_page};
	snprintf(finding->text, sizeof(finding->text),
		 "the guest reads 0x%" PRIx64 " instead of 0x%" PRIx64, box->found, box->expected);
	return 0;
}

static void vcpu_close(struct gmem_user *user)
{
	(void)user;
}

REGISTERED(gmem_user_kind, vcpu_user) = {
	.name = "vcpu",
	.open = vcpu_open,
	.check = vcpu_check,
	.close = vcpu_close,
};
