// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drivers of IOMMUs log 10 lines in 5 seconds and drop the others without a trace (lib/ratelimit.c, ___ratelimit(); all
 * IOMMUs of VT-d share one limit, drivers/iommu/intel/dmar.c, dmar_fault()). A fault that comes after earlier ones waits
 * until its lines can be logged.
 */
#include <fcntl.h>

#include "inject/dma/driver.h"
#include "inject/dma/stream.h"

#define KMSG "/dev/kmsg"
#define WINDOW_US (5 * 1000000ll)
#define TOKENS_MOST 10

/*
 * A fault of VT-d asks three times whether a line may be logged: for the line that announces it, for its own, and once more
 * before it finds that there is no other fault. A noisy device may make one, too.
 */
#define TOKENS_NEEDED 6

/* Its time says what the log's clock says now: this clock is not that of the programs. */
#define MARKER "<6>brinell: a DMA comes"

/* How often the limit was asked for a record; a status line stands for the last question, too. */
static unsigned int tokens_of(const char *record)
{
	if (strstr(record, "DRHD: handling fault"))
		return 2;
	return strstr(record, "DMAR: [") || strstr(record, "AMD-Vi: Event logged");
}

/**
 * struct log_times - when the limit was asked
 * @now: time of the newest record; @times: of the last questions, a ring; microseconds of the log's clock
 * @count: of questions
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
 * dma_log_window - nanoseconds until the log takes the lines of a fault
 *
 * Return: 0: now, or when the log can not be read.
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
