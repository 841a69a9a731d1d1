// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all injectors share: one use of an injector.
 */
#include "harness/host/sticky.h"
#include "inject/injector.h"

/**
 * injection_open - begin the use of an injector
 * @injection: receives it; to be closed with injection_close()
 * @injector:  which
 * @arguments: as given by a scenario or the command line, or NULL; borrowed
 * @dry_run:   note the writes, do none
 * @why:       says which argument is wrong
 *
 * Return: 0, or -errno of param_check(); then there is nothing to close.
 */
int injection_open(struct injection *injection, const struct injector *injector,
		   const json_t *arguments, bool dry_run, struct reason *why)
{
	json_t *checked = NULL;
	int error = param_check(injector->params, arguments, &checked, why);

	if (error)
		return error;
	*injection = (struct injection){
		.injector = injector,
		.arguments = checked,
		.change = {.dry_run = dry_run, .writes = json_array(), .lock_fd = -1},
		.result = json_object()};
	return 0;
}

/** injection_close - free what injection_open() made; drops the lock if an injector still holds it */
void injection_close(struct injection *injection)
{
	json_decref(injection->arguments);
	json_decref(injection->change.writes);
	json_decref(injection->result);
	change_unlock(&injection->change);
	*injection = (struct injection){.change = {.lock_fd = -1}};
}

/**
 * injection_finish - the end of an injection: put everything back, and let the next injector in
 * @injection: its @private is freed
 * @sticky:    part of the injector's @private, or NULL when it has none (yet)
 * @why:       reason of the first failure
 *
 * Return: 0 or the first -errno of a write.
 */
int injection_finish(struct injection *injection, struct sticky *sticky, struct reason *why)
{
	int error = 0;

	if (sticky) {
		error = sticky_restore(sticky, &injection->change, why);
		sticky_free(sticky);
	}
	free(injection->private);
	injection->private = NULL;
	change_unlock(&injection->change);
	return error;
}
