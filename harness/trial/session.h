/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_TRIAL_SESSION_H
#define BRINELL_TRIAL_SESSION_H

#include "harness/trial/plan.h"

/**
 * struct session_options - how the rest of a plan is run
 * @kernel:       bzImage for rig hosts, or NULL
 * @modules:      its modules, or NULL
 * @stop_on_fail: run no further trial after one that failed
 * @deadline_ns:  after which the run is ended like by an interrupt; 0: none
 * @fail_on_skip: the exit status of a run in which a trial was skipped is that of a failure
 */
struct session_options {
	const char *kernel;
	const char *modules;
	int64_t deadline_ns;
	bool stop_on_fail, fail_on_skip;
};

int session_run(const char *directory, struct journal *journal, struct plan *plan,
		const struct session_options *options);

#endif
