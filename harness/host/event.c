// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of events, as in perf list: of the kernel, of any processor, of the PMUs of this machine by sysfs
 * (Documentation/ABI/testing/sysfs-bus-event_source-devices-format and -events), and trace events.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "harness/host/counters.h"
#include "harness/host/event.h"

#define PMUS "/sys/bus/event_source/devices"

#define CACHE(level, operation, result)                                                            \
	(PERF_COUNT_HW_CACHE_##level | PERF_COUNT_HW_CACHE_OP_##operation << 8 |                   \
	 PERF_COUNT_HW_CACHE_RESULT_##result << 16)

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} known[] = {
	{"cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK},
	{"task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
	{"context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
	{"cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS},
	{"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	{"minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
	{"major-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
	{"alignment-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS},
	{"emulation-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS},
	{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
	{"cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
	{"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
	{"branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
	{"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
	{"bus-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES},
	{"ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES},
	{"L1-dcache-load-misses", PERF_TYPE_HW_CACHE, CACHE(L1D, READ, MISS)},
	{"LLC-loads", PERF_TYPE_HW_CACHE, CACHE(LL, READ, ACCESS)},
	{"LLC-load-misses", PERF_TYPE_HW_CACHE, CACHE(LL, READ, MISS)},
	{"dTLB-load-misses", PERF_TYPE_HW_CACHE, CACHE(DTLB, READ, MISS)},
	{"iTLB-load-misses", PERF_TYPE_HW_CACHE, CACHE(ITLB, READ, MISS)},
	{"node-load-misses", PERF_TYPE_HW_CACHE, CACHE(NODE, READ, MISS)},
};

/**
 * tracepoint_read - read a file of a trace event
 * @name: as "kvm:kvm_exit"
 * @file: "id" or "format"
 * @text: receives it; owned by the caller
 *
 * Return: 0, or -ENOTSUP when this kernel has no such event.
 */
int tracepoint_read(const char *name, const char *file, char **text, struct reason *why)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	int system = (int)strcspn(name, ":");

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		__cleanup_free char *place = format_text("%s/events/%.*s/%s/%s", places[i], system,
							 name, name + system + 1, file);
		char path[4096];

		if (read_small_file(system_path(path, place), text, NULL) == 0)
			return 0;
	}
	return fail(why, -ENOTSUP,
		    "this kernel has no trace event %s, or tracefs is not mounted on "
		    "/sys/kernel/tracing",
		    name);
}

/* A name of a file, and not a way out of its directory. */
static bool is_file(const char *name, size_t length)
{
	return length && length < 64 && *name != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") >=
		       length;
}

static int read_pmu(const char *pmu, const char *file, const char *suffix, char **text)
{
	__cleanup_free char *name = format_text(PMUS "/%s/%s%s", pmu, file, suffix);
	char path[4096];
	int error = read_small_file(system_path(path, name), text, NULL);

	if (!error)
		(*text)[strcspn(*text, "\n")] = '\0';
	return error;
}

static uint64_t *field_of(struct perf_event_attr *attributes, const char *name, size_t length)
{
	const struct {
		const char *name;
		__u64 *field;
	} fields[] = {
		{"config", (__u64 *)&attributes->config},
		{"config1", (__u64 *)&attributes->config1},
		{"config2", (__u64 *)&attributes->config2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == length && !strncmp(name, fields[i].name, length))
			return (uint64_t *)fields[i].field;
	return NULL;
}

/* @format: as "config:0-7,32-35": where the bits of the value go, the lowest first. */
static int put_bits(struct perf_event_attr *attributes, const char *format, uint64_t value)
{
	size_t length = strcspn(format, ":");
	uint64_t *field = field_of(attributes, format, length);
	const char *next = format + length;

	if (!field)
		return -EINVAL;
	while (*next == ':' || *next == ',') {
		char *end;
		unsigned long first = strtoul(next + 1, &end, 10), last = first;

		if (end == next + 1)
			return -EINVAL;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first > last || last > 63)
			return -EINVAL;
		for (unsigned long bit = first; bit <= last; bit++, value >>= 1)
			*field = (*field & ~(1ULL << bit)) | (value & 1) << bit;
		next = end;
	}
	return *next ? -EINVAL : value ? -ERANGE : 0;
}

static void take_unit(struct event *event, const char *pmu, const char *file)
{
	__cleanup_free char *scale = NULL;
	__cleanup_free char *unit = NULL;

	if (read_pmu(pmu, file, ".scale", &scale) == 0 && strtod(scale, NULL) > 0)
		event->scale = strtod(scale, NULL);
	if (read_pmu(pmu, file, ".unit", &unit) == 0 && *unit) {
		__cleanup_free char *text = mend_text(steal(unit));

		snprintf(event->unit, sizeof(event->unit), "%s", text);
	}
}

static int take_terms(struct event *event, const char *pmu, const char *terms, bool is_given,
		      struct reason *why);

/* TERM=VALUE, or TERM for 1; in what the user wrote also the name of an event, which stands for such terms. */
static int take_term(struct event *event, const char *pmu, const char *term, size_t length,
		     bool is_given, struct reason *why)
{
	size_t name = strcspn(term, "=,/");
	bool has_value = name < length;
	__cleanup_free char *format = NULL;
	__cleanup_free char *terms = NULL;
	__cleanup_free char *file = NULL;
	__cleanup_free char *copy = NULL;
	uint64_t value = 1;
	char *end = NULL;
	int error;

	if (!is_file(term, name))
		return fail(why, -EINVAL, "'%.*s' is no term of an event", (int)length, term);
	if (has_value) {
		copy = xstrndup(term + name + 1, length - name - 1);
		errno = 0;
		value = strtoull(copy, &end, 0);
		if (errno || end == copy || *end || *copy == '-')
			return fail(why, -EINVAL, "'%.*s' has no number", (int)length, term);
	}
	if (field_of(&event->attributes, term, name)) {
		*field_of(&event->attributes, term, name) = value;
		return 0;
	}
	file = format_text("format/%.*s", (int)name, term);
	if (read_pmu(pmu, file, "", &format) == 0) {
		error = put_bits(&event->attributes, format, value);
		return error ? fail(why, error, "%s: the value of '%.*s' does not fit into %s", pmu,
				    (int)length, term, format)
			     : 0;
	}
	free(file);
	file = format_text("events/%.*s", (int)name, term);
	if (!has_value && is_given && read_pmu(pmu, file, "", &terms) == 0) {
		take_unit(event, pmu, file);
		return take_terms(event, pmu, terms, false, why);
	}
	return fail(why, -ENOTSUP,
		    "'%.*s' is neither in format/ nor in events/ of " PMUS "/%s on this machine",
		    (int)name, term, pmu);
}

static int take_terms(struct event *event, const char *pmu, const char *terms, bool is_given,
		      struct reason *why)
{
	int error = 0;

	for (size_t at = 0, length; !error && terms[at];
	     at += length + (terms[at + length] == ',')) {
		length = strcspn(terms + at, ",");
		error = take_term(event, pmu, terms + at, length, is_given, why);
	}
	return error;
}

/*
 * u, k and h: only what runs in user space, the kernel, the hypervisor. G and H: only in guests, only in the host. I: no samples of
 * a processor that waits.
 */
static int take_modifiers(struct perf_event_attr *attributes, const char *modifiers,
			  struct reason *why)
{
	if (modifiers[strspn(modifiers, "ukhGHI")])
		return fail(why, -EINVAL, "'%s' are no modifiers of a count: u, k, h, G, H, I",
			    modifiers);
	if (strpbrk(modifiers, "ukh")) {
		attributes->exclude_user = !strchr(modifiers, 'u');
		attributes->exclude_kernel = !strchr(modifiers, 'k');
		attributes->exclude_hv = !strchr(modifiers, 'h');
	}
	if (strpbrk(modifiers, "GH")) {
		attributes->exclude_guest = !strchr(modifiers, 'G');
		attributes->exclude_host = !strchr(modifiers, 'H');
	}
	attributes->exclude_idle = strchr(modifiers, 'I') != NULL;
	return 0;
}

/* PMU/TERM,.../MODIFIERS */
static int describe_pmu(const char *name, struct event *event, struct reason *why)
{
	size_t length = strcspn(name, "/");
	const char *end = strchr(name + length + 1, '/');
	__cleanup_free char *pmu = xstrndup(name, length);
	__cleanup_free char *processors = NULL;
	__cleanup_free char *terms = NULL;
	__cleanup_free char *type = NULL;

	if (!is_file(pmu, length) || !end)
		return fail(why, -EINVAL, "no event '%s': it is PMU/EVENT/ or PMU/TERM=VALUE,.../",
			    name);
	if (read_pmu(pmu, "type", "", &type))
		return fail(why, -ENOTSUP, "%s: this machine has no PMU " PMUS "/%s", name, pmu);
	event->attributes.type = (uint32_t)strtoul(type, NULL, 10);
	if (read_pmu(pmu, "cpumask", "", &processors) == 0 ||
	    read_pmu(pmu, "cpus", "", &processors) == 0)
		snprintf(event->processors, sizeof(event->processors), "%s", processors);
	terms = xstrndup(name + length + 1, (size_t)(end - name) - length - 1);
	return take_terms(event, pmu, terms, true, why)
		       ?: take_modifiers(&event->attributes, end + 1, why);
}

/* SYSTEM:EVENT, or SYSTEM:EVENT/FILTER/ */
static int describe_tracepoint(const char *name, struct event *event, struct reason *why)
{
	size_t length = strcspn(name, "/"), filter = strlen(name + length);
	__cleanup_free char *plain = xstrndup(name, length);
	__cleanup_free char *id = NULL;
	int error;

	if (filter &&
	    (filter < 3 || name[length + filter - 1] != '/' || filter - 2 >= sizeof(event->filter)))
		return fail(why, -EINVAL,
			    "no event '%s': a filter is SYSTEM:EVENT/FIELD==VALUE/, of at most %zu "
			    "letters",
			    name, sizeof(event->filter) - 1);
	if (filter)
		snprintf(event->filter, sizeof(event->filter), "%.*s", (int)filter - 2,
			 name + length + 1);
	error = tracepoint_read(plain, "id", &id, why);
	event->attributes.type = PERF_TYPE_TRACEPOINT;
	event->attributes.config = error ? 0 : strtoull(id, NULL, 10);
	return error;
}

static bool is_raw(const char *name, size_t length)
{
	return length > 1 && length < 18 && *name == 'r' &&
	       strspn(name + 1, "0123456789abcdefABCDEF") >= length - 1;
}

/**
 * event_describe - find what the name of an event means on this machine
 * @name:  as in perf list: "page-faults", "cycles:u", "r01c2", "msr/smi/", "cpu/event=0xc0,umask=1/k", "kvm:kvm_exit", or
 *         "kvm:kvm_exit/exit_reason==0x400/" with a filter (Documentation/trace/events.rst)
 * @event: receives it
 * @why:   filled on an error
 *
 * Return: 0, -EINVAL for a name that is none, -ERANGE for a value that has no place, -ENOTSUP if this machine has no such event.
 */
int event_describe(const char *name, struct event *event, struct reason *why)
{
	size_t length = strcspn(name, ":");

	*event = (struct event){.scale = 1,
				.unit = "count",
				.attributes = {.size = sizeof(event->attributes),
					       .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED |
							      PERF_FORMAT_TOTAL_TIME_RUNNING}};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != length || strncmp(known[i].name, name, length) != 0)
			continue;
		event->attributes.type = known[i].type;
		event->attributes.config = known[i].config;
		if (known[i].type == PERF_TYPE_SOFTWARE &&
		    known[i].config <= PERF_COUNT_SW_TASK_CLOCK)
			strcpy(event->unit, "ns");
		return take_modifiers(&event->attributes, name + length + (name[length] == ':'),
				      why);
	}
	if (is_raw(name, length)) {
		event->attributes.type = PERF_TYPE_RAW;
		event->attributes.config = strtoull(name + 1, NULL, 16);
		return take_modifiers(&event->attributes, name + length + (name[length] == ':'),
				      why);
	}
	if (name[length] && strcspn(name, "/") > length)
		return describe_tracepoint(name, event, why);
	if (strchr(name, '/'))
		return describe_pmu(name, event, why);
	return fail(why, -EINVAL,
		    "no event '%s': use names of perf list such as task-clock, page-faults, "
		    "cycles:u, LLC-load-misses, PMU/EVENT/, or SYSTEM:EVENT for a trace event",
		    name);
}

/** event_is_on - whether a processor counts the event */
bool event_is_on(const struct event *event, int processor)
{
	const char *next = event->processors;

	while (isdigit((unsigned char)*next)) {
		char *end;
		long first = strtol(next, &end, 10),
		     last = *end == '-' ? strtol(end + 1, &end, 10) : first;

		if (processor >= first && processor <= last)
			return true;
		next = end + (*end == ',');
	}
	return !*event->processors;
}
