/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_JUDGE_AXES_H
#define BRINELL_JUDGE_AXES_H

/* What the readers of evidence share while the axes of a case are found. */

#include "harness/judge/read/case.h"

/**
 * enum relation - is a piece of evidence about this trial's fault?
 * @RELATION_OURS:      it names our page, address or process
 * @RELATION_ANONYMOUS: it names no page or process
 * @RELATION_FOREIGN:   it names another page or process
 */
enum relation {
	RELATION_OURS,
	RELATION_ANONYMOUS,
	RELATION_FOREIGN,
};

/** enum format - of the text of an event */
enum format {
	FORMAT_OTHER,
	FORMAT_KERNEL_LOG,
	FORMAT_TRACE_EVENT,
};

/**
 * struct victim_seen - the victim as the kernel's log and its own end show it
 * @killed_by_kernel, @signalled_by_kernel: the kernel's log about the victim
 * @exit: the victim's end by a signal
 * @killed: its end by SIGKILL or SIGTERM
 * @touch_after_exit: the victim reported a touch after its end
 * @stopped: the workload was asked to end
 */
struct victim_seen {
	const struct record *killed_by_kernel, *signalled_by_kernel;
	const struct record *exit, *killed, *touch_after_exit;
	bool stopped;
};

/**
 * struct host_seen - a host as the evidence shows it
 * @name:    borrowed; NULL: of a journal that names no host
 * @boot_id: when the evidence began to count
 * @panic, @bench_died, @boot_changed: the three kinds of evidence that it died: first record of each, or NULL
 * @agent_lost, @taken: first record of a lost agent, and of a host that was ended from outside, or NULL: no evidence of its death
 * @stuck: first record of a stall, or NULL
 * @alive_after_death: an event of the agent after the bench reported the death, with no boot between
 * @answered: the agent sent an event after the intent
 */
struct host_seen {
	const char *name, *boot_id;
	const struct record *panic, *bench_died, *boot_changed, *stuck;
	const struct record *agent_lost, *taken;
	bool alive_after_death, answered;
};

/**
 * enum guest_end - how a guest ended on a host, as the hypervisor reports it
 */
enum guest_end {
	END_NONE,
	END_PANIC,
	END_QEMU_CRASH,
	END_BY_HYPERVISOR,
	END_SHUT_DOWN,
	END_DESTROYED,
	END_GONE,
};

/**
 * enum hypervisor_state - the last state of a guest on a host that the hypervisor reported
 */
enum hypervisor_state {
	GUEST_STATE_NONE,
	GUEST_STATE_RUNNING,
	GUEST_STATE_PAUSED,
	GUEST_STATE_MOVED,
	GUEST_STATE_ENDED,
};

/**
 * struct guest_side - a guest on one of the hosts
 * @host:    borrowed
 * @lived:   it ran here, at any time: what waits at a target for a guest that does not come is none
 * @state, @state_record: the last state that the hypervisor reported
 * @end, @end_record: how it ended, if the last state is GUEST_STATE_ENDED; the first record of the end
 * @first_ns, @last_ns: arrivals of its heartbeats, on the controller's clock; 0: none
 * @first_record, @last_record: that report them
 * @down, @down_ns: its stream broke or its heartbeats stopped, and when; NULL: not, or they resumed
 * @hello:   the last hello here; @other_boot: the first was of another boot
 * @cut_off: the host closed the stream: missing heartbeats are no evidence
 */
struct guest_side {
	const char *host;
	bool lived;
	enum hypervisor_state state;
	const struct record *state_record;
	enum guest_end end;
	const struct record *end_record;
	int64_t first_ns, last_ns;
	const struct record *first_record, *last_record;
	const struct record *down;
	int64_t down_ns;
	const struct record *hello;
	bool other_boot;
	bool cut_off;
};

/**
 * struct guest_seen - a guest as the evidence shows it
 * @name, @uuid, @boot_id: as it was started; borrowed
 * @sides, @home: the hosts that report it; the one where it began
 * @panic:   panic in its kernel log or on its console
 * @booting: its console shows a kernel that starts
 * @gone:    its stream broke
 * @reboot:  a hello of another boot_id; @gone_before_reboot: its stream had broken before
 * @report:  the last event of one of its workloads
 * @harmed:  a process or a page of it was struck
 * @corrupted: data that differ from what was written
 * @qemu_struck: the host's kernel killed QEMU, or the hypervisor reported the error as fatal to QEMU
 */
struct guest_seen {
	const char *name, *uuid, *boot_id;
	struct guest_side sides[HOST_LIMIT];
	size_t side_count;
	const struct record *panic, *booting, *gone, *reboot, *gone_before_reboot;
	const struct record *report, *harmed, *corrupted, *qemu_struck;
};

/**
 * struct migration_seen - the last migration of the subject as the evidence shows it
 * @guest:    that migrates; NULL: not known
 * @step:     that requested it; NULL: none
 * @begun:    an event reported it; @post_copy: it came to post-copy; @local: source and target are one host
 * @source:   host that reported it; borrowed
 * @end:      record of its end
 * @outcome:  of that end; borrowed
 */
struct migration_seen {
	const struct guest_seen *guest;
	const struct record *step;
	bool begun, post_copy, local;
	const char *source;
	const struct record *end;
	const char *outcome;
	int64_t hypervisor_downtime_ns, time_ns, iterations;
};

/**
 * struct conversion_seen - conversions of guest memory as the evidence shows them
 * @torn, @corrupted, @broken, @hung: the first record of a user that reports it, or NULL
 * @counts:  the last one with counts: @converted, @refused
 * @counted: the kernel's count of conversions, when it grew
 * @ended:   the storm reported its end
 */
struct conversion_seen {
	const struct record *torn, *corrupted, *broken, *hung;
	const struct record *counts, *counted;
	int64_t converted, refused;
	bool ended;
};

/**
 * struct observation - what is gathered while the evidence is read in its order
 * @hosts:  the one that the fault was aimed at first
 * @guests: the subject first
 * @answered_last: the host answered the request for its resource usage, the last one of a trial
 * @fault_ns:   when the fault had been fired, on the controller's clock; the beginning of a trial without one
 * @last_step_ns: when the last step began
 */
struct observation {
	struct victim_seen victim;
	struct host_seen hosts[HOST_LIMIT];
	size_t host_count;
	struct guest_seen guests[GUEST_LIMIT];
	size_t guest_count;
	struct migration_seen migration;
	struct conversion_seen conversion;
	bool answered_last;
	int64_t fault_ns, last_step_ns;
};

/* proof.c */
enum relation scope_relation(const struct scope *scope, const struct kernel_line *line);
void case_prove(struct trial_case *trial, enum group group, const struct record *record,
		enum relation relation);
void case_weigh(struct trial_case *trial, enum group group, const struct record *record,
		enum relation relation, struct nature nature);
void case_prove_by_death(struct trial_case *trial);
void case_read_noise(struct trial_case *trial, const struct record *record);
enum group case_group(struct trial_case *trial, const char *name, bool in_guest);
void case_read_host_proof(struct trial_case *trial, const struct record *record);
void case_read_injector_proof(struct trial_case *trial);
void case_read_trace(struct trial_case *trial, const struct record *record);

/* iommu_axis.c */
void case_read_iommu(struct trial_case *trial, const struct kernel_line *line,
		     const struct record *record);
void case_decide_iommu(struct trial_case *trial);

/* lines.c */
void case_read_lines(struct trial_case *trial);

/* declared.c */
enum format format_declared(const json_t *declared, const char *name);
enum format case_format(const struct trial_case *trial, const struct record *record);
bool case_read_declared(struct trial_case *trial, const struct record *record);
bool case_console_is_alone(const struct trial_case *trial, const struct record *record);
bool case_log_has_all(const struct trial_case *trial, const struct record *record);

/* victim.c */
void case_read_victim_line(const struct scope *scope, struct victim_seen *seen,
			   const struct kernel_line *line, const struct record *record);
void case_read_victim(struct trial_case *trial, struct victim_seen *seen,
		      const struct record *record, bool counts);
void case_decide_victim(struct trial_case *trial, const struct victim_seen *seen);

/* guests.c */
void case_open_guests(const struct trial_case *trial, struct observation *seen);
void case_read_guest_event(struct trial_case *trial, struct observation *seen,
			   const struct record *record);

/* guest_axis.c */
void case_decide_guests(struct trial_case *trial, const struct observation *seen);

/* downtime.c */
void case_measure_downtime(struct trial_case *trial, const struct migration_seen *migration,
			   const struct guest_side *source, const struct guest_side *target);

/* migration_axis.c */
void case_open_migration(const struct trial_case *trial, struct observation *seen);
void case_read_migration(const struct trial_case *trial, struct observation *seen,
			 const struct record *record);
void case_decide_migration(struct trial_case *trial, const struct observation *seen);

/* conversion_axis.c */
void case_read_conversion(struct trial_case *trial, struct conversion_seen *seen,
			  const struct record *record);
void case_decide_conversion(struct trial_case *trial, const struct conversion_seen *seen);

#endif
