// SPDX-License-Identifier: GPL-2.0-only
/*
 * Samples of what the processors execute, by perf_event_open(2), as perf record takes them; a guest has no place for that
 * program. Only addresses are kept meanwhile. They get their names at the end, when nothing is sampled any more.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "harness/host/counters.h"
#include "harness/host/samples.h"

/* What is kept of all samples. */
#define KEPT_BYTES (32u << 20)
#define TASK_BUCKETS 1024
#define COMM_WORDS 2
/* Behind each record but a sample: pid, tid and time. */
#define RECORD_ID 16

/* A mapping of a file in which code can run. */
struct area {
	uint64_t start, end, offset;
	uint32_t file;
};

/* The mappings of a program: of all threads, and of children until they execute another one. */
struct image {
	struct image *next;
	struct area *areas;
	size_t count;
};

/* What the kernel has written for a processor: it is read from @at to @head; @time, @size: of the next record. */
struct ring {
	struct perf_event_mmap_page *page;
	uint64_t at, head, time;
	size_t size;
};

struct task {
	struct task *next;
	pid_t tid;
	char comm[COMM_WORDS * sizeof(uint64_t)];
	struct image *image;
};

/**
 * struct samples - a sampling
 * @counter: its descriptors, one of each processor
 * @rings:   one for each of them
 * @self:    process that samples, which is left out
 * @tasks:   by their ids
 * @images:  all that were seen
 * @files:   paths, by the numbers of frames; the first one is none
 * @kept:    of each sample: number of frames, name of the task, frames, the innermost first
 * @lost:    samples that had no place in a ring, or in @kept
 */
struct samples {
	struct counter counter;
	struct ring *rings;
	pid_t self;
	struct pollfd *polled;
	struct task *tasks[TASK_BUCKETS];
	struct image *images;
	char **files;
	size_t file_count;
	uint64_t *kept;
	size_t used, size;
	uint64_t count, lost;
};

/* Records of perf_event_open(2), as far as they are read. */
struct fork_record {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[];
};

struct mmap_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	char path[];
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

struct sample_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time, count;
	uint64_t frames[];
};

static uint32_t file_number(struct samples *samples, const char *path)
{
	/* "//anon" is memory, and "[heap]" has no names; "[vdso]" stands for itself. */
	if (strncmp(path, "//", 2) == 0 || (*path != '/' && strcmp(path, "[vdso]") != 0))
		return 0;
	for (size_t i = 1; i < samples->file_count; i++)
		if (strcmp(samples->files[i], path) == 0)
			return (uint32_t)i;
	if (samples->file_count > FRAME_KERNEL >> FRAME_FILE_SHIFT)
		return 0;
	samples->files = xreallocarray(samples->files, samples->file_count + 1, sizeof(path));
	samples->files[samples->file_count] = xstrdup(path);
	return (uint32_t)samples->file_count++;
}

static struct image *new_image(struct samples *samples)
{
	struct image *image = xzalloc(sizeof(*image));

	image->next = samples->images;
	return samples->images = image;
}

static void add_area(struct image *image, struct area area)
{
	image->areas = xreallocarray(image->areas, image->count + 1, sizeof(area));
	image->areas[image->count++] = area;
}

static struct task *find_task(struct samples *samples, pid_t tid)
{
	struct task *task = samples->tasks[(uint32_t)tid % TASK_BUCKETS];

	while (task && task->tid != tid)
		task = task->next;
	return task;
}

static struct task *new_task(struct samples *samples, pid_t tid)
{
	struct task **bucket = &samples->tasks[(uint32_t)tid % TASK_BUCKETS];
	struct task *task = xzalloc(sizeof(*task));

	task->tid = tid;
	task->next = *bucket;
	return *bucket = task;
}

static void read_areas(struct samples *samples, pid_t pid, struct image *image)
{
	__cleanup_free char *name = format_text("/proc/%d/maps", pid);
	__cleanup_free char *text = NULL;
	char *save = NULL;

	if (read_small_file(name, &text, NULL))
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct area area;
		char executable;
		int path = 0;

		if (sscanf(line, "%lx-%lx %*2c%c%*c %lx %*s %*s %n", &area.start, &area.end,
			   &executable, &area.offset, &path) < 4 ||
		    executable != 'x' || !path)
			continue;
		area.file = file_number(samples, line + path);
		add_area(image, area);
	}
}

/* A task that was there before, or that is gone already: then it has no name. */
static struct task *task_of(struct samples *samples, pid_t pid, pid_t tid)
{
	struct task *task = find_task(samples, tid);
	__cleanup_free char *file = NULL, *comm = NULL;

	if (task)
		return task;
	task = new_task(samples, tid);
	file = format_text("/proc/%d/comm", tid);
	if (tid && read_small_file(file, &comm, NULL) == 0)
		snprintf(task->comm, sizeof(task->comm), "%.*s", (int)strcspn(comm, "\n"), comm);
	else
		strcpy(task->comm, tid ? "[unknown]" : "swapper");
	if (pid != tid) {
		task->image = task_of(samples, pid, pid)->image;
		return task;
	}
	task->image = new_image(samples);
	if (tid)
		read_areas(samples, pid, task->image);
	return task;
}

static void add_tasks(struct samples *samples, const char *path, pid_t pid)
{
	__cleanup_directory DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		__cleanup_free char *threads = NULL;

		if (tid <= 0)
			continue;
		task_of(samples, pid ?: tid, tid);
		if (pid)
			continue;
		threads = format_text("/proc/%d/task", tid);
		add_tasks(samples, threads, tid);
	}
}

static void take_fork(struct samples *samples, const struct fork_record *record)
{
	const struct task *parent =
		task_of(samples, (pid_t)record->parent, (pid_t)record->parent_tid);
	struct task *task =
		find_task(samples, (pid_t)record->tid) ?: new_task(samples, (pid_t)record->tid);

	memcpy(task->comm, parent->comm, sizeof(task->comm));
	task->image = parent->image;
}

static void take_comm(struct samples *samples, const struct comm_record *record)
{
	struct task *task = task_of(samples, (pid_t)record->pid, (pid_t)record->tid);

	snprintf(task->comm, sizeof(task->comm), "%s", record->comm);
	if (record->header.misc & PERF_RECORD_MISC_COMM_EXEC)
		task->image = new_image(samples);
}

static void take_mapping(struct samples *samples, const struct mmap_record *record)
{
	struct area area = {.start = record->start,
			    .end = record->start + record->length,
			    .offset = record->offset,
			    .file = file_number(samples, record->path)};

	add_area(task_of(samples, (pid_t)record->pid, (pid_t)record->pid)->image, area);
}

/* The last mapping of an address counts. */
static uint64_t user_frame(const struct image *image, uint64_t address)
{
	for (size_t i = image->count; i--;) {
		const struct area *area = &image->areas[i];

		if (address >= area->start && address < area->end)
			return !area->file ? 0
					   : (uint64_t)area->file << FRAME_FILE_SHIFT |
						     ((address - area->start + area->offset) &
						      FRAME_OFFSET);
	}
	return 0;
}

static bool is_in_guest(const struct sample_record *record)
{
	uint16_t mode = record->header.misc & PERF_RECORD_MISC_CPUMODE_MASK;

	return mode == PERF_RECORD_MISC_GUEST_KERNEL || mode == PERF_RECORD_MISC_GUEST_USER;
}

/* Context markers, which are the highest addresses, give the context of the following frames. Those of guests are skipped. */
static void take_sample(struct samples *samples, const struct sample_record *record)
{
	const struct task *task = task_of(samples, (pid_t)record->pid, (pid_t)record->tid);
	size_t room = (record->header.size - sizeof(*record)) / sizeof(uint64_t);
	size_t count = record->count < room ? record->count : room;
	size_t wanted = samples->used + 2 + COMM_WORDS + count, begin = samples->used;

	/* The sampling itself is left out. */
	if ((pid_t)record->pid == samples->self)
		return;
	if (wanted > samples->size) {
		samples->size = wanted * 2;
		samples->kept = xreallocarray(samples->kept, samples->size, sizeof(*samples->kept));
	}
	memcpy(&samples->kept[begin + 1], task->comm, sizeof(task->comm));
	samples->used += 1 + COMM_WORDS;
	if (is_in_guest(record))
		samples->kept[samples->used++] = FRAME_GUEST;
	for (size_t i = 0; i < count; i++) {
		uint64_t address = record->frames[i];

		if (address < PERF_CONTEXT_MAX)
			samples->kept[samples->used++] =
				address & FRAME_KERNEL ? address : user_frame(task->image, address);
	}
	samples->kept[begin] = samples->used - begin - 1 - COMM_WORDS;
	samples->count++;
}

static void take_record(struct samples *samples, const struct perf_event_header *header)
{
	size_t size = header->size - RECORD_ID;
	const void *record = header;

	if (header->type == PERF_RECORD_SAMPLE && header->size >= sizeof(struct sample_record)) {
		if (samples->used * sizeof(*samples->kept) < KEPT_BYTES)
			take_sample(samples, record);
		else
			samples->lost++;
	} else if (header->type == PERF_RECORD_FORK && size >= sizeof(struct fork_record)) {
		take_fork(samples, record);
	} else if (header->type == PERF_RECORD_COMM && size > sizeof(struct comm_record)) {
		take_comm(samples, record);
	} else if (header->type == PERF_RECORD_MMAP && size > sizeof(struct mmap_record)) {
		take_mapping(samples, record);
	} else if (header->type == PERF_RECORD_LOST && size >= sizeof(struct lost_record)) {
		samples->lost += ((const struct lost_record *)record)->lost;
	}
}

/* A record may begin at the end of the ring and end at its begin. */
static void copy_out(const struct ring *ring, uint64_t from, void *target, size_t size)
{
	const char *data = (const char *)ring->page + sysconf(_SC_PAGESIZE);
	size_t begin = from % SAMPLES_RING_BYTES, left = SAMPLES_RING_BYTES - begin;
	size_t first = size < left ? size : left;

	memcpy(target, data + begin, first);
	memcpy((char *)target + first, data, size - first);
}

/* What can not be a record ends all that is there. */
static void find_next(struct ring *ring)
{
	struct perf_event_header header = {0};

	ring->time = UINT64_MAX;
	if (ring->head - ring->at >= sizeof(header))
		copy_out(ring, ring->at, &header, sizeof(header));
	if (header.size < sizeof(header) + RECORD_ID || header.size > ring->head - ring->at) {
		ring->at = ring->head;
		return;
	}
	ring->size = header.size;
	copy_out(ring,
		 ring->at + (header.type == PERF_RECORD_SAMPLE
				     ? offsetof(struct sample_record, time)
				     : header.size - sizeof(ring->time)),
		 &ring->time, sizeof(ring->time));
}

static struct ring *earliest(struct samples *samples)
{
	struct ring *first = &samples->rings[0];

	for (size_t i = 1; i < samples->counter.count; i++)
		if (samples->rings[i].time < first->time)
			first = &samples->rings[i];
	return first;
}

/*
 * Takes the records of all processors in the order of their times: a task begins on one of them, gets its name on the next one,
 * and is sampled on a third one. @until: later records stay, because an earlier one can still come.
 */
static void drain(struct samples *samples, uint64_t until)
{
	/* A size has 16 bits; behind it is the end of a text. */
	static uint64_t record[(1 << 16) / sizeof(uint64_t) + 1];

	for (size_t i = 0; i < samples->counter.count; i++) {
		struct ring *ring = &samples->rings[i];

		ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		find_next(ring);
	}
	for (struct ring *ring; (ring = earliest(samples))->time < until; find_next(ring)) {
		copy_out(ring, ring->at, record, ring->size);
		((char *)record)[ring->size] = '\0';
		take_record(samples, (void *)record);
		ring->at += ring->size;
	}
	for (size_t i = 0; i < samples->counter.count; i++)
		__atomic_store_n(&samples->rings[i].page->data_tail, samples->rings[i].at,
				 __ATOMIC_RELEASE);
}

static int map_rings(struct samples *samples, struct reason *why)
{
	size_t length = (size_t)sysconf(_SC_PAGESIZE) + SAMPLES_RING_BYTES,
	       count = samples->counter.count;

	samples->rings = xcalloc(count, sizeof(*samples->rings));
	samples->polled = xcalloc(count + 1, sizeof(*samples->polled));
	for (size_t i = 0; i < count; i++) {
		void *ring = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
				  samples->counter.fds[i], 0);

		if (ring == MAP_FAILED)
			return fail_errno(why, -errno, "a buffer for samples");
		samples->rings[i].page = ring;
		samples->rings[i].at = samples->rings[i].page->data_tail;
		samples->polled[i + 1] =
			(struct pollfd){.fd = samples->counter.fds[i], .events = POLLIN};
	}
	return 0;
}

/**
 * samples_open - sample all processors from now on
 * @samples:   receives it; samples_close() also after a failure
 * @event:     of event_describe()
 * @frequency: samples a second, of each processor
 * @why:       reason of a failure
 *
 * Return: as counter_open().
 */
int samples_open(struct samples **samples, const char *event, uint64_t frequency,
		 struct reason *why)
{
	struct samples *made = *samples = xzalloc(sizeof(*made));
	int error;

	made->self = getpid();
	made->file_count = 1;
	made->files = xcalloc(1, sizeof(*made->files));
	error = counter_open(&made->counter, event, (struct counted){.frequency = frequency}, why)
			?: map_rings(made, why);
	if (!error)
		add_tasks(made, "/proc", 0);
	return error;
}

/** samples_await - take samples until @fd can be read */
void samples_await(struct samples *samples, int fd)
{
	samples->polled[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	do {
		if (poll(samples->polled, samples->counter.count + 1, -1) > 0)
			drain(samples, (uint64_t)now_monotonic_ns());
	} while (!samples->polled[0].revents);
}

/** samples_stop - sample no more */
void samples_stop(struct samples *samples)
{
	for (size_t i = 0; i < samples->counter.count; i++)
		ioctl(samples->counter.fds[i], PERF_EVENT_IOC_DISABLE, 0);
	drain(samples, UINT64_MAX);
}

static int compare_frames(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Each frame of all samples once, in order. */
static uint64_t *list_frames(const struct samples *samples, size_t *count)
{
	uint64_t *frames = xcalloc(samples->used + 1, sizeof(*frames));
	size_t all = 0;

	for (size_t at = 0; at < samples->used; at += 1 + COMM_WORDS + samples->kept[at]) {
		memcpy(&frames[all], &samples->kept[at + 1 + COMM_WORDS],
		       samples->kept[at] * sizeof(*frames));
		all += samples->kept[at];
	}
	qsort(frames, all, sizeof(*frames), compare_frames);
	*count = 0;
	for (size_t i = 0; i < all; i++)
		if (i == 0 || frames[i] != frames[i - 1])
			frames[(*count)++] = frames[i];
	return frames;
}

/* Frames of one name behind each other are one: without symbols all are. */
static void add_stack(json_t *stacks, const char *comm, const uint64_t *sampled, size_t depth,
		      const uint64_t *frames, size_t count, char *const *names)
{
	__cleanup_free char *stack = xstrdup(*comm ? comm : "[unknown]");
	const char *before = "";

	for (char *letter = stack; (letter = strchr(letter, ';'));)
		*letter = ',';
	while (depth--) {
		const uint64_t *found =
			bsearch(&sampled[depth], frames, count, sizeof(*frames), compare_frames);
		const char *name = names[found - frames];

		if (strcmp(name, before) != 0)
			append_text(&stack, ";", "%s", name);
		before = name;
	}
	stack = mend_text(stack);
	json_add(stacks, stack, 1);
}

/**
 * samples_fold - name and count the stacks of a sampling that was stopped
 * @stacks: {STACK: samples} is added to it: the name of the task and its frames, the outermost first, separated by ';'
 * @lost:   receives the number of samples that were not kept
 *
 * Return: the number of samples in @stacks.
 */
uint64_t samples_fold(struct samples *samples, json_t *stacks, uint64_t *lost)
{
	size_t count;
	__cleanup_free uint64_t *frames = list_frames(samples, &count);
	char **names = symbols_find(frames, count, samples->files);

	for (size_t at = 0; at < samples->used; at += 1 + COMM_WORDS + samples->kept[at])
		add_stack(stacks, (const char *)&samples->kept[at + 1],
			  &samples->kept[at + 1 + COMM_WORDS], samples->kept[at], frames, count,
			  names);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	*lost = samples->lost;
	return samples->count;
}

static void free_tasks(struct samples *samples)
{
	for (size_t i = 0; i < TASK_BUCKETS; i++)
		for (struct task *task = samples->tasks[i], *next; task; task = next) {
			next = task->next;
			free(task);
		}
	for (struct image *image = samples->images, *next; image; image = next) {
		next = image->next;
		free(image->areas);
		free(image);
	}
}

/** samples_close - stop and free a sampling; @samples may be NULL */
void samples_close(struct samples *samples)
{
	if (!samples)
		return;
	for (size_t i = 0; samples->rings && i < samples->counter.count; i++)
		if (samples->rings[i].page)
			munmap(samples->rings[i].page,
			       (size_t)sysconf(_SC_PAGESIZE) + SAMPLES_RING_BYTES);
	counter_close(&samples->counter);
	free_tasks(samples);
	for (size_t i = 0; i < samples->file_count; i++)
		free(samples->files[i]);
	free(samples->files);
	free(samples->rings);
	free(samples->polled);
	free(samples->kept);
	free(samples);
}
