/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_EVIDENCE_VOCABULARY_H
#define BRINELL_EVIDENCE_VOCABULARY_H

/* The words that journals, scenarios and results share, each in one table. */

#include "harness/lib/util.h"

/*
 * Reason codes: what decided a verdict. A code never changes its meaning; docs/verdicts.md lists them. The codes of a guest
 * that was killed and of one that a migration lost name the same causes in the same order.
 */
#define REASON_CODES(X)                                                                            \
	X(NONE, "none", "no reason: the expectation holds")                                        \
	X(AS_EXPECTED, "as-expected", "delivered, and every expectation holds")                    \
	X(REFUSED, "refused", "the fault was refused, as expected")                                \
	X(WITHOUT_EFFECT, "without-effect", "the fault had no effect, as expected")                \
	X(WITHOUT_FAULT, "without-fault", "no fault was asked for, and every expectation holds")   \
	X(NOT_APPLICABLE, "not-applicable", "the trial was skipped")                               \
	X(NEVER_STARTED, "never-started", "the run ended before the trial started")                \
	X(BENCH_FAILED, "bench-failed", "the bench failed")                                        \
	X(ENDED_BEFORE_FAULT, "ended-before-fault", "the trial ended before its fault was fired")  \
	X(UNFINISHED_AFTER_FAULT, "unfinished-after-fault",                                        \
	  "the trial could not be finished after its fault")                                       \
	X(MOVED_UNDER_FAULT, "moved-under-fault",                                                  \
	  "the guest was no longer in the frame when the fault was fired")                         \
	X(FIRED_TWICE, "fired-twice", "the trial started again after its fault had been fired")    \
	X(START_MISSING, "start-missing", "the journal lacks the start of the trial")              \
	X(CLOSE_MISSING, "close-missing", "the journal lacks the end of the trial")                \
	X(TRIGGER_MISSED, "trigger-missed", "the trigger of the fault did not occur")              \
	X(JOURNAL_DAMAGED, "journal-damaged", "lines of the journal are lost within the trial")    \
	X(NOT_FIRED, "not-fired", "no fault was fired")                                            \
	X(CUT_SHORT, "cut-short", "the trial was cut off before its last step")                    \
	X(FOREIGN_EVIDENCE, "foreign-evidence",                                                    \
	  "the evidence names another page or process than the fault")                             \
	X(ALREADY_NOISY, "already-noisy", "errors of this kind were reported before the fault")    \
	X(OTHER_ERROR, "other-error",                                                              \
	  "the evidence is of another kind or severity than the fault")                            \
	X(INJECTOR_FAILED, "injector-failed", "the injector reported an error")                    \
	X(INJECTOR_SILENT, "injector-silent", "the injector did not report a result")              \
	X(DELIVERED_NOT_PROVEN, "delivered-not-proven",                                            \
	  "no witness reported the fault, or the reports leave open which error it is")            \
	X(ONE_WITNESS, "one-witness", "only one group of witnesses saw the fault")                 \
	X(UNASKED_FAULT, "unasked-fault", "a witness saw a fault, and none was asked for")         \
	X(NOTHING_EXPECTED, "nothing-expected", "no fault was asked for and nothing is expected")  \
	X(DELIVERED_UNEXPECTEDLY, "delivered-unexpectedly",                                        \
	  "the fault took effect and must not have")                                               \
	X(EFFECT_NOT_OBSERVED, "effect-not-observed",                                              \
	  "no witness that would show the effect was running")                                     \
	X(NOT_REFUSED, "not-refused", "the injector did not fail with the expected error")         \
	X(BAD_EXPECTATION, "bad-expectation", "the scenario expects a value that does not exist")  \
	X(BAD_PATTERN, "bad-pattern", "a pattern of the scenario is no regular expression")        \
	X(NO_WITNESS, "no-witness", "no witness reports on what is expected")                      \
	X(LOG_LOST, "log-lost",                                                                    \
	  "lines of a log were lost, and the expected one may be among them")                      \
	X(LOG_NOT_SEEN, "log-not-seen", "no line of the log was seen")                             \
	X(LINE_MISSING, "line-missing", "an expected line does not appear in its log")             \
	X(LINE_NOT_SEEN, "line-not-seen", "an expected line was not seen, and may exist")          \
	X(FORBIDDEN_LINE, "forbidden-line", "a log holds a line that it must not hold")            \
	X(COUNTER_DIFFERS, "counter-differs", "a counter changed by another amount")               \
	X(COUNTER_SILENT, "counter-silent", "a counter was not reported")                          \
	X(PAGE_POISONED, "page-poisoned", "the page is poisoned, expected intact")                 \
	X(PAGE_INTACT, "page-intact", "the page is intact, expected poisoned")                     \
	X(PAGE_NOT_SEEN, "page-not-seen", "no witness reported the flags of the page")             \
	X(KERNEL_DAMAGED, "kernel-damaged", "a kernel reports an oops, a BUG or a warning")        \
	X(IOMMU_FAULT, "iommu-fault", "the IOMMU reported an unexpected fault")                    \
	X(IOMMU_QUIET, "iommu-quiet", "the IOMMU reported no fault, expected one")                 \
	X(IOMMU_UNKNOWN, "iommu-unknown", "reports of the IOMMU were lost")                        \
	X(DMA_ARRIVED, "dma-arrived", "a DMA reached memory that it must not reach")               \
	X(DMA_BLOCKED, "dma-blocked", "a DMA did not reach its memory")                            \
	X(DMA_SILENT, "dma-silent", "the memory of the DMA was not read")                          \
	X(HOST_SURVIVED, "host-survived", "the host survived, expected worse")                     \
	X(HOST_HUNG_UNEXPECTEDLY, "host-hung-unexpectedly", "the host hangs")                      \
	X(HOST_DIED_UNEXPECTEDLY, "host-died-unexpectedly", "the host died")                       \
	X(OTHER_HOST_DIED, "other-host-died", "a host that was no target died")                    \
	X(HOST_CONTRADICTED, "host-contradicted", "conflicting evidence: the host died and is up") \
	X(HOST_ONE_SIGN, "host-one-sign", "only one sign that the host died")                      \
	X(HOST_SILENT, "host-silent", "no evidence about the host after the fault")                \
	X(VICTIM_UNHARMED, "victim-unharmed", "the victim is unharmed, expected harm")             \
	X(VICTIM_CONTAINED, "victim-contained", "the victim handled the fault")                    \
	X(VICTIM_KILLED, "victim-killed", "the victim was killed")                                 \
	X(VICTIM_HUNG, "victim-hung", "the victim hangs")                                          \
	X(VICTIM_CORRUPTED, "victim-corrupted", "the victim read data that it did not write")      \
	X(VICTIM_CONTRADICTED, "victim-contradicted",                                              \
	  "the kernel log contradicts the victim's own report")                                    \
	X(VICTIM_SILENT, "victim-silent", "the victim did not report what is expected of it")      \
	X(VICTIM_SIGNALLED, "victim-signalled", "the victim got a signal, expected none")          \
	X(SIGNAL_DIFFERS, "signal-differs", "the signal, its code or its address differs")         \
	X(SIGNAL_MISSING, "signal-missing", "the victim got no signal")                            \
	X(ERROR_DIFFERS, "error-differs", "the victim's system call failed with another error")    \
	X(ERROR_MISSING, "error-missing", "no system call of the victim failed")                   \
	X(DATA_DIFFER, "data-differ", "the victim read other data than expected")                  \
	X(GUEST_UNHARMED, "guest-unharmed", "the guest is unharmed, expected harm")                \
	X(GUEST_CONTAINED, "guest-contained", "the guest handled the fault")                       \
	X(GUEST_HUNG, "guest-hung", "the guest hangs")                                             \
	X(GUEST_CORRUPTED, "guest-corrupted", "the guest read data that it did not write")         \
	X(GUEST_KILLED_HOST_CRASH, "guest-killed-host-crash", "the guest died with its host")      \
	X(GUEST_KILLED_KERNEL_CRASH, "guest-killed-kernel-crash", "the guest's kernel crashed")    \
	X(GUEST_KILLED_RESTART, "guest-killed-restart", "the guest rebooted")                      \
	X(GUEST_KILLED_QEMU_CRASH, "guest-killed-qemu-crash", "the guest's QEMU crashed")          \
	X(GUEST_KILLED_BY_HYPERVISOR, "guest-killed-by-hypervisor",                                \
	  "the hypervisor ended the guest")                                                        \
	X(GUEST_KILLED_SHUT_DOWN, "guest-killed-shut-down", "the guest shut down")                 \
	X(GUEST_KILLED_DESTROYED, "guest-killed-destroyed", "the domain was destroyed")            \
	X(GUEST_KILLED_GONE, "guest-killed-gone", "the domain is gone, the cause is not known")    \
	X(GUEST_CONTRADICTED, "guest-contradicted",                                                \
	  "conflicting evidence: the guest is reported dead, heartbeats continue")                 \
	X(GUEST_ONE_SIGN_OF_DEATH, "guest-one-sign-of-death", "only one sign that the guest died") \
	X(GUEST_ONE_SIGN_OF_LIFE, "guest-one-sign-of-life",                                        \
	  "only one sign that the guest is alive")                                                 \
	X(GUEST_SILENT, "guest-silent", "no evidence about the guest after the fault")             \
	X(BYSTANDER_KILLED, "bystander-killed", "a guest that was no target was killed")           \
	X(BYSTANDER_HUNG, "bystander-hung", "a guest that was no target hangs")                    \
	X(BYSTANDER_CORRUPTED, "bystander-corrupted",                                              \
	  "a guest that was no target read wrong data")                                            \
	X(MIGRATION_COMPLETED, "migration-completed", "the migration completed unexpectedly")      \
	X(MIGRATION_REFUSED, "migration-refused", "the migration was refused unexpectedly")        \
	X(MIGRATION_CANCELLED, "migration-cancelled", "the migration was cancelled unexpectedly")  \
	X(MIGRATION_FAILED, "migration-failed", "the migration failed, and the guest runs on")     \
	X(MIGRATION_GUEST_KILLED, "migration-guest-killed",                                        \
	  "the migration failed because its guest died of something else")                         \
	X(GUEST_LOST_HOST_CRASH, "guest-lost-host-crash", "lost in migration: a host died")        \
	X(GUEST_LOST_KERNEL_CRASH, "guest-lost-kernel-crash",                                      \
	  "lost in migration: the guest's kernel crashed")                                         \
	X(GUEST_LOST_RESTART, "guest-lost-restart", "lost in migration: the guest rebooted")       \
	X(GUEST_LOST_QEMU_CRASH, "guest-lost-qemu-crash", "lost in migration: QEMU crashed")       \
	X(GUEST_LOST_BY_HYPERVISOR, "guest-lost-by-hypervisor",                                    \
	  "lost in migration: the hypervisor ended the guest")                                     \
	X(GUEST_LOST_SHUT_DOWN, "guest-lost-shut-down", "lost in migration: the guest shut down")  \
	X(GUEST_LOST_DESTROYED, "guest-lost-destroyed",                                            \
	  "lost in migration: the domain was destroyed")                                           \
	X(GUEST_LOST_GONE, "guest-lost-gone", "lost in migration: the domain is gone")             \
	X(GUEST_LOST_HUNG, "guest-lost-hung", "lost in post-copy: the guest hangs")                \
	X(GUEST_LOST_TORN, "guest-lost-torn",                                                      \
	  "lost in post-copy: the source ended with the rest of the memory")                       \
	X(GUEST_LOST_ANOTHER_BOOT, "guest-lost-another-boot",                                      \
	  "another boot of the guest runs at the target")                                          \
	X(MIGRATION_CONTRADICTED, "migration-contradicted",                                        \
	  "conflicting evidence about where the guest runs, or where it ended")                    \
	X(MIGRATION_END_UNKNOWN, "migration-end-unknown", "no evidence about its end")             \
	X(MIGRATION_NOT_PROVEN, "migration-not-proven",                                            \
	  "only the source reports that the migration completed")                                  \
	X(MIGRATION_SOURCE_SILENT, "migration-source-silent",                                      \
	  "the migration ended, and no evidence shows the guest running at the source")            \
	X(CONVERSION_DONE, "conversion-done", "memory was converted, expected a refusal")          \
	X(CONVERSION_REFUSED, "conversion-refused",                                                \
	  "a conversion failed and all users kept their memory")                                   \
	X(CONVERSION_TORN, "conversion-torn",                                                      \
	  "a user lost memory that it had, with a conversion that failed or beside one")           \
	X(CONVERSION_CORRUPTED, "conversion-corrupted",                                            \
	  "a user of converted memory read data that it did not write")                            \
	X(CONVERSION_LEAK, "conversion-leak",                                                      \
	  "the kernel still holds what a storm of conversions used")                               \
	X(CONVERSION_UNEXPLAINED, "conversion-unexplained",                                        \
	  "a user of converted memory failed for a reason of its own")                             \
	X(CONVERSION_ONE_WITNESS, "conversion-one-witness",                                        \
	  "only the users report that memory was converted")                                       \
	X(CONVERSION_SILENT, "conversion-silent", "no user reported the state of converted memory")

/**
 * enum code - what decided a verdict or the value of an axis
 */
enum code {
#define REASON_CODE(id, name, meaning) CODE_##id,
	REASON_CODES(REASON_CODE)
#undef REASON_CODE
	CODE_COUNT
};

const char *code_name(enum code code);
enum code code_find(const char *name);

/* Axes: of the victim, of a host and of a guest, each in order of harm, and of a migration. */
#define PROCESS_AXIS(X)                                                                            \
	X(PROCESS_UNHARMED, "unharmed")                                                            \
	X(PROCESS_CONTAINED, "contained")                                                          \
	X(PROCESS_KILLED, "killed")                                                                \
	X(PROCESS_HUNG, "hung")                                                                    \
	X(PROCESS_CORRUPTED, "corrupted")

#define HOST_AXIS(X)                                                                               \
	X(HOST_AXIS_UP, "up")                                                                      \
	X(HOST_AXIS_HUNG, "hung")                                                                  \
	X(HOST_AXIS_DIED, "died")

#define GUEST_AXIS(X)                                                                              \
	X(GUEST_UNHARMED, "unharmed")                                                              \
	X(GUEST_CONTAINED, "contained")                                                            \
	X(GUEST_KILLED, "killed")                                                                  \
	X(GUEST_HUNG, "hung")                                                                      \
	X(GUEST_CORRUPTED, "corrupted")

#define MIGRATION_AXIS(X)                                                                          \
	X(MIGRATION_AXIS_NONE, "none")                                                             \
	X(MIGRATION_AXIS_COMPLETED, "completed")                                                   \
	X(MIGRATION_AXIS_REFUSED, "refused")                                                       \
	X(MIGRATION_AXIS_CANCELLED, "cancelled")                                                   \
	X(MIGRATION_AXIS_FAILED, "failed")                                                         \
	X(MIGRATION_AXIS_LOST, "lost")

/* How conversions of guest memory went, in order of harm. */
#define CONVERSION_AXIS(X)                                                                         \
	X(CONVERSION_AXIS_NONE, "none")                                                            \
	X(CONVERSION_AXIS_DONE, "done")                                                            \
	X(CONVERSION_AXIS_REFUSED_INTACT, "refused-intact")                                        \
	X(CONVERSION_AXIS_REFUSED_TORN, "refused-torn")                                            \
	X(CONVERSION_AXIS_CORRUPTED, "corrupted")

/* Why a trial ended, in its record `close`. */
#define END_CAUSES(X)                                                                              \
	X(CAUSE_DONE, "done")                                                                      \
	X(CAUSE_SKIP, "skip")                                                                      \
	X(CAUSE_INFRA, "infra")                                                                    \
	X(CAUSE_AGENT_LOST, "agent-lost")                                                          \
	X(CAUSE_HOST_DIED, "host-died")                                                            \
	X(CAUSE_INTERRUPTED, "interrupted")                                                        \
	X(CAUSE_DEADLINE, "deadline")                                                              \
	X(CAUSE_TRIGGER_MISSED, "trigger-missed")

/*
 * Groups of witnesses that can not have the same source. /dev/kmsg and the console show the same messages, so they are one;
 * so are those of a guest. A boot_id that changed and the bench that saw the power go are two: one comes from inside, the
 * other from outside. A guest's boot_id and its stream, seen by its host, likewise. "process" is the end of the process that
 * an injector killed, as the kernel reports it by a pidfd.
 */
#define EVIDENCE_GROUPS(X)                                                                         \
	X(KERNEL_LOG, "kernel log")                                                                \
	X(TRACE, "trace")                                                                          \
	X(INTERRUPTS, "interrupts")                                                                \
	X(MEMINFO, "meminfo")                                                                      \
	X(PAGEFLAGS, "pageflags")                                                                  \
	X(WORKLOAD, "workload")                                                                    \
	X(BENCH, "bench")                                                                          \
	X(BOOT, "boot")                                                                            \
	X(PROCESS, "process")                                                                      \
	X(HYPERVISOR, "hypervisor")                                                                \
	X(GUEST_LOG, "guest log")                                                                  \
	X(GUEST_INTERRUPTS, "guest interrupts")                                                    \
	X(GUEST_LINK, "guest link")                                                                \
	X(GUEST_MEMINFO, "guest meminfo")                                                          \
	X(GUEST_BOOT, "guest boot")                                                                \
	X(GUEST_TRACE, "guest trace")                                                              \
	X(USERS, "users")                                                                          \
	X(CONVERSIONS, "conversions")

/* Sources of evidence besides the witnesses of an agent (struct witness): what an agent runs, what sees a host from outside... */
#define RUN_SOURCES(X)                                                                             \
	X(SOURCE_WORKLOAD, "workload")                                                             \
	X(SOURCE_INJECTOR, "injector")                                                             \
	X(SOURCE_USERS, "users")

#define OUTSIDE_SOURCES(X)                                                                         \
	X(SOURCE_CONSOLE, "console")                                                               \
	X(SOURCE_BENCH, "bench")                                                                   \
	X(SOURCE_FIRMWARE, "firmware")

/* ... the controller itself, and what a host's agent reports about guests. */
#define CONTROLLER_SOURCES(X)                                                                      \
	X(SOURCE_PROTOCOL, "protocol")                                                             \
	X(SOURCE_ENGINE, "engine")

#define GUEST_SOURCES(X)                                                                           \
	X(SOURCE_HEARTBEAT, "heartbeat")                                                           \
	X(SOURCE_GUEST_LINK, "guest-link")                                                         \
	X(SOURCE_GUEST_CONSOLE, "guest-console")                                                   \
	X(SOURCE_HYPERVISOR, "hypervisor")                                                         \
	X(SOURCE_MIGRATION, "migration")

/* Witnesses of the machine below guests, which only an agent that is linked with its hypervisor may have. */
#define BELOW_SOURCES(X)                                                                           \
	X(SOURCE_HYPERVISOR_LOG, "hypervisor-log")                                                 \
	X(SOURCE_PAGE_TYPE, "page-type")                                                           \
	X(SOURCE_FRAME_STATE, "frame-state")

/* Types of the journal's records (docs/journal.md). */
#define RECORD_TYPES(X)                                                                            \
	X(RECORD_RUN, "run")                                                                       \
	X(RECORD_TRIAL, "trial")                                                                   \
	X(RECORD_BOOT, "boot")                                                                     \
	X(RECORD_WITNESSES, "witnesses")                                                           \
	X(RECORD_GUEST, "guest")                                                                   \
	X(RECORD_RESOLVED, "resolved")                                                             \
	X(RECORD_FACTS, "facts")                                                                   \
	X(RECORD_STEP, "step")                                                                     \
	X(RECORD_INTENT, "intent")                                                                 \
	X(RECORD_OUTCOME, "outcome")                                                               \
	X(RECORD_EVENT, "event")                                                                   \
	X(RECORD_CLOSE, "close")                                                                   \
	X(RECORD_VERDICT, "verdict")                                                               \
	X(RECORD_USAGE, "usage")                                                                   \
	X(RECORD_DAMAGE, "damage")

/* Event of the engine: the page of a guest was elsewhere when the fault had been fired. */
#define EVENT_MOVED_UNDER_FAULT "moved-under-fault"

/* Entries of an enum, and words of a list, from a table. */
#define TABLE_ID(id, name) id,
#define TABLE_WORD(id, name) name,

enum process_axis {
	PROCESS_UNKNOWN = -1,
	PROCESS_AXIS(TABLE_ID)
};
enum host_axis {
	HOST_AXIS_UNKNOWN = -1,
	HOST_AXIS(TABLE_ID)
};
enum guest_axis {
	GUEST_UNKNOWN = -1,
	GUEST_AXIS(TABLE_ID)
};
enum migration_axis {
	MIGRATION_AXIS_UNKNOWN = -1,
	MIGRATION_AXIS(TABLE_ID)
};
enum conversion_axis {
	CONVERSION_AXIS_UNKNOWN = -1,
	CONVERSION_AXIS(TABLE_ID)
};
enum end_cause {
	CAUSE_NONE = -1,
	END_CAUSES(TABLE_ID)
};
/* A type that this version does not know is RECORD_OTHER, a source that is none of the tables a witness of an agent. */
enum record_type {
	RECORD_OTHER = -1,
	RECORD_TYPES(TABLE_ID)
};
enum source {
	SOURCE_WITNESS = -1,
	RUN_SOURCES(TABLE_ID)
	OUTSIDE_SOURCES(TABLE_ID) CONTROLLER_SOURCES(TABLE_ID) GUEST_SOURCES(TABLE_ID)
};

enum group_index {
#define GROUP_INDEX(id, name) GROUP_INDEX_##id,
	EVIDENCE_GROUPS(GROUP_INDEX)
#undef GROUP_INDEX
	GROUP_COUNT
};

enum group {
#define GROUP(id, name) GROUP_##id = 1 << GROUP_INDEX_##id,
	EVIDENCE_GROUPS(GROUP)
#undef GROUP
};

const char *process_axis_name(enum process_axis axis);
const char *host_axis_name(enum host_axis axis);
const char *guest_axis_name(enum guest_axis axis);
const char *migration_axis_name(enum migration_axis axis);
const char *conversion_axis_name(enum conversion_axis axis);
const char *cause_name(enum end_cause cause);
enum end_cause cause_find(const char *name);
enum record_type record_type_find(const char *name);
enum source source_find(const char *name);
const char *group_name(enum group_index group);

#endif
