// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any NVMe controller, through its admin queue only: no namespace is read or written. The controller writes a page for Identify,
 * and reads 8 bytes for Set Features, Timestamp (NVM Express base specification 2.0, sections 3.1.3, 5.17, 5.27.1.8).
 */
#include <endian.h>
#include <sched.h>

#include "inject/dma/driver.h"

#define CAP 0x00
#define CC 0x14
#define CSTS 0x1c
#define AQA 0x24
#define ASQ 0x28
#define ACQ 0x30
#define DOORBELLS 0x1000

#define CC_ENABLE 1u
/* Entries of 64 bytes in the submission queue, of 16 in the completion queue. */
#define CC_ENTRY_SIZES (6u << 16 | 4u << 20)
#define CSTS_READY 1u
#define CSTS_FATAL 2u

#define OPCODE_IDENTIFY 0x06
#define OPCODE_SET_FEATURES 0x09
#define OPCODE_GET_FEATURES 0x0a
#define IDENTIFY_CONTROLLER 1
#define FEATURE_TIMESTAMP 0x0e

/* Identify controller data: optional NVM commands, with the bit of Timestamp. */
#define IDENTIFY_ONCS 520
#define ONCS_TIMESTAMP (1 << 6)

#define ENTRIES 16

/* Pages of @own; page 0 holds the data of Identify. */
#define PAGE_SUBMISSION 1
#define PAGE_COMPLETION 2
#define PAGE_CLOCK 3

/* Timestamp counts milliseconds in 48 bits; a value that is read back may be later than it was set by this much. */
#define CLOCK_MASK 0xffffffffffffull
#define CLOCK_SLACK_MS 60000

struct nvme_command {
	uint32_t dword[16];
};

struct nvme_completion {
	uint32_t result, reserved;
	uint16_t head, queue, id, status;
};

/* @tail, @head: of the two queues; @phase: of a new completion; @clock_set: the clock was changed */
struct nvme {
	unsigned int stride;
	uint16_t tail, head, phase, id;
	bool ready, clock_set;
};

static bool nvme_drives(uint32_t vendor, uint32_t device, uint32_t class)
{
	return class == 0x010802;
}

static void store64(struct dma_device *device, unsigned int offset, uint64_t value)
{
	device->store(device, offset, (uint32_t)value);
	device->store(device, offset + 4, (uint32_t)(value >> 32));
}

static int disable(struct dma_device *device, struct reason *why)
{
	struct nvme *nvme = device->private;

	nvme->ready = false;
	device->store(device, CC, 0);
	return dma_await(device, CSTS, CSTS_READY, 0, why);
}

static int enable(struct dma_device *device, struct reason *why)
{
	struct nvme *nvme = device->private;
	int error = disable(device, why);

	if (error)
		return error;
	memset(dma_own(device, PAGE_COMPLETION), 0, DMA_PAGE);
	nvme->tail = nvme->head = 0;
	nvme->phase = 1;
	device->store(device, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	store64(device, ASQ, dma_own_iova(device, PAGE_SUBMISSION));
	store64(device, ACQ, dma_own_iova(device, PAGE_COMPLETION));
	device->store(device, CC, CC_ENABLE | CC_ENTRY_SIZES);
	error = dma_await(device, CSTS, CSTS_READY, CSTS_READY, why);
	nvme->ready = !error;
	return error;
}

/* The controller writes the phase bit of an entry last. Return: the status, or -ETIMEDOUT. */
static int await_completion(struct dma_device *device, struct reason *why)
{
	struct nvme *nvme = device->private;
	const struct nvme_completion *entry =
		(const struct nvme_completion *)dma_own(device, PAGE_COMPLETION) + nvme->head;
	int64_t until = now_monotonic_ns() + device->deadline_ns;
	uint16_t status;

	for (;;) {
		status = le16toh(__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE));
		if ((status & 1) == nvme->phase && le16toh(entry->id) == nvme->id)
			break;
		if (now_monotonic_ns() > until || device->load(device, CSTS) & CSTS_FATAL) {
			nvme->ready = false;
			return fail(why, -ETIMEDOUT,
				    "nvme: no completion of its command; the controller is %s",
				    device->load(device, CSTS) & CSTS_FATAL ? "in fatal state"
									    : "not in fatal state");
		}
		sched_yield();
	}
	nvme->head = (nvme->head + 1) % ENTRIES;
	nvme->phase ^= nvme->head == 0;
	device->store(device, DOORBELLS + nvme->stride, nvme->head);
	return status >> 1;
}

static int execute(struct dma_device *device, uint8_t opcode, uint32_t dword10, uint64_t iova,
		   struct reason *why)
{
	struct nvme *nvme = device->private;
	struct nvme_command *entry;
	int status = nvme->ready ? 0 : enable(device, why);

	if (status)
		return status;
	entry = (struct nvme_command *)dma_own(device, PAGE_SUBMISSION) + nvme->tail;
	*entry = (struct nvme_command){.dword = {
					       [0] = htole32(opcode | (uint32_t)++nvme->id << 16),
					       [6] = htole32((uint32_t)iova),
					       [7] = htole32((uint32_t)(iova >> 32)),
					       [10] = htole32(dword10),
				       }};
	nvme->tail = (nvme->tail + 1) % ENTRIES;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	device->store(device, DOORBELLS, nvme->tail);
	status = await_completion(device, why);
	if (status > 0)
		return fail(why, -EIO, "nvme: the command 0x%02x ended with status 0x%03x", opcode,
			    status);
	return status;
}

static int nvme_open(struct dma_device *device, struct reason *why)
{
	struct nvme *nvme = device->private = xzalloc(sizeof(*nvme));
	uint32_t high = device->load(device, CAP + 4);

	if (high == UINT32_MAX)
		return fail(why, -ETIMEDOUT,
			    "nvme: its registers read as all ones: the device is gone");
	if (high >> 16 & 0xf)
		return fail(why, -EOPNOTSUPP, "nvme: its smallest page is larger than 4 KiB");
	nvme->stride = 4u << (high & 0xf);
	return enable(device, why)
		       ?: execute(device, OPCODE_IDENTIFY, IDENTIFY_CONTROLLER,
				  dma_own_iova(device, 0), why);
}

static int nvme_write(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	return execute(device, OPCODE_IDENTIFY, IDENTIFY_CONTROLLER, iova, why);
}

static int nvme_read(struct dma_device *device, uint64_t iova, size_t length, struct reason *why)
{
	struct nvme *nvme = device->private;
	uint16_t oncs;

	memcpy(&oncs, device->own + IDENTIFY_ONCS, sizeof(oncs));
	if (!(le16toh(oncs) & ONCS_TIMESTAMP))
		return fail(why, -EOPNOTSUPP,
			    "nvme: this controller has no Timestamp feature, by which it could "
			    "read memory");
	nvme->clock_set = true;
	return execute(device, OPCODE_SET_FEATURES, FEATURE_TIMESTAMP, iova, why);
}

static int nvme_fetched(struct dma_device *device, const void *memory, bool *same,
			struct reason *why)
{
	uint64_t set, is;
	int error = execute(device, OPCODE_GET_FEATURES, FEATURE_TIMESTAMP,
			    dma_own_iova(device, PAGE_CLOCK), why);

	memcpy(&set, memory, sizeof(set));
	memcpy(&is, dma_own(device, PAGE_CLOCK), sizeof(is));
	*same = ((le64toh(is) - le64toh(set)) & CLOCK_MASK) < CLOCK_SLACK_MS;
	return error;
}

static void nvme_close(struct dma_device *device)
{
	struct nvme *nvme = device->private;
	uint64_t now = htole64((uint64_t)(now_realtime_ns() / NSEC_PER_MSEC));

	if (nvme && nvme->clock_set) {
		memcpy(dma_own(device, PAGE_CLOCK), &now, sizeof(now));
		(void)execute(device, OPCODE_SET_FEATURES, FEATURE_TIMESTAMP,
			      dma_own_iova(device, PAGE_CLOCK), NULL);
	}
	(void)disable(device, NULL);
}

REGISTERED(dma_driver, nvme_driver) = {
	.name = "nvme",
	.drives = nvme_drives,
	.address_bits = 64,
	.open = nvme_open,
	.write = nvme_write,
	.read = nvme_read,
	.fetched = nvme_fetched,
	.close = nvme_close,
};
