/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_RIG_FIRMWARE_INTERNAL_H
#define BRINELL_RIG_FIRMWARE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "harness/lib/util.h"
#include "harness/rig/firmware/acpi_table.h"
#include "harness/rig/firmware/cper.h"
#include "harness/rig/firmware/firmware.h"
#include "harness/rig/firmware/poison.h"
#include "harness/rig/qmp.h"

/* ACPI 6.5 table 18.28; what is above is reserved. */
enum einj_status {
	EINJ_SUCCESS = 0,
	EINJ_FAILURE = 1,
	EINJ_INVALID_ACCESS = 2,
};

/* IA32_MCi_STATUS, IA32_MCi_MISC and IA32_MCG_STATUS of an error that is not consumed yet (SDM volume 3, 17.3 and 17.9). */
#define STATUS_SRAO_SCRUB UINT64_C(0xbd000000000000c0)
#define MCG_RIPV_MCIP 5
#define MISC_PAGE 0x8c

/* ACPI 6.5 table 18.30, error types: three kinds by three severities from bit 0 on. */
#define EINJ_TYPES_OFFERED UINT32_C(0x1ff)
#define EINJ_TYPE_V2 (UINT32_C(1) << 30)
#define EINJV2_TYPES_OFFERED UINT32_C(0x7)

/* Of SET_ERROR_TYPE_WITH_ADDRESS, ACPI 6.5 table 18.31; bit 3 is of EINJv2. */
enum einj_flags {
	EINJ_FLAG_APIC = 1 << 0,
	EINJ_FLAG_ADDRESS = 1 << 1,
	EINJ_FLAG_SBDF = 1 << 2,
	EINJ_FLAG_V2 = 1 << 3,
};

struct einj_component {
	uint8_t id[16];
	uint8_t syndrome[16];
};

/* A command of the guest, copied from its memory once and checked. */
struct einj_request {
	uint32_t type;
	uint32_t flags;
	uint32_t apic;
	uint32_t sbdf;
	uint64_t address;
	uint64_t mask;
	bool v2;
	enum cper_section section;
	enum cper_severity severity;
	unsigned int components;
	struct einj_component component[EINJV2_COMPONENTS];
};

/* State of an armed line that is not shared with the plugin. */
struct line_state {
	bool reported; /* by a machine check or a record */
	int64_t partial_due; /* CLOCK_MONOTONIC: a partial store is reported then, unless the line was overwritten */
	int64_t retire_due; /* CLOCK_MONOTONIC: the kernel has unmapped the page by then */
};

struct machine_check {
	const char *kind;
	unsigned int processor;
	uint64_t status;
	uint64_t mcg_status;
	uint64_t address;
	uint64_t misc;
	int line; /* -1: none */
};

#define QUEUE_LENGTH 128

/* Doorbell values that were not handled yet, in order; repetitions of a value count once. */
#define BELL_LENGTH 64

struct bell {
	pthread_mutex_t mutex;
	uint8_t rung[BELL_LENGTH];
	unsigned int first, count;
};

struct counts {
	unsigned int execute, trigger, stray, srao, srar, fatal, corrected, ucna, overwritten, lost;
};

struct firmware {
	struct firmware_config config;
	firmware_event_fn event;
	void *context;

	pthread_mutex_t mutex; /* everything below that is not atomic */
	pthread_t reader, worker;
	int listen_fd, notify_fd, wake_fd, stop_fd, interrupt_fd;
	struct bell bell;
	atomic_bool stopping;

	uint8_t *ram; /* the whole RAM of the machine, shared */
	uint64_t ram_device, ram_inode;
	struct poison_page *page;
	struct qmp *qmp;

	uint32_t available, available_v2;
	struct {
		const char *name; /* NULL: the correct answer */
		uint32_t status;
		bool never;
		int64_t count; /* remaining commands that it applies to; 0: until changed */
	} answer;
	struct {
		int64_t ms;
		int64_t count;
	} delay;
	int64_t retire_ms;

	struct {
		bool valid;
		struct einj_request request;
		int line;
	} command; /* the last that was executed with success and not triggered yet */
	int64_t answer_due;
	uint32_t answer_status;

	struct line_state lines[POISON_LINES];
	int64_t linger_due; /* nothing is armed: until then the machine stays instrumented; 0: it is not, or something is armed */
	uint64_t posts_taken;
	struct cper_record records[QUEUE_LENGTH];
	unsigned int first_record, record_count;
	struct machine_check checks[QUEUE_LENGTH];
	unsigned int first_check, check_count;
	int64_t last_check, hold_until, block_retry;
	unsigned int serial;
	struct counts counts;
};

/* firmware_einj.c */
int einj_read_request(const struct firmware *firmware, struct einj_request *request);
void einj_reset_registers(struct firmware *firmware);
void einj_execute(struct firmware *firmware);
void einj_trigger(struct firmware *firmware);
void einj_answer(struct firmware *firmware, uint32_t status);
void einj_set_types(struct firmware *firmware);

/* firmware_poison.c */
int poison_arm(struct firmware *firmware, uint64_t address, enum poison_kind kind, int *line);
void poison_disarm(struct firmware *firmware, int line);
void poison_disarm_all(struct firmware *firmware);
void poison_take_posts(struct firmware *firmware);
void poison_expire(struct firmware *firmware, int64_t now);
int64_t poison_next_due(const struct firmware *firmware);
int poison_scrub(struct firmware *firmware);
json_t *poison_list(const struct firmware *firmware);

/* firmware_deliver.c */
void deliver_check(struct firmware *firmware, const struct machine_check *check);
int deliver_check_now(struct firmware *firmware, const struct machine_check *check);
void deliver_record(struct firmware *firmware, const struct cper_record *record);
void deliver_pending(struct firmware *firmware, int64_t now);
int64_t deliver_next_due(const struct firmware *firmware);
int interrupt_connect(struct firmware *firmware);

/* firmware.c */
void firmware_event(struct firmware *firmware, json_t *event);
void firmware_step(struct firmware *firmware);
void bell_ring(struct bell *bell, const uint8_t *values, size_t count);
json_t *json_hex(uint64_t number);

#endif
