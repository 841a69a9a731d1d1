// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that finds a frame, and touches it on request. Its objects (a page table, objects of the kernel, a file) exist
 * as long as the process.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <setjmp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "harness/host/machine.h"
#include "workloads/frame.h"
#include "harness/host/frames.h"
#include "workloads/memory.h"

/* The largest block of the buddy allocator on x86: half of it is between the frame and the first frames to be allocated. */
#define BLOCK_FRAMES 1024
#define OBJECTS 2048
#define OBJECTS_LEAST 64
#define STEP_PAGES 1024
#define EVERYWHERE ((struct frame_set){0})

static struct finder {
	int socket;
	const struct frame_options *options;
	uint64_t pfn, kernel_address, frames;
	unsigned char *page;
	struct page_table table;
	unsigned char *taken;
	size_t taken_size;
	struct memory_region file;
	const struct system_call *call;
	int *objects;
	size_t count;
} finder;

static sigjmp_buf landing;
static volatile sig_atomic_t may_land;

static void send_report(struct frame_report *report, int kind)
{
	report->base.kind = kind;
	(void)process_say(finder.socket, &report->base, sizeof(*report), 0);
}

static void say_error(const char *call, int error)
{
	struct frame_report report = {.base.error = error};

	snprintf(report.base.text, sizeof(report.base.text), "%s", call);
	send_report(&report, FRAME_ERROR);
}

static void report_touched(bool read, bool right, const char *text)
{
	struct frame_report report = {.read = read, .right = right};

	snprintf(report.base.text, sizeof(report.base.text), "%s", text);
	send_report(&report, FRAME_TOUCHED);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	struct frame_report report = {0};
	int saved = errno;

	process_note_signal(&report.base, number, info);
	send_report(&report, PROCESS_SIGNAL);
	errno = saved;
	/* Action optional: nothing was consumed yet, and the process continues where it was. */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (!may_land)
		_exit(128 + number);
	may_land = 0;
	siglongjmp(landing, 1);
}

static int find_flagged(unsigned int flag, uint64_t block, const char *none, struct reason *why)
{
	struct frame_set set;
	int error = frame_set_take(&set, flag, EVERYWHERE, why);

	if (error)
		return error;
	finder.pfn = frame_set_middle_of_longest(&set, block, &finder.frames);
	frame_set_release(&set);
	return finder.pfn ? 0 : fail(why, -ENOTSUP, "%s", none);
}

static int find_free(struct reason *why)
{
	return find_flagged(FRAME_BUDDY, BLOCK_FRAMES,
			    "/proc/kpageflags shows no free frame (it takes CAP_SYS_ADMIN)", why);
}

static int find_balloon(struct reason *why)
{
	return find_flagged(FRAME_OFFLINE, 1,
			    "no frame is held by a balloon: inflate the balloon of this guest "
			    "first, and check that it "
			    "has the driver virtio_balloon",
			    why);
}

/* Nine tenths of the memory that is available without reclaim. */
static uint64_t allocation_limit(void)
{
	__cleanup_free char *text = NULL;
	unsigned long long kilobytes = 0;
	char path[4096];
	const char *at;

	if (finder.options->limit)
		return finder.options->limit;
	if (read_small_file(system_path(path, "/proc/meminfo"), &text, NULL))
		return 0;
	at = strstr(text, "MemAvailable:");
	if (at)
		(void)sscanf(at, "MemAvailable: %llu", &kilobytes);
	return (kilobytes << 10) / 10 * 9;
}

/* The frame among these pages. Return: the page, or NULL. */
static unsigned char *find_own(unsigned char *pages, size_t count)
{
	uint64_t pfns[STEP_PAGES];

	if (frames_of(pages, count, pfns))
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (pfns[i] == finder.pfn)
			return pages + i * MEMORY_PAGE;
	return NULL;
}

/* Allocates free memory until it contains the frame. */
static void allocate_frame(void)
{
	size_t limit = allocation_limit() & -(uint64_t)(STEP_PAGES * MEMORY_PAGE);
	unsigned char *page = NULL;
	uint64_t flags = 0;
	char text[160];
	size_t used = 0;
	bool right;

	finder.taken = limit ? memory_map_sparse(limit) : NULL;
	finder.taken_size = limit;
	if (!finder.taken) {
		say_error("mmap", limit ? errno : ENOMEM);
		return;
	}
	for (; used < limit && !page; used += STEP_PAGES * MEMORY_PAGE) {
		for (size_t i = 0; i < STEP_PAGES; i++)
			memory_fill_page(finder.taken + used + i * MEMORY_PAGE, i);
		page = find_own(finder.taken + used, STEP_PAGES);
	}
	if (!page) {
		snprintf(text, sizeof(text),
			 "the frame was not handed out, although %zu MiB were allocated",
			 used >> 20);
		report_touched(false, true, text);
		return;
	}
	right = memory_compare(page, (size_t)(page - finder.taken) / MEMORY_PAGE % STEP_PAGES, 0,
			       MEMORY_PAGE / sizeof(uint64_t)) == DATA_INTACT;
	/* A retired frame must not be allocated. */
	if (machine_page_flags(finder.pfn, &flags) == 0 && flags >> FRAME_HWPOISON & 1)
		right = false;
	snprintf(text, sizeof(text), "the frame was handed out after %zu MiB, written and read%s",
		 used >> 20, flags >> FRAME_HWPOISON & 1 ? ", although it is poisoned" : "");
	report_touched(true, right, text);
}

static void touch_free(void)
{
	allocate_frame();
}

static void touch_balloon(void)
{
	uint64_t flags = 0;

	if (machine_page_flags(finder.pfn, &flags) == 0 && flags >> FRAME_OFFLINE & 1)
		report_touched(false, true, "the balloon still holds the frame, so it is not used");
	else
		allocate_frame();
}

/* Rarely used system calls without side effects and without requirements. */
static struct timespec interval;
static const struct system_call {
	const char *name;
	long number;
	long arguments[5];
} calls[] = {
	{"kcmp", SYS_kcmp, {0, 0, KCMP_VM, 0, 0}},
	{"ioprio_get", SYS_ioprio_get, {1, 0}},
	{"sched_rr_get_interval", SYS_sched_rr_get_interval, {0, (long)&interval}},
	{"personality", SYS_personality, {0xffffffff}},
};
const char *const frame_calls[] = {"kcmp", "ioprio_get", "sched_rr_get_interval", "personality",
				   NULL};

static int find_kernel_text(struct reason *why)
{
	int error = -ENOENT;

	for (size_t i = 0; error == -ENOENT && i < ARRAY_SIZE(calls); i++) {
		__cleanup_free char *symbol = format_text("__x64_sys_%s", calls[i].name);

		if (finder.options->call && strcmp(finder.options->call, calls[i].name) != 0)
			continue;
		error = kernel_text_frame(symbol, &finder.pfn, &finder.kernel_address, why);
		finder.call = &calls[i];
		finder.frames = 1;
	}
	return error == -ENOENT ? -ENOTSUP : error;
}

static void touch_kernel_text(void)
{
	const long *arguments = finder.call->arguments;
	/* kcmp compares this process with itself. */
	long self = finder.call->number == SYS_kcmp ? getpid() : 0;
	char text[96];

	if (syscall(finder.call->number, arguments[0] + self, arguments[1] + self, arguments[2],
		    arguments[3], arguments[4]) < 0) {
		say_error(finder.call->name, errno);
		return;
	}
	snprintf(text, sizeof(text), "the kernel carried out %s", finder.call->name);
	report_touched(false, true, text);
}

static int find_page_table(struct reason *why)
{
	int error = page_table_make(&finder.table, why);

	finder.page = finder.table.page;
	finder.pfn = finder.table.pfn;
	finder.frames = 1;
	return error;
}

static void touch_page_table(void)
{
	if (page_table_flush(&finder.table)) {
		say_error("mprotect", errno);
		return;
	}
	report_touched(true,
		       memory_compare(finder.page, MEMORY_VICTIM_PAGE, 0,
				      MEMORY_PAGE / sizeof(uint64_t)) == DATA_INTACT,
		       "the page behind the page table was read");
}

static int find_page_cache(struct reason *why)
{
	struct memory_options options = {.page = PAGE_FILE_CLEAN,
					 .directory = finder.options->directory};
	int error = memory_region_make(&options, &finder.file, why);

	if (error)
		return error;
	finder.page = finder.file.victim;
	finder.pfn = frame_of(finder.page);
	finder.frames = 1;
	return finder.pfn ? 0
			  : fail(why, -ENOTSUP,
				 "/proc/self/pagemap shows no page frames: it takes root "
				 "(CAP_SYS_ADMIN)");
}

static void touch_page_cache(void)
{
	unsigned char bytes[MEMORY_PAGE];
	ssize_t got = pread(finder.file.fd, bytes, sizeof(bytes), finder.file.file_at);

	if (got != sizeof(bytes))
		say_error("read", got < 0 ? errno : EIO);
	else
		report_touched(true,
			       memory_compare(bytes, MEMORY_VICTIM_PAGE, 0,
					      sizeof(bytes) / sizeof(uint64_t)) == DATA_INTACT,
			       "the page of the file was read");
}

/* Each allocates a kernel object for an open file, and one for the counter. */
static size_t make_objects(void)
{
	struct rlimit limit = {.rlim_cur = OBJECTS + 64, .rlim_max = OBJECTS + 64};

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	finder.objects = xcalloc(OBJECTS, sizeof(*finder.objects));
	while (finder.objects && finder.count < OBJECTS) {
		int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			break;
		finder.objects[finder.count++] = fd;
	}
	return finder.count;
}

static int find_slab(struct reason *why)
{
	struct frame_set before, after = {0};
	int error = frame_set_take(&before, FRAME_SLAB, EVERYWHERE, why);

	if (error)
		return error;
	if (make_objects() < OBJECTS_LEAST)
		error = fail(why, -EMFILE, "only %zu event counters could be made: %s",
			     finder.count, strerror(errno));
	if (!error)
		error = frame_set_take(&after, FRAME_SLAB, EVERYWHERE, why);
	if (!error)
		finder.pfn = frame_set_new(&before, &after, &finder.frames);
	frame_set_release(&before);
	frame_set_release(&after);
	if (!error && !finder.pfn)
		error = fail(why, -ENOTSUP,
			     "/proc/kpageflags shows no new slab after %zu objects (it takes "
			     "CAP_SYS_ADMIN)",
			     finder.count);
	return error;
}

static void touch_slab(void)
{
	bool right = true;

	for (size_t i = 0; i < finder.count; i++) {
		uint64_t value = 0;

		if (read(finder.objects[i], &value, sizeof(value)) != sizeof(value) ||
		    write(finder.objects[i], &(uint64_t){1}, sizeof(value)) != sizeof(value)) {
			say_error("eventfd", errno);
			return;
		}
		right = right && value == 1;
	}
	report_touched(true, right, "all objects were read and written");
}

static const struct {
	int (*find)(struct reason *why);
	void (*touch)(void);
} ways[] = {
	[FRAME_IS_FREE] = {find_free, touch_free},
	[FRAME_IS_KERNEL_TEXT] = {find_kernel_text, touch_kernel_text},
	[FRAME_IS_PAGE_TABLE] = {find_page_table, touch_page_table},
	[FRAME_IS_PAGE_CACHE] = {find_page_cache, touch_page_cache},
	[FRAME_IS_BALLOON] = {find_balloon, touch_balloon},
	[FRAME_IS_SLAB] = {find_slab, touch_slab},
};

static void serve_touch(void)
{
	struct frame_report report = {0};
	uint64_t flags = 0;

	if (sigsetjmp(landing, 1) == 0) {
		may_land = 1;
		ways[finder.options->which].touch();
	}
	may_land = 0;
	if (finder.taken)
		munmap(finder.taken, finder.taken_size);
	finder.taken = NULL;
	report.poisoned =
		machine_page_flags(finder.pfn, &flags) == 0 && flags >> FRAME_HWPOISON & 1;
	send_report(&report, FRAME_CHECKED);
}

static void say_ready(void)
{
	struct frame_report report = {.base.address = (uintptr_t)finder.page,
				      .pfn = finder.pfn,
				      .kernel_address = finder.kernel_address,
				      .frames = finder.frames};

	if (finder.call)
		snprintf(report.call, sizeof(report.call), "%s", finder.call->name);
	send_report(&report, PROCESS_READY);
}

/**
 * frame_process - find a frame, and touch it on request
 * @socket:  SOCK_SEQPACKET to the agent: requests of one byte in, struct frame_report out
 * @options: struct frame_options: which; borrowed
 *
 * Ends with the socket.
 */
_Noreturn void frame_process(int socket, const void *options)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
	struct frame_report failed = {0};
	struct reason why = {0};
	char request;

	finder = (struct finder){.socket = socket, .options = options};
	process_begin();
	sigaction(SIGBUS, &action, NULL);
	failed.base.error = ways[finder.options->which].find(&why);
	if (failed.base.error) {
		snprintf(failed.base.text, sizeof(failed.base.text), "%.199s", why.text);
		send_report(&failed, PROCESS_FAILED);
		_exit(1);
	}
	say_ready();
	for (;;) {
		ssize_t got = recv(socket, &request, 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1 || request == FRAME_QUIT)
			_exit(0);
		serve_touch();
	}
}
