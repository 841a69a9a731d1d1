// SPDX-License-Identifier: GPL-2.0-only
/*
 * One use of an injector: start, end, and the events of a running fault.
 */
#include <errno.h>

#include "inject/injector.h"

static void drop_event(void *context, json_t *event)
{
	json_decref(event);
}

/**
 * injection_open - prepare the use of an injector
 * @injection: receives it; must stay at its address until injection_close()
 * @injector:  its kind
 * @arguments: as given by a scenario or the command line, or NULL; borrowed
 * @dry_run:   record the writes without executing them
 * @why:       names the wrong argument
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
	injection->run = (struct activity){.name = (char *)injector->name,
					   .arguments = checked,
					   .facts = injection->result,
					   .fd = -1,
					   .emit = drop_event,
					   .private = injection};
	return 0;
}

/** injection_close - free the injection; drops the lock if the injector still holds it */
void injection_close(struct injection *injection)
{
	json_decref(injection->arguments);
	json_decref(injection->change.writes);
	json_decref(injection->result);
	change_unlock(&injection->change);
	*injection = (struct injection){.change = {.lock_fd = -1}, .run = {.fd = -1}};
}

/**
 * injection_fire - inject the fault
 *
 * Return: 0, or -errno of the injector. If @injection->running is set, the fault still runs.
 */
int injection_fire(struct injection *injection, struct reason *why)
{
	int error = injection->change.dry_run ? 0 : machine_is_expendable(why);

	if (error)
		return error;
	injection->began = now_monotonic_ns();
	injection->running = true;
	change_note_fault(&injection->change);
	error = injection->injector->fire(injection, why);
	if (error || injection->run.fd < 0)
		injection->running = false;
	return error;
}

static void emit(struct injection *injection, const char *event, const char *text, json_t *data)
{
	json_object_set_new(data, "injector", json_string(injection->injector->name));
	json_object_set_new(data, "event", json_string(event));
	json_object_set_new(data, "text", json_sprintf("%s: %s", injection->injector->name, text));
	injection->run.emit(injection->run.context, data);
}

/** injection_progress - report the progress of a running fault: @fraction from 0 to 1, or below 0 when unknown */
void injection_progress(struct injection *injection, double fraction, const char *text)
{
	emit(injection, "progress", text, json_pack("{s:f}", "fraction", fraction));
}

/**
 * injection_end - report the end of a running fault; has no effect on one that has ended
 * @error:  0, or -errno
 * @reason: explains @error, or ""
 */
void injection_end(struct injection *injection, int error, const char *reason)
{
	if (!injection->running)
		return;
	injection->running = false;
	injection->error = error;
	snprintf(injection->reason.text, sizeof(injection->reason.text), "%s", reason);
	emit(injection, "end", error ? reason : "ended", injection_outcome(injection));
}

/** injection_stop - end a running fault early. Return: whether one was running */
bool injection_stop(struct injection *injection)
{
	if (!injection->running)
		return false;
	injection->injector->stop(injection);
	json_object_set_new(injection->result, "stopped", json_true());
	injection_end(injection, 0, "");
	return true;
}

/**
 * injection_ask_firmware - request the fault from the firmware model of the bench, which only the controller can reach
 * @call: for that firmware (harness/rig/firmware/firmware.h); its reference is stolen
 *
 * The controller passes the call on before the next step of the trial. The answer means that the fault is injected.
 */
void injection_ask_firmware(struct injection *injection, json_t *call)
{
	json_object_set_new(injection->result, RESULT_FIRMWARE, call);
}

/** injection_outcome - {"error", "reason", "result", "writes", "duration_ns"}; owned by the caller */
json_t *injection_outcome(const struct injection *injection)
{
	return json_pack("{s:i, s:s, s:O, s:O, s:I}", "error", injection->error, "reason",
			 injection->reason.text, "result", injection->result, "writes",
			 injection->change.writes, "duration_ns",
			 (json_int_t)(now_monotonic_ns() - injection->began));
}

/** injection_set - save a file of the kernel and write to it. Return: 0 or -errno of the write */
int injection_set(struct injection *injection, const char *path, enum sticky_format format,
		  const char *text, struct reason *why)
{
	if (!sticky_save(&injection->sticky, path, format))
		return fail(why, -E2BIG, "too many files to set");
	return sticky_set(&injection->sticky, &injection->change, path, text, why);
}

/**
 * injection_finish - end an injection: restore the saved state, free @private, and drop the lock
 * @why: reason of the first failure
 *
 * Return: 0 or the first -errno of a write.
 */
int injection_finish(struct injection *injection, struct reason *why)
{
	/* Without files of its own it must not remove the record of those of another one. */
	int error = injection->sticky.count
			    ? sticky_restore(&injection->sticky, &injection->change, why)
			    : 0;

	sticky_free(&injection->sticky);
	free(injection->private);
	injection->private = NULL;
	change_unlock(&injection->change);
	return error;
}
