// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that owns the pattern: it rewrites pages at a given rate, verifies all of them repeatedly, and skips
 * lost pages. It has one thread, so that its table is never older than a page.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "harness/host/frames.h"
#include "workloads/pattern.h"

/* Pages between two polls of the requests: about a tenth of a millisecond. */
#define CHUNK 256
/* Maximum of pages that are caught up after a pause. */
#define BURST_NS (100 * NSEC_PER_MSEC)
#define HUGE_SIZE (2ul << 20)

enum page_state {
	PAGE_GOOD,
	/* Its mismatch was reported; it counts again after its next write. */
	PAGE_TOLD,
	/* Reading it caused a signal: skip it. */
	PAGE_LOST,
};

/* Pages that a rate allows by now. */
struct allowance {
	uint64_t rate;
	int64_t at_ns;
};

static struct owner {
	int socket;
	const struct pattern_options *options;
	struct pattern pattern;
	unsigned char *states;
	struct pattern_totals totals;
	uint64_t shown, signals;
	size_t victim;
	size_t verify_at, write_at;
	uint64_t random;
} owner;

/* Where to continue after a SIGBUS, and the page in use. */
static sigjmp_buf landing;
static volatile sig_atomic_t may_land;

static void send_report(struct pattern_report *report)
{
	report->totals = owner.totals;
	/* A slow agent must not stop the pass. */
	if (!process_say(owner.socket, &report->base, sizeof(*report), MSG_DONTWAIT))
		owner.totals.unreported++;
}

static bool is_ours(uintptr_t address, size_t *page)
{
	uintptr_t base = (uintptr_t)owner.pattern.base;

	*page = (address - base) / PATTERN_PAGE;
	return address >= base && *page < owner.pattern.pages;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	struct pattern_report report = {0};
	int saved = errno;
	size_t page;
	bool ours = is_ours(address, &page);

	process_note_signal(&report.base, number, info);
	report.mismatch.page = ours ? page : UINT64_MAX;
	if (owner.signals++ < owner.options->shown)
		send_report(&report);
	errno = saved;
	/* Action optional: nothing was consumed yet, and the process continues where it was. */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (!ours || !may_land)
		_exit(128 + number);
	may_land = 0;
	owner.states[page] = PAGE_LOST;
	owner.totals.lost++;
	siglongjmp(landing, 1);
}

static void report_mismatch(size_t page)
{
	struct pattern_report report = {.base.kind = PATTERN_MISMATCH};
	enum pattern_fault fault;

	if (owner.states[page] == PAGE_TOLD)
		return;
	fault = pattern_examine(&owner.pattern, page, &report.mismatch);
	/* Wrong at one read and correct at the next is still a mismatch: a write hit it, or the read failed. */
	if (fault == PATTERN_INTACT)
		report.mismatch.fault = fault = PATTERN_GARBAGE;
	owner.states[page] = PAGE_TOLD;
	owner.totals.found[fault]++;
	report.base.address =
		(uintptr_t)owner.pattern.base + page * PATTERN_PAGE + report.mismatch.offset;
	if (owner.shown++ < owner.options->shown)
		send_report(&report);
}

/* Verifies the good pages of a range that begins with one. Return: the number of the page to go on with. */
static size_t verify_run(size_t first, size_t end)
{
	size_t last = first;

	while (last < end && owner.states[last] != PAGE_LOST)
		last++;
	while (first < last) {
		size_t stopped = pattern_verify(&owner.pattern, first, last - first);

		owner.totals.verified += stopped - first;
		if (stopped == last)
			break;
		report_mismatch(stopped);
		owner.totals.verified++;
		first = stopped + 1;
	}
	return last;
}

static void verify_range(size_t first, size_t end)
{
	volatile size_t at = first;

	/* After a signal: from the begin of the range, without the page that is lost now. */
	(void)sigsetjmp(landing, 0);
	may_land = 1;
	while (at < end) {
		if (owner.states[at] == PAGE_LOST)
			at++;
		else
			at = verify_run(at, end);
	}
	may_land = 0;
}

static void verify_next(uint64_t pages)
{
	size_t end = owner.verify_at + pages;

	if (end > owner.pattern.pages)
		end = owner.pattern.pages;
	verify_range(owner.verify_at, end);
	owner.verify_at = end;
	if (end == owner.pattern.pages) {
		owner.verify_at = 0;
		owner.totals.passes++;
	}
}

static size_t next_to_write(void)
{
	if (!owner.options->random) {
		owner.write_at = (owner.write_at + 1) % owner.pattern.pages;
		return owner.write_at;
	}
	/* xorshift64* of Vigna: cheap, and the same for the same seed. */
	owner.random ^= owner.random >> 12;
	owner.random ^= owner.random << 25;
	owner.random ^= owner.random >> 27;
	return (owner.random * 0x2545f4914f6cdd1dull >> 16) % owner.pattern.pages;
}

static void write_pages(volatile uint64_t pages)
{
	if (sigsetjmp(landing, 0))
		pages--;
	may_land = 1;
	for (; pages; pages--) {
		size_t page = next_to_write();

		if (owner.states[page] == PAGE_LOST ||
		    (owner.options->spare_victim && page == owner.victim))
			continue;
		pattern_write(&owner.pattern, page);
		owner.states[page] = PAGE_GOOD;
		owner.totals.written++;
	}
	may_land = 0;
}

/* Return: how many pages are allowed now, at most @most; they count as used. */
static uint64_t allow(struct allowance *allowance, int64_t now, uint64_t most)
{
	uint64_t pages;

	if (!allowance->rate)
		return 0;
	if (now - allowance->at_ns > BURST_NS)
		allowance->at_ns = now - BURST_NS;
	pages = (uint64_t)((__int128)(now - allowance->at_ns) * allowance->rate / NSEC_PER_SEC);
	if (pages > most)
		pages = most;
	allowance->at_ns += (int64_t)((__int128)pages * NSEC_PER_SEC / allowance->rate);
	return pages;
}

/* Milliseconds until a rate allows a page, at least one, at most @most. */
static int64_t wait_for(const struct allowance *allowance, int64_t now, int64_t most)
{
	int64_t left;

	if (!allowance->rate)
		return most;
	left = allowance->at_ns + (int64_t)(NSEC_PER_SEC / allowance->rate) - now;
	left = left / NSEC_PER_MSEC + 1;
	return left < 1 ? 1 : left < most ? left : most;
}

static void verify_all(void)
{
	struct pattern_report report = {.base.kind = PATTERN_VERIFIED};
	struct pattern_totals before = owner.totals;

	verify_range(0, owner.pattern.pages);
	owner.totals.passes++;
	/* Pages that were reported before are still wrong. */
	for (size_t i = 0; i < owner.pattern.pages; i++)
		report.mismatch.bits += owner.states[i] == PAGE_TOLD;
	report.base.error = before.lost != owner.totals.lost;
	report.mismatch.lines = (uint32_t)(owner.totals.lost - before.lost);
	send_report(&report);
}

static void *map_anonymous(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int map_pattern(unsigned char **base, struct reason *why)
{
	const struct pattern_options *options = owner.options;
	uintptr_t memory;
	int fd;

	if (options->backing == BACKING_SHARED) {
		void *shared;

		fd = memfd_create("brinell-pattern", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)options->size) < 0)
			return fail_errno(why, -errno, "memfd of %llu bytes",
					  (unsigned long long)options->size);
		shared = mmap(NULL, options->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		*base = shared == MAP_FAILED ? NULL : shared;
	} else {
		memory = (uintptr_t)map_anonymous(options->size + HUGE_SIZE);
		*base = memory ? (unsigned char *)((memory + HUGE_SIZE - 1) & -HUGE_SIZE) : NULL;
	}
	if (!*base)
		return fail_errno(why, -errno, "mmap of %llu bytes",
				  (unsigned long long)options->size);
	if (options->backing != BACKING_SHARED &&
	    madvise(*base, options->size,
		    options->backing == BACKING_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) < 0 &&
	    options->backing == BACKING_THP)
		return fail(why, -ENOTSUP,
			    "madvise(MADV_HUGEPAGE): %s; this kernel has no transparent huge pages",
			    strerror(errno));
	if (options->lock && mlock(*base, options->size) < 0)
		return fail(why, -errno, "mlock of %llu bytes: %s; see RLIMIT_MEMLOCK",
			    (unsigned long long)options->size, strerror(errno));
	return 0;
}

/*
 * The page whose frame is the first or the last of all. A frame may change later, when the kernel compacts memory; then the
 * facts are those of the start.
 */
static int find_victim(struct reason *why)
{
	bool highest = owner.options->place == PLACE_HIGHEST;
	__cleanup_free uint64_t *pfns = NULL;
	uint64_t best = 0;
	int error;

	owner.victim = owner.options->victim;
	if (owner.options->place != PLACE_LOWEST && !highest)
		return 0;
	pfns = calloc(owner.pattern.pages, sizeof(*pfns));
	if (!pfns)
		return -ENOMEM;
	error = frames_of(owner.pattern.base, owner.pattern.pages, pfns);
	for (size_t page = 0; !error && page < owner.pattern.pages; page++) {
		if (!pfns[page] || (best && (highest ? pfns[page] < best : pfns[page] > best)))
			continue;
		best = pfns[page];
		owner.victim = page;
	}
	return best ? 0
		    : fail(why, -ENOTSUP,
			   "/proc/self/pagemap shows no page frames: the lowest and the "
			   "highest page are only known with CAP_SYS_ADMIN");
}

static int set_up(struct reason *why)
{
	const struct pattern_options *options = owner.options;
	unsigned char *base = NULL;
	int error = map_pattern(&base, why);

	if (error)
		return error;
	owner.states = map_anonymous(options->size / PATTERN_PAGE);
	if (!owner.states || pattern_open(&owner.pattern, base, options->size, options->seed))
		return fail(why, -ENOMEM, "no memory for the tables of %llu bytes",
			    (unsigned long long)options->size);
	owner.random = options->seed | 1;
	return find_victim(why);
}

static void report_ready(void)
{
	const unsigned char *victim = owner.pattern.base + owner.victim * PATTERN_PAGE;
	struct pattern_report report = {.base = {.kind = PROCESS_READY,
						 .address = (uintptr_t)victim},
					.region = (uintptr_t)owner.pattern.base,
					.mismatch.page = owner.victim,
					.pfn = frame_of(victim)};

	send_report(&report);
}

/* Return: false to end. */
static bool serve_requests(int timeout_ms)
{
	struct pollfd state = {.fd = owner.socket, .events = POLLIN};
	char request;
	ssize_t got;

	if (timeout_ms)
		(void)poll(&state, 1, timeout_ms);
	got = recv(owner.socket, &request, 1, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got != 1 || request == PATTERN_QUIT)
		return false;
	verify_all();
	return true;
}

static void walk(void)
{
	const struct pattern_options *options = owner.options;
	int64_t now = now_monotonic_ns(), report_at = now + options->interval_ns;
	struct allowance dirty = {.rate = options->dirty_rate, .at_ns = now};
	struct allowance verify = {.rate = options->verify_rate, .at_ns = now};
	bool flat_out = options->continuous && !options->verify_rate;
	int64_t pause = 0;

	while (serve_requests(flat_out ? 0 : (int)pause)) {
		now = now_monotonic_ns();
		write_pages(allow(&dirty, now, owner.pattern.pages));
		if (flat_out)
			verify_next(CHUNK);
		else if (options->continuous)
			verify_next(allow(&verify, now, CHUNK));
		now = now_monotonic_ns();
		if (now >= report_at) {
			struct pattern_report report = {.base.kind = PATTERN_TOTALS};

			send_report(&report);
			report_at = now + options->interval_ns;
		}
		pause = wait_for(&dirty, now, (report_at - now) / NSEC_PER_MSEC + 1);
		if (options->continuous)
			pause = wait_for(&verify, now, pause);
	}
}

/**
 * pattern_process - main function of the process that owns the pattern
 * @socket:  SOCK_SEQPACKET to the agent: requests of one byte in, struct pattern_report out
 * @options: struct pattern_options; borrowed
 *
 * Ends with the socket.
 */
_Noreturn void pattern_process(int socket, const void *options)
{
	/* SA_NODEFER: the handler ends with siglongjmp(). */
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct pattern_report failed = {.base.kind = PROCESS_FAILED};
	struct reason why = {0};

	owner = (struct owner){.socket = socket, .options = options};
	process_begin();
	sigaction(SIGBUS, &action, NULL);
	process_set_mce_kill(owner.options->mce_kill);
	failed.base.error = set_up(&why);
	if (failed.base.error) {
		snprintf(failed.base.text, sizeof(failed.base.text), "%.199s", why.text);
		send_report(&failed);
		_exit(1);
	}
	report_ready();
	walk();
	_exit(0);
}
