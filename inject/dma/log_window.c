// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers of IOMMUs log 10 lines in 5 seconds and drop the others without a notice (lib/ratelimit.c, ___ratelimit(); all
 * IOMMUs of VT-d share one limit, drivers/iommu/intel/dmar.c, dmar_fault()). A fault that follows earlier ones waits until
 * its lines can be logged.
 */
#include <fcntl.h>

#include "inject/dma/driver.h"
#include "inject/dma/stream.h"

#define KMSG "/dev/kmsg"
#define WINDOW_US (5 * 1000000ll)
#define TOKENS_MOST 10

/*
 * A fault of VT-d takes three tokens: for the line that announces it, for its own, and one more before the driver finds that
 * there is no other fault. The device @noise may add a fault.
 */
#define TOKENS_NEEDED 6

/* A record of our own shows the present time of the log's clock, which user space can not read. */
#define MARKER "<6>brinell: a DMA follows"

/* Tokens that a record took; a status line counts for the last token, too. */
static unsigned int tokens_of(const char *record)
{
	if (strstr(record, "DRHD: handling fault"))
		return 2;
	return strstr(record, "DMAR: [") || strstr(record, "AMD-Vi: Event logged");
}

/**
 * struct log_times - when tokens were taken
 * @now: time of the newest record; @times: of the last tokens, a ring; in microseconds of the log's clock
 * @count: number of tokens
 */
struct log_times {
	int64_t now, times[TOKENS_MOST];
	size_t count;
};

static void take_record(struct log_times *log, const char *record)
{
	long long time;

	if (sscanf(record, "%*u,%*u,%lld", &time) != 1)
		return;
	log->now = time;
	for (unsigned int i = 0; i < tokens_of(record); i++)
		log->times[log->count++ % TOKENS_MOST] = time;
}

static int read_log(struct log_times *log)
{
	char path[4096], record[8192], *rest, *line;
	__cleanup_close int fd = open(system_path(path, KMSG), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ssize_t got;

	*log = (struct log_times){0};
	if (fd < 0 || write(fd, MARKER, strlen(MARKER)) < 0)
		return -errno;
	/* EPIPE: records were overwritten before they were read. */
	while ((got = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (got <= 0)
			continue;
		record[got] = '\0';
		for (line = strtok_r(record, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			take_record(log, line);
	}
	return 0;
}

/**
 * dma_log_window - time until the log accepts the lines of a fault
 *
 * Return: nanoseconds; 0: at once, or the log can not be read.
 */
int64_t dma_log_window(void)
{
	struct log_times log;
	int64_t recent = 0, oldest;

	if (read_log(&log))
		return 0;
	oldest = log.now;
	for (size_t i = 0; i < log.count && i < TOKENS_MOST; i++)
		if (log.now - log.times[i] < WINDOW_US) {
			recent++;
			oldest = log.times[i] < oldest ? log.times[i] : oldest;
		}
	return recent + TOKENS_NEEDED > TOKENS_MOST ? (oldest + WINDOW_US - log.now) * 1000 : 0;
}
