/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_CASE_H
#define BRINELL_JUDGE_CASE_H

#include "harness/judge/evidence.h"

/* Lines that a result quotes at the most; a storm of errors is told by its first lines. */
#define EVIDENCE_LIMIT 40
#define RANGE_LIMIT 64

/**
 * enum group - witnesses that can not have the same source
 *
 * /dev/kmsg and the console show the same messages, so they are one. A boot_id that changed and the
 * bench that saw the power go are two: one comes from inside, the other from outside.
 */
enum group {
	GROUP_KERNEL_LOG = 1 << 0,
	GROUP_TRACE = 1 << 1,
	GROUP_INTERRUPTS = 1 << 2,
	GROUP_MEMINFO = 1 << 3,
	GROUP_PAGEFLAGS = 1 << 4,
	GROUP_WORKLOAD = 1 << 5,
	GROUP_BENCH = 1 << 6,
	GROUP_BOOT = 1 << 7,
};

/**
 * struct range - addresses or page frames that belong to the trial: @first up to but without @end
 */
struct range {
	uint64_t first, end;
};

/**
 * enum process_axis - what became of the victim, in order of harm
 */
enum process_axis {
	PROCESS_UNKNOWN = -1,
	PROCESS_UNHARMED,
	PROCESS_CONTAINED,
	PROCESS_KILLED,
	PROCESS_HUNG,
	PROCESS_CORRUPTED,
};

/**
 * enum host_axis - what became of the host, in order of harm
 */
enum host_axis {
	HOST_UNKNOWN = -1,
	HOST_UP,
	HOST_HUNG,
	HOST_DIED,
};

/**
 * enum state - of one expectation
 * @STATE_MET:     seen to hold
 * @STATE_BROKEN:  seen not to hold
 * @STATE_UNKNOWN: the evidence says neither
 */
enum state {
	STATE_MET,
	STATE_BROKEN,
	STATE_UNKNOWN,
};

/**
 * struct finding - one expectation compared with the evidence
 * @what:   key of the expectation
 * @state:  of it
 * @harm:   broken towards the worse. Harm fails a trial at once; when less happened than expected,
 *          the trial only fails if the fault was proven delivered.
 * @reason: for people
 */
struct finding {
	const char *what;
	enum state state;
	bool harm;
	struct reason reason;
};

#define FINDING_LIMIT 64

/**
 * struct trial_case - all that the judge knows about one trial
 * @records: of its last attempt, in order; owned array of borrowed records
 * @expect:  of the scenario; an empty object when the record says nothing; owned
 * @start, @intent, @outcome, @close: the records of these types (first intent and the last
 *                                    outcome); NULL when missing
 * @intent_at: index of the first intent in @records
 * @settled_view: judged before its end: there is no close record yet, and none is missed
 * @damaged_line: line of the journal that was lost within this trial, 0 for none
 * @repeated: the trial was started again although its fault had been fired before
 * @attempts: how often it was started
 * @pfns, @addresses, @pids: what belongs to the victim or was aimed at
 * @witnesses: groups that saw the fault
 * @first_proof_ns, @first_signal_ns: when the controller heard of it, 0 for never
 * @identified: a proof named the victim
 * @identified_by: groups whose proof named it
 * @foreign: the first evidence that named another page or process, "" for none
 * @log_lost, @log_seen: kernel log records were lost; it was followed, or at least one was heard
 * @process, @process_proof: axis of the victim, and the record that decided it
 * @process_contradicted, @process_reason: the kernel log speaks against the victim's report
 * @touched_fine, @touched_data: a touch after the fault found its data; what it read
 * @victim_spoke: the victim reported anything after the intent
 * @kernel_signalled: the kernel log says that the victim was sent a signal
 * @ended_by: signal that ended the victim, 0 for none
 * @host, @host_reason: axis of the host, and the evidence for it
 * @iommu_fault: an IOMMU reported a fault
 * @evidence: quotes for the result; owned
 * @findings: one for each expectation
 */
struct trial_case {
	json_t *records;
	json_t *expect;
	const json_t *start, *intent, *outcome, *close;
	size_t intent_at;
	bool settled_view;
	int damaged_line;
	bool repeated;
	int attempts;

	struct range pfns[RANGE_LIMIT];
	size_t pfn_count;
	struct range addresses[RANGE_LIMIT];
	size_t address_count;
	int64_t pids[RANGE_LIMIT];
	size_t pid_count;

	unsigned int witnesses, identified_by;
	int64_t first_proof_ns, first_signal_ns;
	bool identified;
	char foreign[256];
	bool log_lost, log_seen;

	enum process_axis process;
	bool process_contradicted;
	struct reason process_reason;
	const json_t *process_proof;
	bool touched_fine;
	const char *touched_data;
	bool victim_spoke;
	bool kernel_signalled;
	int ended_by;

	enum host_axis host;
	struct reason host_reason;
	bool iommu_fault;

	json_t *evidence;
	struct finding findings[FINDING_LIMIT];
	size_t finding_count;
};

void case_open(struct trial_case *trial, const json_t *records, const char *id);
void case_close(struct trial_case *trial);

const char *record_type(const json_t *record);
const json_t *record_body(const json_t *record);
int64_t record_time(const json_t *record);
void case_cite(struct trial_case *trial, const json_t *record, const char *proves);
bool case_victim_event(const struct trial_case *trial, const json_t *record, const char *event);
bool case_owns_address(const struct trial_case *trial, uint64_t address, int64_t lsb);
bool case_owns_pfn(const struct trial_case *trial, uint64_t pfn);
bool case_owns_pid(const struct trial_case *trial, int64_t pid);
bool case_change(const struct trial_case *trial, const char *witness, const char *name,
		 const json_t *change, int64_t *difference);
bool case_after_intent(const struct trial_case *trial, size_t index);
bool is_memory_error_signal(const json_t *data);

void case_read_axes(struct trial_case *trial);
void case_compare(struct trial_case *trial);
json_t *case_verdict(struct trial_case *trial, const char *id);
bool case_expects_delivery(const struct trial_case *trial);
bool case_expects(const struct trial_case *trial, const char *key);
bool case_is_delivered(const struct trial_case *trial);
unsigned int case_proofs(const struct trial_case *trial);
unsigned int case_witness_count(const struct trial_case *trial);
const char *process_axis_name(enum process_axis axis);
const char *host_axis_name(enum host_axis axis);

#endif
