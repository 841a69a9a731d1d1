/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_RECORD_H
#define BRINELL_EVIDENCE_RECORD_H

/*
 * Records of the journal, decoded (docs/journal.md). All pointers are borrowed from the record's JSON. A text that is missing is
 * "" unless the comment states otherwise, a number that is missing 0, a time or an amount that may be 0 is -1 then.
 */
#include "harness/evidence/nature.h"
#include "harness/evidence/vocabulary.h"
#include "harness/lib/util.h"

/**
 * struct beat_report - data of the sources heartbeat and guest-link
 * @what:     "heartbeat", "silent", "heard", "gap", "now", "clock"; "hello", "gone", "lost", ... of a stream
 * @age_ns:   since the last beat; -1
 * @since_ns: time since its last heartbeat
 * @arrival_ns: length of a gap, by the clock of the host
 * @beats, @missed, @longest_ns: in the time of the report
 * @guest_ns: the guest's clock at the last beat
 * @prompt_age_ns, @prompt_guest_ns: of the beat that was under way the shortest; -1, 0
 * @interval_ns: between two beats
 * @gaps, @clocks: between beats, and the longest of them, by the guest's own clocks; NULL
 * @boot_id:  of a hello; NULL
 * @first:    the first beat on this host; @connected: the stream stands; @rebooted: another boot than before
 */
struct beat_report {
	const char *what, *boot_id;
	int64_t age_ns, since_ns, arrival_ns, beats, missed, longest_ns;
	int64_t guest_ns, prompt_age_ns, prompt_guest_ns, interval_ns;
	const json_t *gaps, *clocks;
	bool first, connected, rebooted;
};

/**
 * struct domain_report - data of the source hypervisor
 * @state, @detail: of the domain
 * @uuid:       of it; NULL
 * @action:     what QEMU did with a memory failure
 * @statistics: of a job; NULL
 */
struct domain_report {
	const char *state, *detail, *uuid, *action;
	const json_t *statistics;
};

/**
 * struct migration_report - data of the source migration
 * @stage, @outcome, @reason: of it
 * @iteration: of the copy; -1
 * @downtime_ns, @elapsed_ns: at the end; -1
 * @remaining: bytes left to send; -1: the hypervisor has not counted the memory yet
 * @statistics: NULL
 * @local:     source and target are one host
 */
struct migration_report {
	const char *stage, *outcome, *reason;
	int64_t iteration, downtime_ns, elapsed_ns, remaining;
	const json_t *statistics;
	bool local;
};

/** enum checked - what a touch found */
enum checked {
	CHECKED_NOTHING,
	CHECKED_FINE,
	CHECKED_WRONG,
};

/**
 * struct work_report - data of the sources workload, injector and users
 * @workload:    NULL
 * @signal, @status: of the end of a process, or of a signal
 * @signal_name, @code_name, @error_name, @call: NULL
 * @address, @address_text: si_addr; NULL
 * @lsb:         si_addr_lsb; -1
 * @pid:         -1
 * @value:       what a touch found; @data: what it read; NULL
 * @converted, @refused: conversions of memory so far
 * @metrics:     NULL
 */
struct work_report {
	const char *workload, *signal_name, *code_name, *error_name, *call, *address_text, *data;
	int64_t signal, status, lsb, pid, converted, refused;
	uint64_t address;
	enum checked value;
	const json_t *metrics;
};

/**
 * struct event_record - what a source reported
 * @source:  its kind; @witness its name
 * @name:    of the event (`event` in its data)
 * @text:    line of a log, or words for people
 * @lost:    lines or events that are missing here
 * @guest_time_ns: when it was, by the clock of the guest that reports it; 0: not known
 * @data:    all of it; NULL
 * @beat, @domain, @migration, @work: by @source; a witness of an agent declares its own fields
 */
struct event_record {
	enum source source;
	const char *witness, *name, *text;
	int64_t lost, guest_time_ns;
	const json_t *data;
	union {
		struct beat_report beat;
		struct domain_report domain;
		struct migration_report migration;
		struct work_report work;
	};
};

/**
 * struct start_record - of an attempt
 * @scenario, @bench: "unknown" when missing
 * @title: NULL
 * @spec, @expect: of the scenario; NULL
 */
struct start_record {
	const char *scenario, *title, *bench;
	int64_t seed;
	const json_t *spec, *expect;
};

/**
 * struct intent_record - a fault is about to be fired
 * @injector, @target: NULL
 * @boot_id:   of the host; NULL
 * @kills:     what the fault kills: "qemu", a daemon
 * @echoed_by: witness that reports the injector's own command, so that it proves nothing
 * @fault:     kind and severity; any for an injector that declares none
 * @arguments, @prepared: NULL
 */
struct intent_record {
	const char *injector, *target, *boot_id, *kills, *echoed_by;
	struct nature fault;
	const json_t *arguments, *prepared;
};

/**
 * struct outcome_record - outcome of a fault as the injector reports it
 * @injector: NULL
 * @error:      errno; 0: done
 * @error_name: of it; NULL: done
 * @result:     NULL
 * @memory:     "arrived" or "blocked", as the memory of a device's access was read; NULL: it was not
 * @ended:      the process that it was to kill has ended
 */
struct outcome_record {
	const char *injector, *error_name, *reason, *memory;
	int64_t error;
	const json_t *result;
	bool ended;
};

/** struct boot_record - @boot_id, @kernel: of the host; NULL. @facts: its hello */
struct boot_record {
	const char *boot_id, *kernel;
	const json_t *facts;
};

/** struct guest_record - @uuid, @boot_id, @kernel: NULL. @facts: of it; @arrived: by a migration; @warm: it ran before */
struct guest_record {
	const char *uuid, *boot_id, *kernel;
	const json_t *facts;
	bool arrived, warm;
};

/** struct witnesses_record - witnesses at work: @started, and what they declare in @formats and @proofs; NULL: an old journal */
struct witnesses_record {
	const json_t *started, *formats, *proofs;
};

/** struct facts_record - of @workload (NULL): @facts, or the page that was resolved */
struct facts_record {
	const char *workload;
	const json_t *facts;
};

/** struct step_record - @kind of it; @text for people */
struct step_record {
	const char *kind, *text;
};

/** struct close_record - @word for the @cause of it, and @reason */
struct close_record {
	enum end_cause cause;
	const char *word, *reason;
};

/**
 * struct record - of the journal
 * @type:   of it; @type_name as it is written
 * @trial:  id; NULL: of the whole run
 * @host:   NULL: it names none
 * @guest:  that it is from or about; NULL: it is the host's own
 * @written_ns: when the controller wrote it, CLOCK_REALTIME
 * @seen_ns: when it was seen, on the controller's clock: not later than @written_ns, whatever the clock of its host
 *           is; and so far from the ends of its type that spans can be added and subtracted
 * @line:   of the journal that was lost here (RECORD_DAMAGE)
 * @body:   all of it; NULL: it has none
 * @start ... @close: by @type
 */
struct record {
	enum record_type type;
	const char *type_name, *trial, *host, *guest;
	int64_t written_ns, seen_ns;
	const json_t *body;
	union {
		struct start_record start;
		struct boot_record boot;
		struct witnesses_record witnesses;
		struct guest_record guest_start;
		struct facts_record facts;
		struct step_record step;
		struct intent_record intent;
		struct outcome_record outcome;
		struct event_record event;
		struct close_record close;
		int64_t line;
	};
};

/* Each of the @records of what owns them: their addresses are in the order of the journal, too. */
#define for_each_record(owner, record)                                                             \
	for (const struct record *record = (owner)->records;                                       \
	     record < (owner)->records + (owner)->record_count; record++)

void record_read(struct record *record, const json_t *json);
const char *record_quote(const struct record *record);
bool event_is_from(const struct record *record, enum source source);
bool event_is_named(const struct record *record, const char *name);
bool event_is_of_console(const struct record *record);
bool record_same_machine(const struct record *one, const struct record *other);
bool event_is_of_kernel(const struct record *record);
bool intent_bank(const struct record *record, uint64_t *cpu, uint64_t *bank);
bool is_memory_error_signal(const struct work_report *report);

#endif
