// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process under fault. It touches its line on request, and reports the result: data, signal, or the error of a system
 * call. Of the inherited descriptors it uses only its socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <emmintrin.h>

#include "harness/host/frames.h"
#include "workloads/memory.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* @way: of the present touch; @generation: how often the page was rewritten */
static struct victim {
	int socket;
	const struct memory_options *options;
	enum memory_touch way;
	uint64_t generation;
	struct memory_region region;
	pid_t peer;
	int peer_in;
} victim;

/* Where a thread continues after a SIGBUS during a touch. */
static __thread sigjmp_buf landing;
static __thread volatile sig_atomic_t may_land;
/* When it began the touch, CLOCK_MONOTONIC; 0: it is in none. */
static __thread volatile int64_t touched_ns;

static void send_report(struct memory_report *report)
{
	(void)process_say(victim.socket, &report->base, sizeof(*report), 0);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	struct memory_report report = {.expected = (uintptr_t)victim.region.line};
	int saved = errno;

	if (touched_ns)
		report.elapsed_ns = now_monotonic_ns() - touched_ns;

	process_note_signal(&report.base, number, info);
	send_report(&report);
	errno = saved;
	/* Action optional: nothing was consumed yet, and the process continues where it was. */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (may_land) {
		may_land = 0;
		siglongjmp(landing, 1);
	}
	_exit(128 + number);
}

static void report_error(const char *call, int error)
{
	struct memory_report report = {.base = {.kind = REPORT_ERROR, .error = error}};

	snprintf(report.call, sizeof(report.call), "%s", call);
	send_report(&report);
}

static void report_touched(enum memory_data data)
{
	struct memory_report report = {.base.kind = REPORT_TOUCHED, .data = data};

	if (victim.way != victim.options->touch)
		snprintf(report.call, sizeof(report.call), "%s",
			 victim.way == TOUCH_LOAD ? "load" : "store");
	send_report(&report);
}

/* What the page is filled with; no number of another page. */
static uint64_t content(void)
{
	return MEMORY_VICTIM_PAGE + victim.generation * 2 * MEMORY_CANARY;
}

static size_t first_word(void)
{
	return victim.options->offset / sizeof(uint64_t);
}

static bool loads_line(enum memory_data *data)
{
	const volatile uint64_t *line = (const volatile uint64_t *)victim.region.line;
	uint64_t words[MEMORY_LINE / sizeof(uint64_t)];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = line[i];
	*data = memory_compare(words, content(), first_word(), ARRAY_SIZE(words));
	return true;
}

static bool stores_word(enum memory_data *data)
{
	*(volatile uint64_t *)victim.region.line = memory_word(content(), first_word());
	*data = DATA_UNREAD;
	return true;
}

/* All 64 bytes without a read, as Intel specifies to clear poison; then they must read back. */
static bool stores_full_line(enum memory_data *data)
{
	uint64_t words[MEMORY_LINE / sizeof(uint64_t)] __attribute__((aligned(16)));

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = memory_word(content(), first_word() + i);
	for (size_t i = 0; i < MEMORY_LINE; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *)(victim.region.line + i),
				 _mm_load_si128((const __m128i *)((char *)words + i)));
	_mm_sfence();
	return loads_line(data);
}

static bool executes(enum memory_data *data)
{
	uint32_t (*function)(void);
	unsigned char *code = victim.region.line;

	memcpy(&function, &code, sizeof(function));
	*data = function() == memory_code_value(MEMORY_VICTIM_PAGE,
						victim.options->offset / MEMORY_LINE)
			? DATA_INTACT
			: DATA_OTHER;
	return true;
}

static bool copies_in(enum memory_data *data)
{
	char bytes[MEMORY_LINE];
	int pipes[2];
	bool done;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		report_error("pipe2", errno);
		return false;
	}
	done = write(pipes[1], victim.region.line, MEMORY_LINE) == MEMORY_LINE;
	if (!done)
		report_error("write", errno);
	else if (read(pipes[0], bytes, sizeof(bytes)) == sizeof(bytes))
		*data = memory_compare(bytes, content(), first_word(),
				       MEMORY_LINE / sizeof(uint64_t));
	close(pipes[0]);
	close(pipes[1]);
	return done;
}

static bool copies_out(enum memory_data *data)
{
	char bytes[MEMORY_LINE];
	ssize_t got = pread(victim.region.fd, bytes, sizeof(bytes),
			    victim.region.file_at + (off_t)victim.options->offset);

	if (got != sizeof(bytes)) {
		report_error("read", got < 0 ? errno : EIO);
		return false;
	}
	*data = memory_compare(bytes, content(), first_word(), MEMORY_LINE / sizeof(uint64_t));
	return true;
}

static bool prefetches(enum memory_data *data)
{
	__builtin_prefetch(victim.region.line, 0, 3);
	*data = DATA_UNREAD;
	return true;
}

/* Half of the word is in the previous line, which is intact. */
static bool loads_unaligned(enum memory_data *data)
{
	uint64_t word, before = memory_word(content(), first_word() - 1);
	uint64_t after = memory_word(content(), first_word());
	const unsigned char *at = victim.region.line - 4;

	__asm__ volatile("movq %1, %0" : "=r"(word) : "m"(*(const uint64_t(*)[1])at));
	*data = word == (before >> 32 | after << 32) ? DATA_INTACT : word ? DATA_OTHER : DATA_ZERO;
	return true;
}

static bool streams_page(enum memory_data *data)
{
	static __thread unsigned char copy[MEMORY_PAGE];

	memcpy(copy, victim.region.victim, MEMORY_PAGE);
	__asm__ volatile("" : : "r"(copy) : "memory");
	*data = memory_compare(copy, content(), 0, MEMORY_PAGE / sizeof(uint64_t));
	return true;
}

/* The kernel compares the word itself: it waits (with a zero timeout) only if the word has the given value. */
static bool waits_on_futex(enum memory_data *data)
{
	uint32_t word = (uint32_t)memory_word(content(), first_word());
	struct timespec no_time = {0};

	if (syscall(SYS_futex, victim.region.line, FUTEX_WAIT_PRIVATE, word, &no_time, NULL, 0) ==
		    0 ||
	    errno == ETIMEDOUT || errno == EINTR) {
		*data = DATA_INTACT;
		return true;
	}
	if (errno == EAGAIN) {
		*data = DATA_OTHER;
		return true;
	}
	report_error("futex", errno);
	return false;
}

static bool writes_beside(enum memory_data *data)
{
	size_t word = (first_word() + MEMORY_LINE) % (MEMORY_PAGE / sizeof(uint64_t));

	((volatile uint64_t *)victim.region.victim)[word] = memory_word(content(), word);
	*data = DATA_UNREAD;
	return true;
}

static bool rewrites(enum memory_data *data)
{
	victim.generation++;
	for (size_t i = 0; i < MEMORY_PAGE / sizeof(uint64_t); i++)
		((volatile uint64_t *)victim.region.victim)[i] = memory_word(content(), i);
	*data = DATA_UNREAD;
	return true;
}

static bool touches_nothing(enum memory_data *data)
{
	*data = DATA_UNREAD;
	return true;
}

static bool (*const touches[])(enum memory_data *data) = {
	[TOUCH_LOAD] = loads_line,	     [TOUCH_STORE] = stores_word,
	[TOUCH_EXECUTE] = executes,	     [TOUCH_COPYIN] = copies_in,
	[TOUCH_COPYOUT] = copies_out,	     [TOUCH_COPY_ON_WRITE] = writes_beside,
	[TOUCH_THREADS] = loads_line,	     [TOUCH_PREFETCH] = prefetches,
	[TOUCH_UNALIGNED] = loads_unaligned, [TOUCH_MEMCPY] = streams_page,
	[TOUCH_FUTEX] = waits_on_futex,	     [TOUCH_FULL_STORE] = stores_full_line,
	[TOUCH_NONE] = touches_nothing,	     [TOUCH_REWRITE] = rewrites,
};

/* One touch by this thread, with a report of its result. Return: whether the line was read and is intact. */
static bool touch_once(void)
{
	enum memory_data data = DATA_UNREAD;
	bool done;

	if (sigsetjmp(landing, 1)) {
		touched_ns = 0;
		return false;
	}
	may_land = 1;
	touched_ns = now_monotonic_ns();
	done = touches[victim.way](&data);
	touched_ns = 0;
	may_land = 0;
	if (done)
		report_touched(data);
	return done && data == DATA_INTACT;
}

static void check_word(const void *at, uint64_t found, uint64_t expected)
{
	struct memory_report report = {.base = {.kind = REPORT_CORRUPTED, .address = (uintptr_t)at},
				       .found = found,
				       .expected = expected};

	if (found != expected)
		send_report(&report);
}

static void check_page(const unsigned char *page, uint64_t number, bool code)
{
	unsigned char right[MEMORY_PAGE];

	if (code)
		memory_fill_code(right, number);
	else
		memory_fill_page(right, number);
	for (size_t i = 0; i < MEMORY_PAGE; i += sizeof(uint64_t)) {
		uint64_t found, expected;

		memcpy(&found, page + i, sizeof(found));
		memcpy(&expected, right + i, sizeof(expected));
		if (found != expected) {
			check_word(page + i, found, expected);
			return;
		}
	}
}

/* The rest of the victim's own page; read it only if the victim line was intact. */
static void check_beside(void)
{
	for (size_t line = 0; line < MEMORY_PAGE / MEMORY_LINE; line++) {
		const uint64_t *words =
			(const uint64_t *)(victim.region.victim + line * MEMORY_LINE);

		if (line == victim.options->offset / MEMORY_LINE)
			continue;
		for (size_t i = 0; i < MEMORY_LINE / sizeof(uint64_t); i++)
			check_word(&words[i], words[i],
				   memory_word(content(),
					       line * (MEMORY_LINE / sizeof(uint64_t)) + i));
	}
}

/* All pages that the fault must not reach. Its report ends a touch. */
static void check_elsewhere(bool alive)
{
	struct memory_report report = {.base.kind = REPORT_CHECKED};
	bool code = victim.options->page == PAGE_INSTRUCTION;
	bool whole = victim.options->page == PAGE_HUGETLB && !alive;

	if (sigsetjmp(landing, 1)) {
		/* The handler has reported the signal. */
		report.base.error = EFAULT;
		send_report(&report);
		return;
	}
	may_land = 1;
	for (size_t i = 0; i < MEMORY_PAGES; i++)
		check_page(victim.region.canary + i * MEMORY_PAGE, MEMORY_CANARY + i, false);
	for (size_t i = 0; !whole && i < victim.region.size / MEMORY_PAGE; i++)
		if (i != MEMORY_VICTIM_PAGE)
			check_page(victim.region.base + i * MEMORY_PAGE, i, code);
	if (alive && !code)
		check_beside();
	may_land = 0;
	send_report(&report);
}

static void *touch_in_thread(void *barrier)
{
	pthread_barrier_wait(barrier);
	(void)touch_once();
	return NULL;
}

static void touch_in_threads(void)
{
	pthread_barrier_t barrier;
	pthread_t threads[2];
	size_t count = 0;

	pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(threads));
	for (; count < ARRAY_SIZE(threads); count++) {
		int error = pthread_create(&threads[count], NULL, touch_in_thread, &barrier);

		if (error) {
			report_error("pthread_create", error);
			/* The other thread would wait at the barrier forever. */
			_exit(1);
		}
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static void report_member(pid_t pid)
{
	struct memory_report report = {.base.kind = REPORT_MEMBER_EXIT, .member = pid};
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	report.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	report.base.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	send_report(&report);
}

static pid_t fork_member(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	} else if (pid < 0) {
		report_error("fork", errno);
	}
	return pid;
}

static void touch_in_child(void)
{
	pid_t pid = fork_member();

	if (pid == 0) {
		(void)touch_once();
		_exit(0);
	}
	if (pid > 0)
		report_member(pid);
}

/* The second process of a shared page: touches once for each received byte. */
static int start_peer(void)
{
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	victim.peer = fork_member();
	if (victim.peer == 0) {
		char byte;

		close(pipes[1]);
		/* Create its own page table entry before the fault. */
		(void)*(volatile unsigned char *)victim.region.line;
		for (;;) {
			ssize_t got = read(pipes[0], &byte, 1);

			if (got == 1)
				(void)touch_once();
			else if (got == 0 || errno != EINTR)
				_exit(0);
		}
	}
	close(pipes[0]);
	victim.peer_in = pipes[1];
	return victim.peer < 0 ? -EAGAIN : 0;
}

static void stop_peer(bool report)
{
	if (victim.peer <= 0)
		return;
	close(victim.peer_in);
	if (report)
		report_member(victim.peer);
	else
		(void)waitpid(victim.peer, NULL, 0);
	victim.peer = 0;
}

static void serve_touch(enum memory_touch way)
{
	bool alive = false;

	victim.way = way;
	if (victim.peer > 0 && write(victim.peer_in, (char[]){REQUEST_TOUCH}, 1) != 1)
		report_error("write", errno);
	if (way == TOUCH_THREADS)
		touch_in_threads();
	else if (way == TOUCH_COPY_ON_WRITE)
		touch_in_child();
	else
		alive = touch_once();
	stop_peer(true);
	check_elsewhere(alive);
}

static void serve_madvise(int advice)
{
	struct memory_report report = {.base.kind = REPORT_ANSWER};
	bool huge = victim.options->page == PAGE_HUGETLB;
	void *at = huge ? victim.region.base : victim.region.victim;

	/* The owner of a hard-poisoned page is signalled from within the call. */
	if (sigsetjmp(landing, 1) == 0) {
		may_land = 1;
		if (madvise(at, huge ? MEMORY_HUGE : MEMORY_PAGE, advice) < 0)
			report.base.error = errno;
	}
	may_land = 0;
	snprintf(report.call, sizeof(report.call), "madvise");
	send_report(&report);
}

static void catch_sigbus(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (!victim.options->handler)
		action = (struct sigaction){.sa_handler = SIG_DFL};
	sigaction(SIGBUS, &action, NULL);
	process_set_mce_kill(victim.options->mce_kill);
}

static void report_ready(void)
{
	uint64_t pfn = frame_of(victim.region.victim);
	struct memory_report report = {
		.base = {.kind = PROCESS_READY, .address = (uintptr_t)victim.region.line},
		.pfn = pfn,
		.page_size = victim.region.page_size,
		.region = (uintptr_t)victim.region.base,
		.region_size = victim.region.size,
		.member = victim.peer,
	};

	send_report(&report);
}

static int set_up(struct reason *why)
{
	int error = memory_region_make(victim.options, &victim.region, why);

	if (!error && victim.options->page == PAGE_SHARED)
		error = start_peer();
	return error;
}

/**
 * memory_victim - main function of the process that owns the page
 * @socket:  SOCK_SEQPACKET to the agent: requests of one byte in, struct memory_report out
 * @options: struct memory_options; borrowed
 *
 * Ends with the socket.
 */
_Noreturn void memory_victim(int socket, const void *options)
{
	struct memory_report failed = {.base.kind = PROCESS_FAILED};
	struct reason why = {0};

	victim = (struct victim){.socket = socket, .options = options, .peer_in = -1};
	victim.way = victim.options->touch;
	process_begin();
	catch_sigbus();
	failed.base.error = set_up(&why);
	if (failed.base.error) {
		snprintf(failed.base.text, sizeof(failed.base.text), "%.199s", why.text);
		send_report(&failed);
		_exit(1);
	}
	report_ready();
	for (;;) {
		char request;
		ssize_t got = recv(socket, &request, 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1 || request == REQUEST_QUIT)
			break;
		if (request == REQUEST_TOUCH)
			serve_touch(victim.options->touch);
		else if (request == REQUEST_LOAD)
			serve_touch(TOUCH_LOAD);
		else if (request == REQUEST_REWRITE)
			serve_touch(TOUCH_REWRITE);
		else if (request == REQUEST_MADVISE_HARD)
			serve_madvise(MADV_HWPOISON);
		else if (request == REQUEST_MADVISE_SOFT)
			serve_madvise(MADV_SOFT_OFFLINE);
	}
	stop_peer(false);
	_exit(0);
}
