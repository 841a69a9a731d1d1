// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process of a fault: it owns the device, its address space and the memory behind it, and checks that memory after each
 * operation. The kernel releases all of them when it ends.
 */
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "inject/dma/driver.h"
#include "inject/dma/stream.h"

#define PROGRESS_NS (500 * NSEC_PER_MSEC)

/* Content of memory before the DMA. The first 8 bytes of a page are also a valid NVMe Timestamp. */
#define FILLED 0x5a

struct stream {
	const struct dma_plan *plan;
	struct dma_space *space, *noise_space;
	struct dma_device *device, *noise;
	unsigned char *memory;
	struct dma_report report;
	struct reason why;
};

static void fill(struct stream *stream)
{
	memset(stream->memory, FILLED, stream->plan->size);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool is_filled(const struct stream *stream)
{
	for (uint64_t i = 0; i < stream->plan->size; i++)
		if (stream->memory[i] != FILLED)
			return false;
	return true;
}

static int operate(struct stream *stream)
{
	const struct dma_plan *plan = stream->plan;

	return plan->reads ? dma_device_read(stream->device, plan->iova, plan->size, &stream->why)
			   : dma_device_write(stream->device, plan->iova, plan->size, &stream->why);
}

/* Count the effect: a write shows in the memory, a read in the device. */
static void check_effect(struct stream *stream)
{
	struct dma_report *report = &stream->report;
	bool same = false;

	if (stream->plan->target == DMA_UNMAPPED || stream->plan->target == DMA_BEYOND)
		return;
	if (stream->plan->reads) {
		if (dma_device_fetched(stream->device, stream->memory, &same, &stream->why))
			return;
		*(same ? &report->arrived : &report->blocked) += 1;
	} else if (dma_device_wrote(stream->device, stream->memory, stream->plan->size)) {
		report->arrived++;
	} else {
		*(is_filled(stream) ? &report->blocked : &report->torn) += 1;
	}
}

static void count(struct stream *stream, int error)
{
	struct dma_report *report = &stream->report;

	report->operations++;
	*(!error		? &report->completed
	  : error == -ETIMEDOUT ? &report->silent
				: &report->failed) += 1;
	if (error)
		report->head.error = error;
}

static void step(struct stream *stream)
{
	if (stream->noise)
		(void)dma_device_write(stream->noise, stream->plan->iova, DMA_PAGE, NULL);
	if (!stream->plan->reads)
		fill(stream);
	count(stream, operate(stream));
	check_effect(stream);
}

static int open_noise(struct stream *stream)
{
	const struct dma_plan *plan = stream->plan;

	return plan->has_noise
		       ? dma_space_open(&stream->noise_space, plan->noise.iommu, &stream->why)
				 ?: dma_device_open(&stream->noise, stream->noise_space,
						    &plan->noise, plan->deadline_ns, &stream->why)
		       : 0;
}

static int map(struct stream *stream)
{
	const struct dma_plan *plan = stream->plan;
	int error;

	if (plan->target == DMA_UNMAPPED || plan->target == DMA_BEYOND)
		return 0;
	error = dma_space_map(stream->space, plan->iova, stream->memory, plan->size,
			      plan->target != DMA_READ_ONLY, &stream->why);
	if (error || plan->target != DMA_AFTER_UNMAP)
		return error;
	/* A DMA that arrives before the unmapping shows that one afterwards could have arrived. */
	error = operate(stream);
	if (!error && !plan->reads && !dma_device_wrote(stream->device, stream->memory, plan->size))
		error = fail(&stream->why, -EIO, "a DMA to mapped memory did not arrive");
	return error ?: dma_space_unmap(stream->space, plan->iova, plan->size, &stream->why);
}

static int set_up(struct stream *stream)
{
	const struct dma_plan *plan = stream->plan;
	int error;

	stream->memory = mmap(NULL, plan->size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (stream->memory == MAP_FAILED)
		return fail(&stream->why, -ENOMEM, "no memory of %llu bytes",
			    (unsigned long long)plan->size);
	fill(stream);
	error = dma_space_open(&stream->space, plan->function.iommu, &stream->why)
		?: dma_device_open(&stream->device, stream->space, &plan->function,
				   plan->deadline_ns, &stream->why)
		?: open_noise(stream)
		?: map(stream);
	/* The device read other data before the unmapping. */
	if (!error && plan->reads && plan->target == DMA_AFTER_UNMAP)
		memset(stream->memory, FILLED ^ 0xff, plan->size);
	return error;
}

static void send_report(struct stream *stream, int socket, int kind, int flags)
{
	stream->report.head.kind = kind;
	snprintf(stream->report.head.text, sizeof(stream->report.head.text), "%.*s",
		 (int)sizeof(stream->report.head.text) - 1, stream->why.text);
	process_say(socket, &stream->report.head, sizeof(stream->report), flags);
}

/* Return: false when the process is to end. */
static bool pause_until(int socket, int64_t until)
{
	int64_t left = until - now_monotonic_ns();
	struct timespec time = {.tv_sec = left > 0 ? left / NSEC_PER_SEC : 0,
				.tv_nsec = left > 0 ? left % NSEC_PER_SEC : 0};
	struct pollfd request = {.fd = socket, .events = POLLIN};

	return ppoll(&request, 1, &time, NULL) == 0;
}

/** dma_is_allowed - whether the memory is mapped for what the device does */
bool dma_is_allowed(const struct dma_plan *plan)
{
	return plan->target == DMA_MAPPED || (plan->target == DMA_READ_ONLY && plan->reads);
}

/* Faults wait until the kernel log has room for their lines. */
static bool run(struct stream *stream, int socket)
{
	bool faults = !dma_is_allowed(stream->plan) || stream->noise;
	int64_t reported = now_monotonic_ns(), next = reported + (faults ? dma_log_window() : 0);

	for (uint64_t i = 0; !stream->plan->count || i < stream->plan->count; i++) {
		if (!pause_until(socket, next))
			return false;
		step(stream);
		next += stream->plan->interval_ns;
		if (now_monotonic_ns() - reported < PROGRESS_NS)
			continue;
		reported = now_monotonic_ns();
		send_report(stream, socket, DMA_PROGRESS, MSG_DONTWAIT);
	}
	return true;
}

static void tear_down(struct stream *stream)
{
	dma_device_close(stream->device);
	dma_device_close(stream->noise);
	dma_space_close(stream->space);
	dma_space_close(stream->noise_space);
}

/** dma_body - body of the process: executes the struct dma_plan at @options, then waits for the request to end */
void dma_body(int socket, const void *options)
{
	struct stream stream = {.plan = options};
	int error;

	process_begin();
	error = set_up(&stream);
	if (error) {
		stream.report.head.error = error;
		send_report(&stream, socket, PROCESS_FAILED, 0);
	} else {
		send_report(&stream, socket, PROCESS_READY, 0);
		(void)run(&stream, socket);
		send_report(&stream, socket, DMA_DONE, 0);
	}
	tear_down(&stream);
	(void)pause_until(socket, INT64_MAX);
	_exit(0);
}
