// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delivery of errors to the machine: machine checks by the monitor's `mce`, records by the generic hardware error source of
 * HEST and its interrupt.
 *
 * A machine check on a processor whose last one is not finished (IA32_MCG_STATUS.MCIP) resets the machine, in QEMU as on
 * metal. A broadcast reaches all processors, and their MCIP can not be read from outside. So broadcasts keep a distance in
 * time to every other machine check, and the plugin raises none meanwhile: a processor that consumes poison in that time
 * repeats its instruction until its machine check can be raised.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/rig/firmware/internal.h"

#define QMP_TIMEOUT_MS 2000
/* Handling a broadcast takes 1 to 3 ms on an idle 2-core machine under TCG. */
#define CHECK_DISTANCE_NS (50 * NSEC_PER_MSEC)
/* The kernel clears the block status in its interrupt handler. */
#define BLOCK_RETRY_NS (2 * NSEC_PER_MSEC)
#define RAISING_MS 50

static int execute_check(struct firmware *firmware, const struct machine_check *check)
{
	struct poison_page *page = firmware->page;
	int64_t deadline = now_monotonic_ns() + RAISING_MS * NSEC_PER_MSEC;
	__cleanup_free char *text = NULL;
	int error = -ENOTCONN;
	json_t *event;

	atomic_store(&page->hold, 1);
	while (atomic_load(&page->raising) && now_monotonic_ns() < deadline)
		poll(NULL, 0, 1);
	if (firmware->qmp)
		error = qmp_human(firmware->qmp, QMP_TIMEOUT_MS, &text,
				  "mce %s%u %d 0x%llx 0x%llx 0x%llx 0x%llx",
				  firmware->config.single ? "" : "-b ", check->processor,
				  POISON_BANK, (unsigned long long)check->status,
				  (unsigned long long)check->mcg_status,
				  (unsigned long long)check->address,
				  (unsigned long long)check->misc);
	firmware->last_check = now_monotonic_ns();
	firmware->hold_until = firmware->last_check + CHECK_DISTANCE_NS;
	event = json_pack("{s:s, s:s, s:i, s:o, s:o}", "event",
			  error ? "not-delivered" : "delivered", "kind", check->kind, "cpu",
			  (int)check->processor, "address", json_hex(check->address), "status",
			  json_hex(check->status));
	if (error)
		json_object_set_new(event, "error", json_string(error_name(error)));
	else if (!strcmp(check->kind, "SRAO"))
		firmware->counts.srao++;
	else
		firmware->counts.fatal++;
	if (text && *text)
		json_object_set_new(event, "monitor", json_string(text));
	if (check->line >= 0) {
		firmware->lines[check->line].reported = true;
		if (firmware->retire_ms)
			firmware->lines[check->line].retire_due =
				firmware->last_check + firmware->retire_ms * NSEC_PER_MSEC;
	}
	firmware_event(firmware, event);
	return error;
}

static int64_t check_allowed_at(const struct firmware *firmware)
{
	int64_t raised = (int64_t)atomic_load(&firmware->page->raised_ns);
	int64_t last = raised > firmware->last_check ? raised : firmware->last_check;

	return last ? last + CHECK_DISTANCE_NS : 0;
}

/**
 * deliver_check - broadcast a machine check, as soon as no earlier one can be in progress
 * @firmware: model
 * @check:    copied
 */
void deliver_check(struct firmware *firmware, const struct machine_check *check)
{
	if (firmware->check_count == QUEUE_LENGTH) {
		firmware->counts.lost++;
		return;
	}
	firmware->checks[(firmware->first_check + firmware->check_count++) % QUEUE_LENGTH] = *check;
	deliver_pending(firmware, now_monotonic_ns());
}

/**
 * deliver_check_now - broadcast a machine check, and wait until it is delivered
 * @firmware: model
 * @check:    machine check
 *
 * Return: 0 when it is delivered; -EBUSY while an earlier one may be in progress; or -errno of the monitor.
 */
int deliver_check_now(struct firmware *firmware, const struct machine_check *check)
{
	if (firmware->check_count || check_allowed_at(firmware) > now_monotonic_ns())
		return -EBUSY;
	return execute_check(firmware, check);
}

/* Connect to QEMU's test interface, the only one that can set an interrupt line from outside. */
int interrupt_connect(struct firmware *firmware)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s.irq",
			     firmware->config.doorbell_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	firmware->interrupt_fd = fd;
	return 0;
}

static int pulse_interrupt(struct firmware *firmware)
{
	char pulse[128], drain[256];
	int length = snprintf(pulse, sizeof(pulse),
			      "set_irq_in ioapic unnamed-gpio-in %d 1\n"
			      "set_irq_in ioapic unnamed-gpio-in %d 0\n",
			      GHES_GSI, GHES_GSI);

	if (firmware->interrupt_fd < 0)
		return -ENOTCONN;
	while (recv(firmware->interrupt_fd, drain, sizeof(drain), MSG_DONTWAIT) > 0)
		;
	if (send(firmware->interrupt_fd, pulse, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    length)
		return -ECONNRESET;
	return 0;
}

static bool write_record(struct firmware *firmware)
{
	static const char *const sections[] = {
		[CPER_MEMORY] = "memory", [CPER_PROCESSOR] = "processor", [CPER_PCIE] = "pcie"};
	static const char *const kinds[] = {[CPER_RECOVERABLE] = "UCNA",
					    [CPER_FATAL] = "fatal",
					    [CPER_CORRECTED] = "corrected"};
	struct cper_record *record = &firmware->records[firmware->first_record];
	uint8_t *region = firmware->ram + firmware->config.region;
	uint32_t *block_status = (uint32_t *)(region + GHES_AT_BLOCK);
	uint8_t block[512];
	struct bytes bytes = {.data = block, .size = sizeof(block)};
	uint32_t status;
	json_t *event;
	int error;

	if (__atomic_load_n(block_status, __ATOMIC_ACQUIRE))
		return false;
	record->serial = ++firmware->serial;
	cper_status_block(&bytes, record);
	memcpy(&status, block, sizeof(status));
	memcpy(region + GHES_AT_BLOCK + 4, block + 4, bytes.used - 4);
	__atomic_store_n((uint64_t *)(region + GHES_AT_POINTER),
			 firmware->config.region + GHES_AT_BLOCK, __ATOMIC_RELEASE);
	__atomic_store_n(block_status, status, __ATOMIC_RELEASE);
	error = pulse_interrupt(firmware);
	firmware->first_record = (firmware->first_record + 1) % QUEUE_LENGTH;
	firmware->record_count--;
	event = json_pack("{s:s, s:s, s:s, s:o, s:i}", "event",
			  error ? "not-delivered" : "delivered", "kind", kinds[record->severity],
			  "section", sections[record->section], "address",
			  json_hex(record->address), "cpu", (int)record->processor);
	if (record->section == CPER_PCIE)
		json_object_set_new(event, "sbdf", json_hex(record->sbdf));
	if (error)
		json_object_set_new(event, "error", json_string(error_name(error)));
	else if (record->severity == CPER_CORRECTED)
		firmware->counts.corrected++;
	else if (record->severity == CPER_RECOVERABLE)
		firmware->counts.ucna++;
	else
		firmware->counts.fatal++;
	firmware_event(firmware, event);
	return true;
}

/**
 * deliver_record - pass a record to the operating system, as soon as it has acknowledged the previous one
 * @firmware: model
 * @record:   copied
 */
void deliver_record(struct firmware *firmware, const struct cper_record *record)
{
	if (firmware->record_count == QUEUE_LENGTH) {
		firmware->counts.lost++;
		return;
	}
	firmware->records[(firmware->first_record + firmware->record_count++) % QUEUE_LENGTH] =
		*record;
	deliver_pending(firmware, now_monotonic_ns());
}

/** deliver_pending - deliver what is due at @now (CLOCK_MONOTONIC) */
void deliver_pending(struct firmware *firmware, int64_t now)
{
	if (firmware->hold_until && firmware->hold_until <= now) {
		firmware->hold_until = 0;
		atomic_store(&firmware->page->hold, 0);
	}
	while (firmware->check_count && check_allowed_at(firmware) <= now) {
		struct machine_check check = firmware->checks[firmware->first_check];

		firmware->first_check = (firmware->first_check + 1) % QUEUE_LENGTH;
		firmware->check_count--;
		(void)execute_check(firmware, &check);
	}
	firmware->block_retry = 0;
	while (firmware->record_count) {
		if (!write_record(firmware)) {
			firmware->block_retry = now + BLOCK_RETRY_NS;
			break;
		}
	}
}

/** deliver_next_due - next time that deliver_pending() has something to deliver. Return: CLOCK_MONOTONIC in ns; 0: never */
int64_t deliver_next_due(const struct firmware *firmware)
{
	int64_t due = firmware->hold_until;

	if (firmware->check_count && (!due || check_allowed_at(firmware) < due))
		due = check_allowed_at(firmware);
	if (firmware->block_retry && (!due || firmware->block_retry < due))
		due = firmware->block_retry;
	return due;
}
