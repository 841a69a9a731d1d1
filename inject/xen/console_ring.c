// SPDX-License-Identifier: GPL-2.0-only
/*
 * Witness "hypervisor-log": Xen's own log, from its console ring (XEN_SYSCTL_readconsole). The serial console of the
 * machine shows the same lines, and also those of a crash of Xen.
 */
#include <errno.h>
#include <string.h>

#include "harness/witness/witness.h"
#include "inject/xen/xen.h"

/*
 * @index: position in the ring, in bytes since the start of Xen
 * @line:  the last line, which may be incomplete
 */
struct ring {
	xc_interface *xen;
	uint32_t index;
	char line[1024];
	size_t used;
};

/* Lines that report an error or Xen's reaction to it, with the file that prints each, below xen/arch/x86/cpu/mcheck. */
static const char *const errors[] = {
	/* mce_intel.c, intel_memerr_dhandler() */
	"Enter UCR recovery action",
	/* mcaction.c, mc_memerr_dhandler() */
	"This error page is ownded by DOM",
	/* vmce.c, inject_vmce() */
	"inject vMCE to d",
	/* mce.c, mc_panic() */
	"Fatal machine check",
};

static bool is_error(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strstr(line, errors[i]))
			return true;
	return false;
}

static void report(struct witness_run *run, const char *line)
{
	run->emit(run->context, "hypervisor-log", now_realtime_ns(), line,
		  json_pack("{s:b}", "error", is_error(line)));
}

static void cut(struct witness_run *run, const char *text, size_t length)
{
	struct ring *ring = run->private;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n' && ring->used < sizeof(ring->line) - 1) {
			ring->line[ring->used++] = text[i];
			continue;
		}
		ring->line[ring->used] = '\0';
		ring->used = 0;
		report(run, mend_text(ring->line));
	}
}

/**
 * xen_log_read - read the next bytes of the ring
 * @index: position in bytes since the start of Xen; advanced
 * @text:  receives up to XEN_LOG_CHUNK bytes
 * @lost:  receives the number of bytes that were overwritten before they were read
 *
 * Return: bytes read, 0 at the end, -errno.
 */
int xen_log_read(xc_interface *xen, uint32_t *index, char *text, uint32_t *lost)
{
	uint32_t before = *index;
	unsigned int count = XEN_LOG_CHUNK;

	if (xc_readconsolering(xen, text, &count, 0, 1, index) < 0)
		return -errno;
	*lost = *index - before - count;
	return (int)count;
}

static void ring_collect(struct witness_run *run)
{
	struct ring *ring = run->private;
	char text[XEN_LOG_CHUNK];
	uint32_t lost = 0;
	int count;

	while ((count = xen_log_read(ring->xen, &ring->index, text, &lost)) > 0) {
		if (lost)
			run->emit(run->context, "hypervisor-log", now_realtime_ns(),
				  "a part of the hypervisor's log is lost",
				  json_pack("{s:I}", "lost", (json_int_t)lost));
		cut(run, text, (size_t)count);
	}
}

static void ring_probe(json_t *findings)
{
	xen_probe(findings, "hypervisor-log");
}

static int ring_start(struct witness_run *run, struct reason *why)
{
	struct ring *ring = xzalloc(sizeof(*ring));
	char text[XEN_LOG_CHUNK];
	uint32_t lost = 0;
	int count = 0;

	ring->xen = xen_open(why);
	/* Skip older lines. */
	while (ring->xen && (count = xen_log_read(ring->xen, &ring->index, text, &lost)) > 0)
		;
	if (ring->xen && count == 0) {
		run->private = ring;
		return 0;
	}
	if (ring->xen) {
		fail(why, count, "Xen's console ring: %s", strerror(-count));
		xc_interface_close(ring->xen);
	}
	free(ring);
	return count ? count : -EOPNOTSUPP;
}

static void ring_stop(struct witness_run *run)
{
	struct ring *ring = run->private;

	xc_interface_close(ring->xen);
	free(ring);
}

static const struct witness_proof ring_proofs[] = {{"error", false, "memory", "uncorrected"}, {0}};

static const struct witness console_ring = {
	.name = "hypervisor-log",
	.summary = "the log of the hypervisor below the host's kernel",
	.host_only = true,
	.group = "hypervisor log",
	.proofs = ring_proofs,
	.probe = ring_probe,
	.start = ring_start,
	.collect = ring_collect,
	.stop = ring_stop,
};

REGISTER(witness, console_ring);
