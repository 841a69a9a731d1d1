/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_CASE_H
#define BRINELL_JUDGE_CASE_H

#include "harness/evidence/evidence.h"
#include "harness/evidence/record.h"
#include "harness/evidence/vocabulary.h"
#include "harness/judge/read/scope.h"

/**
 * enum state - of one expectation
 * @STATE_MET:     seen to hold
 * @STATE_BROKEN:  seen not to hold
 * @STATE_UNKNOWN: the evidence shows neither
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
 * @code, @reason: why, for programs and for people; CODE_NONE where it is met
 */
struct finding {
	const char *what;
	enum state state;
	bool harm;
	enum code code;
	struct reason reason;
};

/* Clocks of hosts and controller agree to some milliseconds: what is nearer than this may have been before or after. */
#define JUDGE_MARGIN_NS (100 * NSEC_PER_MSEC)

/* Groups of witnesses that are not in the table EVIDENCE_GROUPS. */
#define DECLARED_GROUPS 8
#define GROUP_NAME 40

/* Sets why a verdict or the value of an axis is what it is, for programs and for people. */
#define give_reason(result, why, ...)                                                              \
	((result)->code = (why), (void)fail(&(result)->reason, 0, __VA_ARGS__))

/* As many guests as a scenario may have; each on one of two hosts. */
#define GUEST_LIMIT 8
#define HOST_LIMIT 2

/**
 * struct host_outcome - a host of the bench after the trial
 * @name:   "h0"; borrowed
 * @axis:   of it
 * @code:   why it is not known
 * @reason: the evidence for it, or why it is not known
 */
struct host_outcome {
	const char *name;
	enum host_axis axis;
	enum code code;
	struct reason reason;
};

/* Where the driver of an IOMMU reports. */
enum iommu_source_index {
	IOMMU_LOG,
	IOMMU_TRACE,
	IOMMU_CONSOLE,
	IOMMU_SOURCES,
};

/**
 * struct iommu_outcome - reports of the IOMMU of the target host
 * @sources: what each source reported; the console repeats the log, the trace may have what the log leaves out
 * @ours, @others: accesses that it refused: of the fault's device to its addresses, and all others
 * @lost:    there may have been more
 * @limited: lines of VT-d's faults were left out
 * @first:   report of the first access that is the fault's, or NULL
 * @failure: the record of a failure of the IOMMU itself, or NULL
 */
struct iommu_outcome {
	struct iommu_source {
		unsigned int ours, others, notices;
	} sources[IOMMU_SOURCES];
	unsigned int ours, others;
	bool lost, limited;
	const struct record *first, *failure;
};

/**
 * struct guest_outcome - a guest of the trial after it
 * @name:   borrowed
 * @axis:   of it
 * @code:   of the axis, or of the reason why it is not known
 * @dead_host: the host whose death killed it; NULL: none did; borrowed
 * @reason: the evidence for it, or why it is not known
 */
struct guest_outcome {
	const char *name;
	enum guest_axis axis;
	enum code code;
	const char *dead_host;
	struct reason reason;
};

/**
 * struct migration_outcome - the last migration of the trial
 * @axis:        of it
 * @code:        of the axis, or of the reason why it is not known
 * @reason:      the evidence for it, or why it is not known
 * @downtime_ns: how long the guest stood still, by its heartbeats; 0: not known
 * @qemu_downtime_ns: between QEMU's events of the stop and of the resume; -1: not known
 * @before_stop_ns, @after_resume_ns: from the last beat to the stop, and from the resume to the first beat; -1: not known
 * @clock_difference_ns: by how much the clock of the target is ahead of that of the source; @clocks_known
 * @hypervisor_downtime_ns, @time_ns, @iterations: as the hypervisor reports them; -1: not known
 */
struct migration_outcome {
	enum migration_axis axis;
	enum code code;
	struct reason reason;
	int64_t downtime_ns;
	int64_t qemu_downtime_ns, clock_difference_ns;
	int64_t before_stop_ns, after_resume_ns;
	bool clocks_known;
	int64_t hypervisor_downtime_ns, time_ns, iterations;
};

/**
 * struct conversion_outcome - conversions of guest memory
 * @axis:   of them
 * @code:   of it, or of why it is not known
 * @reason: the evidence for it, or why it is not known
 * @leak:   report of pages and pins that the kernel still holds after a storm, or NULL
 */
struct conversion_outcome {
	enum conversion_axis axis;
	enum code code;
	struct reason reason;
	const struct record *leak;
};

/**
 * struct trial_case - the records of one trial as the judge reads them
 * @records, @record_count: of its last attempt, in order; owned, their JSON is borrowed
 * @lines:   meaning of each record that is a line of a kernel's log; owned
 * @expect:  of the scenario, with the changes of these versions; an empty object when there is none; owned
 * @start, @intent, @outcome, @close: the records of these types (first intent and the last
 *                                    outcome); NULL when missing
 * @cause:   of the end, in the close record
 * @from:    the record behind which evidence counts: the first intent; where no fault was asked for, the
 *           first step that migrates, else the first step; the end of the records when there is none
 * @until: of one fault among several: the next one like it, from which on evidence can be that one's; NULL: there is none
 * @faultless: no fault was asked for: no step injects, and the scenario expects none
 * @host_name: of the host that the fault was aimed at, else where the subject began; NULL: any
 * @guest_name: the subject: the guest that the fault was aimed at, or the one that migrates, or the first; NULL: none
 * @settled_view: judged before its end: there is no close record yet, and none is missed
 * @damaged_line: line of the journal that was lost within this trial, 0 for none
 * @repeated: the trial was started again although its fault had been fired before
 * @attempts: how often it was started
 * @on_host, @in_guest: what belongs to the victim or was aimed at, on @host_name and in @guest_name
 * @victim_guest: the guest in which the victim is; NULL: it is on the host
 * @witnesses: groups that saw the fault
 * @declared_groups, @declared_group_count: names of groups that witnesses declare and the table does not have
 * @host_formats, @guest_formats: of the texts of the witnesses of the host and of the subject; NULL: an old journal
 * @host_proofs, @guest_proofs: what the witnesses of the host and of the subject declare as evidence; NULL: an old journal
 * @first_proof_ns, @first_signal_ns: when it reached the controller, 0 for never
 * @identified: a proof named the victim
 * @identified_by: groups whose proof named it
 * @vague: groups whose evidence can be of the fault or of an error of another kind; @vague_nature what it can be of
 * @kind_known, @severity_known: some of that evidence leaves only the severity open, some only the kind
 * @kindless: groups whose evidence leaves the kind open
 * @other_nature, @other_error: what was reported of errors of another kind or severity; the first of them, "" for none
 * @mismatch: the first such report that names the victim
 * @noise: the first error of the kind of the fault that was reported before it; @noisy_link: by the device that it was aimed at
 * @foreign: the first evidence that named another page or process, "" for none
 * @damaged_before: the host or the subject reported a bug of its kernel before the fault
 * @host_watched: the journal lists the witnesses of the host
 * @loss: the first report that something of the host's log, trace or counters was lost
 * @log_seen: the kernel log was followed, or at least one record of it is there
 * @log_folded: lines of long reports in it were left out, none of them with a meaning
 * @log_followed, @host_lost: a witness in the host followed its log; the host or its agent was lost
 * @guest_loss, @guest_log_seen, @guest_log_followed, @guest_lost: the same, of the subject's kernel log and console
 * @other_loss: the same, of all other hosts and guests
 * @hypervisor_lost: the hypervisor did not answer for a while, or events of it were lost
 * @process, @process_proof: axis of the victim, and the record that decided it
 * @process_contradicted, @process_reason: the kernel log contradicts the victim's report
 * @touched: the victim came back from a touch after the fault
 * @touched_fine, @touched_data: that touch found its data; what it read
 * @victim_reported: the victim sent any event after the intent
 * @kernel_signalled: the kernel log shows a signal to the victim
 * @ended_by: signal that ended the victim, 0 for none
 * @host:      the one that the fault was aimed at
 * @other_hosts: those that the fault was not aimed at
 * @iommu:     of the host that the fault was aimed at
 * @damage, @damage_count: lines in which a kernel reports damage of its own; owned array
 * @guests:    the guests of the trial, the subject first
 * @migration: of the subject
 * @conversion: of guest memory by the storm
 * @versions:  of each software that the trial ran with; owned
 * @evidence: quotes for the result; owned
 * @findings: one for each expectation; owned
 */
struct trial_case {
	struct record *records;
	size_t record_count;
	struct kernel_line *lines;
	json_t *expect;
	const struct record *start, *intent, *outcome, *close, *from, *until;
	enum end_cause cause;
	bool faultless;
	const char *host_name, *guest_name;
	bool settled_view, one_fault;
	int damaged_line;
	bool repeated;
	int attempts;

	struct scope on_host, in_guest;
	const char *victim_guest;

	unsigned int witnesses, identified_by;
	char declared_groups[DECLARED_GROUPS][GROUP_NAME];
	size_t declared_group_count;
	const json_t *host_formats, *guest_formats;
	const json_t *host_proofs, *guest_proofs;
	int64_t first_proof_ns, first_signal_ns;
	bool identified;
	unsigned int vague, kindless;
	struct nature vague_nature, other_nature;
	char other_error[256];
	char foreign[256];
	const struct record *mismatch, *noise;
	bool noisy_link, host_watched, kind_known, severity_known;
	const struct record *damaged_before;
	const struct record *loss, *guest_loss, *other_loss;
	bool log_folded, log_seen, log_followed, host_lost;
	bool guest_log_seen, guest_log_followed, guest_lost;
	bool hypervisor_lost;

	enum process_axis process;
	bool process_contradicted;
	struct reason process_reason;
	const struct record *process_proof;
	bool touched, touched_fine;
	const char *touched_data;
	bool victim_reported;
	bool kernel_signalled;
	int ended_by;

	struct host_outcome host;
	struct host_outcome other_hosts[HOST_LIMIT];
	size_t other_host_count;
	struct iommu_outcome iommu;
	const struct record **damage;
	size_t damage_count;

	struct guest_outcome guests[GUEST_LIMIT];
	size_t guest_count;
	struct migration_outcome migration;
	struct conversion_outcome conversion;

	json_t *versions;
	json_t *evidence;
	struct finding *findings;
	size_t finding_count;
};

void case_open(struct trial_case *trial, const json_t *records, const char *id, int fault);
void case_close(struct trial_case *trial);

void case_cite(struct trial_case *trial, const struct record *record, const char *proves);
bool case_is_victim(const struct trial_case *trial, const struct record *record);
bool case_victim_event(const struct trial_case *trial, const struct record *record,
		       const char *event);
bool case_owns_address(const struct trial_case *trial, uint64_t address, int64_t lsb);
bool case_change(const struct trial_case *trial, const struct record *event, const char *name,
		 const json_t *change, int64_t *difference);
bool case_counts(const struct trial_case *trial, const struct record *record);
bool case_is_older(const struct trial_case *trial, const struct record *record);
bool case_on_host(const struct trial_case *trial, const struct record *record);
const json_t *case_section(const struct trial_case *trial, const char *name);
const json_t *case_step(const struct trial_case *trial, const char *kind);
struct nature case_fault(const struct trial_case *trial);
const char *case_kills(const struct trial_case *trial);
void case_note_loss(struct trial_case *trial, const struct record *record);
void case_note_damage(struct trial_case *trial, const struct record *record);

void case_read_versions(struct trial_case *trial);
const char *case_known_failure(const struct trial_case *trial, enum code code,
			       bool *fixed_if_passed);

void case_read_axes(struct trial_case *trial);
const struct kernel_line *case_line(const struct trial_case *trial, const struct record *record);
bool case_is_of_kernel(const struct trial_case *trial, const struct record *record);
bool case_is_other_panic(const struct trial_case *trial, const struct kernel_line *line);
void case_compare(struct trial_case *trial);
json_t *case_metrics(const struct trial_case *trial);
bool case_expects_delivery(const struct trial_case *trial);
bool case_expects(const struct trial_case *trial, const char *key);
bool case_is_delivered(const struct trial_case *trial);
unsigned int case_proofs(const struct trial_case *trial);
unsigned int case_hint(const struct trial_case *trial);
unsigned int case_witness_count(const struct trial_case *trial);
enum guest_axis case_guest_axis(const struct trial_case *trial);

#endif
