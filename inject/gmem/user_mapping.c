// SPDX-License-Identifier: GPL-2.0-only
/*
 * User "mapping": a mapping of the host. It releases a range by mapping PROT_NONE memory over it.
 */
#include "inject/gmem/users.h"

static int mapping_release(struct gmem_user *user, const struct gmem_range *range)
{
	return user_remap(user, range, false);
}

static int mapping_reacquire(struct gmem_user *user, const struct gmem_range *range)
{
	return user_remap(user, range, true);
}

static int mapping_check(struct gmem_user *user, const struct gmem_range *range,
			 struct user_finding *finding)
{
	return user_check_memory(user, user->mapping, range, finding);
}

REGISTERED(gmem_user_kind, mapping) = {
	.name = "mapping",
	.open = user_map,
	.release = mapping_release,
	.reacquire = mapping_reacquire,
	.check = mapping_check,
	.close = user_unmap,
};
