// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent's side of workloads that are a child process.
 */
#include "workloads/workload.h"

/** process_workload_start - prepare the options, start the process, and wait until it is ready */
int process_workload_start(struct activity *run, struct reason *why)
{
	const struct process_workload *workload = run->workload->process;
	int64_t ready_ns = workload->ready_ns;
	int error;

	run->private = xzalloc(workload->size);
	error = workload->prepare(run, &ready_ns, why)
			?: process_start(run, run->private, &workload->kind,
					 (char *)run->private + workload->options, ready_ns, why);
	if (error)
		process_workload_stop(run);
	return error;
}

/** process_workload_touch - request a touch */
int process_workload_touch(struct activity *run, struct reason *why)
{
	return process_touch(run, run->private, run->workload->process->request, why);
}

/** process_workload_dispatch - handle the reports of the process */
void process_workload_dispatch(struct activity *run)
{
	if (run->private)
		process_dispatch(run, run->private);
}

/** process_workload_stop - end the process and free everything; also of a workload that did not start */
void process_workload_stop(struct activity *run)
{
	const struct process_workload *workload = run->workload->process;

	if (!run->private)
		return;
	process_stop(run, run->private);
	if (workload->release)
		workload->release(run);
	free(run->private);
	run->private = NULL;
}
