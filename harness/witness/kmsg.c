// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's log, read record by record from /dev/kmsg (Documentation/ABI/testing/dev-kmsg): each has a sequence
 * number, so a record that was overwritten before it was read is known to be missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "harness/witness/witness.h"
#include "harness/host/machine.h"

#define KMSG "/dev/kmsg"
/* The kernel gives one record a read, of at most PRINTK_MESSAGE_MAX (kernel/printk/internal.h) with its properties. */
#define RECORD_MAX 8192

/*
 * @next:      sequence number that is expected
 * @following: a record was read, so @next is known
 * @offset_ns: from the times of the records to CLOCK_REALTIME
 */
struct kmsg {
	uint64_t next;
	bool following;
	int64_t offset_ns;
};

static void kmsg_probe(json_t *findings)
{
	char path[4096];
	__cleanup_close int fd = open(system_path(path, KMSG), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	finding_add(findings, "kmsg", fd >= 0, "/dev/kmsg can not be read",
		    "run as root; with kernel.dmesg_restrict=1 the reader needs CAP_SYSLOG");
}

/*
 * Times of printk are local_clock(), which begins a little after CLOCK_MONOTONIC does: a record of our own, whose time
 * on both clocks is known, shows by how much. It also shows readers of the log where a trial begins.
 */
static void measure_offset(struct witness_run *run)
{
	static const char marker[] = "<6>brinell: a trial begins";
	struct kmsg *kmsg = run->private;
	char record[RECORD_MAX + 1];
	int64_t microseconds, now;
	ssize_t got;

	kmsg->offset_ns = now_realtime_ns() - now_monotonic_ns();
	if (write(run->fd, marker, sizeof(marker) - 1) < 0)
		return;
	now = now_realtime_ns();
	while ((got = read(run->fd, record, RECORD_MAX)) > 0) {
		record[got] = '\0';
		if (!strstr(record, marker + 3) ||
		    sscanf(record, "%*u,%*u,%" SCNd64, &microseconds) != 1)
			continue;
		kmsg->offset_ns = now - microseconds * 1000;
		return;
	}
}

static int kmsg_start(struct witness_run *run, struct reason *why)
{
	char path[4096];
	int fd = open(system_path(path, KMSG), O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(why, -errno, "open %s", KMSG);
	/* Nothing older than now is evidence. */
	(void)lseek(fd, 0, SEEK_END);
	run->fd = fd;
	run->private = xzalloc(sizeof(struct kmsg));
	measure_offset(run);
	return 0;
}

static void report_loss(struct witness_run *run, uint64_t lost)
{
	__cleanup_free char *text = format_text("%" PRIu64 " kernel log records lost", lost);

	run->emit(run->context, "kmsg", now_realtime_ns(), text,
		  json_pack("{s:I}", "lost", (json_int_t)lost));
}

/* "\x0a" is a byte: all outside of printable ASCII, and the backslash (kernel/printk/printk.c, msg_add_ext_text()). */
static void unescape(char *message)
{
	char *to = message;

	for (const char *from = message; *from; to++) {
		unsigned char byte = (unsigned char)*from;

		from += escaped_byte(from, &byte) ? 4 : 1;
		*to = (char)byte;
	}
	*to = '\0';
}

/*
 * "PREFIX,SEQUENCE,MICROSECONDS,FLAGS[,...];MESSAGE\n KEY=VALUE\n..."; the prefix is 8 * facility + level: facility 0 is
 * the kernel, any other a program that writes to /dev/kmsg.
 */
static void read_record(struct witness_run *run, char *record)
{
	struct kmsg *kmsg = run->private;
	char *message = strchr(record, ';');
	unsigned int prefix;
	uint64_t sequence;
	int64_t microseconds;

	if (!message ||
	    sscanf(record, "%u,%" SCNu64 ",%" SCNd64, &prefix, &sequence, &microseconds) != 3)
		return;
	message++;
	message[strcspn(message, "\n")] = '\0';
	unescape(message);
	if (kmsg->following && sequence > kmsg->next)
		report_loss(run, sequence - kmsg->next);
	kmsg->following = true;
	kmsg->next = sequence + 1;
	run->emit(run->context, "kmsg", microseconds * 1000 + kmsg->offset_ns, message,
		  json_pack("{s:I, s:i, s:i}", "seq", (json_int_t)sequence, "level",
			    (int)(prefix & 7), "facility", (int)(prefix >> 3)));
}

static void kmsg_read(struct witness_run *run)
{
	char record[RECORD_MAX + 1];

	for (;;) {
		ssize_t got = read(run->fd, record, RECORD_MAX);

		if (got > 0) {
			record[got] = '\0';
			read_record(run, record);
		} else if (got < 0 && errno == EPIPE) {
			/* Overwritten before it was read; the next record's number shows how many there were. */
			if (!((struct kmsg *)run->private)->following)
				report_loss(run, 1);
		} else if (got == 0 || errno != EINTR) {
			return;
		}
	}
}

static void kmsg_stop(struct witness_run *run)
{
	close(run->fd);
	run->fd = -1;
	free(run->private);
}

REGISTERED(witness, kmsg_witness) = {
	.name = "kmsg",
	.summary = "the kernel's log, with its sequence numbers",
	.format = "kernel-log",
	.probe = kmsg_probe,
	.start = kmsg_start,
	.dispatch = kmsg_read,
	.collect = kmsg_read,
	.stop = kmsg_stop,
};
