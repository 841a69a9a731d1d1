// SPDX-License-Identifier: GPL-2.0-only
/*
 * The step that presses the fault: which injector, at what, in which guest, on which host.
 */
#include <errno.h>
#include <string.h>

#include "harness/rig/profile.h"
#include "harness/scenario/steps.h"
#include "inject/injector.h"

static const char *const hosts[] = {"h0", "h1", "source", "target", NULL};

static int find_injector(const struct document *document, int node, const char *name,
			 const struct injector **injector)
{
	__cleanup_json json_t *known = json_array();

	*injector = injector_find(name);
	if (*injector)
		return 0;
	for (size_t i = 0; i < injector_count(); i++)
		json_array_append_new(known, json_string(injector_at(i)->name));
	return document_unknown(document, node, "injector", name, known);
}

/* Guest of the workload that is struck; NULL: none, or on the host. */
static const char *guest_of(const struct walk *walk, const char *subject, size_t index)
{
	return subject ? walk->scenario->workloads[index].guest : NULL;
}

/*
 * Only an injector that works on a guest takes one, and it has a parameter of that name. The others strike a host, also
 * when they strike what a guest owns.
 */
static int take_injected_guest(const struct document *document, int node,
			       const struct injector *injector, const char *home, struct walk *walk,
			       struct scenario_step *step)
{
	const struct param *param = param_find(injector->params, "guest");
	int guest = document_find(document, node, "guest");
	size_t index;
	int error;

	if (guest && !param)
		return document_fail(document, guest, -EINVAL,
				     "'%s' works on a host and takes no guest; remove it, and aim "
				     "by at: WORKLOAD at a workload in the guest",
				     injector->name);
	if (!param || (!guest && !home && !param->required))
		return 0;
	if (!guest && home) {
		step->guest = xstrdup(home);
		return 0;
	}
	error = take_guest(document, guest, node, "inject", walk, step, &index);
	if (error || !step->subject || (home && strcmp(home, step->guest) == 0))
		return error;
	return document_fail(document, guest ?: node, -EINVAL,
			     "'%s' runs %s%s and not in '%s'; aim at a workload of that guest",
			     step->subject, home ? "in " : "on the host", home ?: "", step->guest);
}

static int take_host(const struct document *document, int node, const char *home,
		     const struct walk *walk, struct scenario_step *step)
{
	const char *bench = walk->scenario->bench, *host;
	const struct rig_profile *profile = bench ? rig_profile_find(bench) : NULL;
	int error = check_choice(document, node, "on", hosts, &host);

	if (error)
		return error;
	if ((strcmp(host, "source") == 0 || strcmp(host, "target") == 0) && !walk->migrated)
		return document_fail(document, node, -EINVAL,
				     "'on: %s' before any migration; put - migrate: {guest: NAME} "
				     "above, or write on: h0",
				     host);
	if (strcmp(host, "h1") == 0 && profile && profile->hosts == 1)
		return document_fail(document, node, -EINVAL,
				     "'%s' has one host; write bench: kvm-pair, or on: h0", bench);
	if (step->subject && !home && strcmp(host, "h0") != 0)
		return document_fail(document, node, -EINVAL,
				     "'%s' runs on the first host; remove 'on', or aim at a "
				     "workload in a guest",
				     step->subject);
	step->host = xstrdup(host);
	return 0;
}

/* Check the target by the injector. */
static int check_with_injector(const struct document *document, int node,
			       const struct injector *injector, const char *home,
			       const struct scenario_step *step)
{
	enum injector_target target = home	      ? TARGET_GUEST
				      : step->subject ? TARGET_WORKLOAD
						      : TARGET_NONE;
	struct reason why = {""};
	int error = injector->check ? injector->check(step->arguments, target, &why) : 0;

	return error ? document_fail(document, node, error, "%s", why.text) : 0;
}

int parse_inject(const struct document *document, int node, struct walk *walk,
		 struct scenario_step *step)
{
	static const char *const own_keys[] = {"with", "at", "guest", "on", NULL};
	const struct injector *injector;
	const char *name, *home;
	int with, at, on, error;
	size_t index = 0;

	if (!document_is_mapping(document, node))
		return document_fail(document, node, -EINVAL,
				     "'inject' must be a mapping; write inject: {with: INJECTOR, "
				     "at: WORKLOAD, ...}");
	with = document_find(document, node, "with");
	at = document_find(document, node, "at");
	on = document_find(document, node, "on");
	if (!with)
		return document_fail(document, node, -EINVAL,
				     "'inject' has no 'with'; name an injector of `brinell list "
				     "injectors`");
	error = document_text(document, with, "with", &name)
		?: find_injector(document, with, name, &injector)
		?: document_check_keys(document, node, "inject", own_keys, injector->params);
	if (!error && at)
		error = take_subject(document, at, "inject", walk, step, &index);
	if (error)
		return error;
	home = guest_of(walk, step->subject, index);
	error = take_injected_guest(document, node, injector, home, walk, step);
	if (!error && step->guest)
		step->arguments = json_pack("{s:s}", "guest", step->guest);
	if (!error)
		error = check_arguments(document, node, "inject", own_keys, injector->params,
					&step->arguments);
	if (!error && on)
		error = take_host(document, on, home, walk, step);
	if (!error)
		error = check_with_injector(document, node, injector, home, step);
	if (error)
		return error;
	step->injector = xstrdup(name);
	return 0;
}

/* The value is the injector of the last inject step before. */
int parse_stop_injection(const struct document *document, int node, struct walk *walk,
			 struct scenario_step *step)
{
	const struct scenario_step *last = NULL;
	const char *name;
	int error = document_text(document, node, "stop-injection", &name);

	if (error)
		return error;
	for (const struct scenario_step *before = walk->scenario->steps; before < step; before++)
		if (before->injector)
			last = before;
	if (!last || strcmp(last->injector, name) != 0)
		return document_fail(
			document, node, -EINVAL,
			"stop-injection of '%s', which the last inject step before this one "
			"does not use; put - inject: {with: %s, ...} above",
			name, name);
	step->subject = xstrdup(name);
	return 0;
}
