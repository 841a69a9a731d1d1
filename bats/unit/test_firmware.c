// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the firmware model against a guest, a QEMU and a TCG plugin that are all played by the test: RAM is a
 * small file, QMP and the interrupt socket are served by a thread, the plugin is the shared page.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness/lib/util.h"
#include "harness/rig/firmware/acpi_table.h"
#include "harness/rig/firmware/firmware.h"
#include "harness/rig/firmware/poison.h"
#include "harness/rig/qmp.h"

#include <cmocka.h>

#define RAM_SIZE (4u << 20)
#define REGION 0x200000u
#define REGION_SIZE 0x10000u
#define TARGET 0x12340u
#define PATIENCE_NS (10000 * NSEC_PER_MSEC)

enum plugin_mode {
	PLUGIN_ABSENT,
	PLUGIN_ANSWERS,
	PLUGIN_SILENT
};

struct fixture {
	char directory[64];
	char *ram_path, *bell_path, *poison_path, *qmp_path, *irq_path;
	struct firmware_config config;
	struct firmware *firmware;
	struct qmp *qmp;
	uint8_t *ram;
	struct poison_page *page;
	int bell, qmp_listen, irq_listen;
	pthread_t server;
	atomic_int plugin;
	atomic_bool rubbish;
	pthread_mutex_t mutex;
	json_t *events;	  /* all so far */
	json_t *commands; /* lines of the human monitor */
	atomic_int pulses;
};

static void on_event(void *context, json_t *event)
{
	struct fixture *fixture = context;

	pthread_mutex_lock(&fixture->mutex);
	json_array_append_new(fixture->events, event);
	pthread_mutex_unlock(&fixture->mutex);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 2), 0);
	return fd;
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Wakes the model as the plugin does. */
static void notify(struct fixture *fixture)
{
	__cleanup_free char *path = format_text("%s%s", fixture->poison_path, POISON_NOTIFY_SUFFIX);
	__cleanup_close int fd = connect_to(path, SOCK_DGRAM);

	assert_int_equal(send(fd, "p", 1, 0), 1);
}

static void answer_qmp(struct fixture *fixture, int fd, const char *line)
{
	__cleanup_json json_t *request = json_loads(line, 0, NULL);
	const char *command = json_text(request, "execute", "");
	__cleanup_json json_t *reply =
		json_pack("{s:{}, s:O}", "return", "id", json_object_get(request, "id"));
	__cleanup_free char *text = NULL;

	if (!strcmp(command, "query-status")) {
		json_object_set_new(json_object_get(reply, "return"), "running", json_true());
	} else if (!strcmp(command, "stop")) {
		if (atomic_load(&fixture->plugin) == PLUGIN_ANSWERS) {
			atomic_store(&fixture->page->acknowledged,
				     atomic_load(&fixture->page->generation));
			notify(fixture);
		}
	} else if (!strcmp(command, "human-monitor-command")) {
		pthread_mutex_lock(&fixture->mutex);
		json_array_append(fixture->commands,
				  json_object_get(json_object_get(request, "arguments"),
						  "command-line"));
		pthread_mutex_unlock(&fixture->mutex);
		json_object_set_new(reply, "return", json_string(""));
	} else if (!strcmp(command, "refused")) {
		json_object_del(reply, "return");
		json_object_set_new(reply, "error", json_pack("{s:s}", "class", "GenericError"));
	} else if (!strcmp(command, "silence")) {
		return;
	} else if (!strcmp(command, "rubbish")) {
		(void)!write(fd, "{\"what\": 1}\n", 12);
		return;
	}
	text = json_dumps(reply, JSON_COMPACT);
	(void)!write(fd, text, strlen(text));
	(void)!write(fd, "\r\n", 2);
}

static void *serve(void *argument)
{
	struct fixture *fixture = argument;
	int qmp = -1, irq = -1;
	char line[4096];
	size_t used = 0;

	for (;;) {
		struct pollfd wait[] = {{.fd = fixture->qmp_listen, .events = POLLIN},
					{.fd = fixture->irq_listen, .events = POLLIN},
					{.fd = qmp, .events = POLLIN},
					{.fd = irq, .events = POLLIN}};
		char *end;

		poll(wait, ARRAY_SIZE(wait), -1);
		if (wait[0].revents) {
			static const char greeting[] = "{\"QMP\": {\"version\": {}}}\r\n";

			qmp = accept(fixture->qmp_listen, NULL, NULL);
			if (qmp < 0)
				break;
			(void)!write(qmp, greeting, sizeof(greeting) - 1);
			used = 0;
		}
		if (wait[1].revents)
			irq = accept(fixture->irq_listen, NULL, NULL);
		if (wait[2].revents) {
			ssize_t got = read(qmp, line + used, sizeof(line) - used - 1);

			if (got <= 0) {
				close(qmp);
				qmp = -1;
				continue;
			}
			used += (size_t)got;
			line[used] = '\0';
			while ((end = strchr(line, '\n'))) {
				*end = '\0';
				answer_qmp(fixture, qmp, line);
				used -= (size_t)(end - line) + 1;
				memmove(line, end + 1, used + 1);
			}
		}
		if (wait[3].revents) {
			char text[512] = "";
			ssize_t got = read(irq, text, sizeof(text) - 1);

			if (got <= 0) {
				close(irq);
				irq = -1;
			} else if (strstr(text, "set_irq_in ioapic unnamed-gpio-in 10 1\n")) {
				fixture->pulses++;
			}
		}
	}
	if (qmp >= 0)
		close(qmp);
	if (irq >= 0)
		close(irq);
	return NULL;
}

static int open_with(void **state, size_t region_size)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fd;

	strcpy(fixture->directory, "/tmp/brinell-firmware-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	fixture->ram_path = format_text("%s/ram", fixture->directory);
	fixture->bell_path = format_text("%s/bell", fixture->directory);
	fixture->poison_path = format_text("%s/poison", fixture->directory);
	fixture->qmp_path = format_text("%s/qmp", fixture->directory);
	fixture->irq_path = format_text("%s.irq", fixture->bell_path);
	pthread_mutex_init(&fixture->mutex, NULL);
	fixture->events = json_array();
	fixture->commands = json_array();
	fixture->config = (struct firmware_config){.ram_path = fixture->ram_path,
						   .ram_size = RAM_SIZE,
						   .region = REGION,
						   .region_size = region_size,
						   .processors = 2,
						   .einj_revision = 2,
						   .doorbell_path = fixture->bell_path,
						   .poison_path = fixture->poison_path};
	assert_int_equal(firmware_open(&fixture->config, on_event, fixture, &fixture->firmware), 0);
	fd = open(fixture->ram_path, O_RDWR | O_CLOEXEC);
	fixture->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	fd = open(fixture->poison_path, O_RDWR | O_CLOEXEC);
	fixture->page =
		mmap(NULL, sizeof(*fixture->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	fixture->qmp_listen = listen_at(fixture->qmp_path);
	fixture->irq_listen = listen_at(fixture->irq_path);
	assert_int_equal(pthread_create(&fixture->server, NULL, serve, fixture), 0);
	fixture->bell = connect_to(fixture->bell_path, SOCK_STREAM);
	assert_int_equal(qmp_connect(fixture->qmp_path, 5000, NULL, NULL, &fixture->qmp), 0);
	assert_int_equal(firmware_attach(fixture->firmware, fixture->qmp), 0);
	*state = fixture;
	return 0;
}

static int open_fixture(void **state)
{
	return open_with(state, REGION_SIZE);
}

/* A host without tables and registers. */
static int open_bare(void **state)
{
	return open_with(state, 0);
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;

	firmware_detach(fixture->firmware);
	firmware_close(fixture->firmware);
	qmp_close(fixture->qmp);
	close(fixture->bell);
	shutdown(fixture->qmp_listen, SHUT_RDWR);
	pthread_join(fixture->server, NULL);
	close(fixture->qmp_listen);
	close(fixture->irq_listen);
	assert_int_equal(access(fixture->bell_path, F_OK), -1);
	unlink(fixture->ram_path);
	unlink(fixture->poison_path);
	unlink(fixture->qmp_path);
	unlink(fixture->irq_path);
	assert_int_equal(rmdir(fixture->directory), 0);
	munmap(fixture->ram, RAM_SIZE);
	munmap(fixture->page, sizeof(*fixture->page));
	json_decref(fixture->events);
	json_decref(fixture->commands);
	free(fixture->ram_path);
	free(fixture->bell_path);
	free(fixture->poison_path);
	free(fixture->qmp_path);
	free(fixture->irq_path);
	free(fixture);
	return 0;
}

static void put(struct fixture *fixture, size_t at, uint64_t value, size_t size)
{
	memcpy(fixture->ram + REGION + at, &value, size);
}

static uint64_t get(struct fixture *fixture, size_t at)
{
	return __atomic_load_n((uint64_t *)(fixture->ram + REGION + at), __ATOMIC_ACQUIRE);
}

static void parameters(struct fixture *fixture, uint32_t type, uint32_t flags, uint64_t address)
{
	put(fixture, 0x1000, type, 4);
	put(fixture, 0x1008, flags, 4);
	put(fixture, 0x100c, 0, 4);
	put(fixture, 0x1010, address, 8);
	put(fixture, 0x1018, UINT64_MAX, 8);
	put(fixture, 0x1020, 0, 4);
}

static void ring(struct fixture *fixture, uint8_t value)
{
	assert_int_equal(write(fixture->bell, &value, 1), 1);
}

static void start(struct fixture *fixture)
{
	__atomic_store_n((uint64_t *)(fixture->ram + REGION + 0x18), 1, __ATOMIC_RELEASE);
	ring(fixture, 0x45);
}

/* EXECUTE, and the number that Linux reads as the command's status; -1 when the firmware stays busy for @ns. */
static int execute_within(struct fixture *fixture, int64_t ns)
{
	int64_t deadline = now_monotonic_ns() + ns;

	start(fixture);
	while (get(fixture, 0x18) & 1) {
		if (now_monotonic_ns() > deadline)
			return -1;
		poll(NULL, 0, 1);
	}
	return (int)(get(fixture, 0x20) >> 1 & 0xff);
}

static int execute(struct fixture *fixture)
{
	return execute_within(fixture, PATIENCE_NS);
}

/* Waits for the @nth event of a name and returns it, or fails. */
static json_t *event(struct fixture *fixture, const char *name, unsigned int nth)
{
	int64_t deadline = now_monotonic_ns() + PATIENCE_NS;

	while (now_monotonic_ns() < deadline) {
		unsigned int seen = 0;
		json_t *found = NULL, *one;
		size_t i;

		pthread_mutex_lock(&fixture->mutex);
		json_array_foreach (fixture->events, i, one)
			if (!strcmp(json_text(one, "event", ""), name) && seen++ == nth)
				found = one;
		pthread_mutex_unlock(&fixture->mutex);
		if (found)
			return found;
		poll(NULL, 0, 1);
	}
	fail_msg("no event %s", name);
	return NULL;
}

static const char *monitor_line(struct fixture *fixture, size_t nth)
{
	const char *line;

	pthread_mutex_lock(&fixture->mutex);
	line = json_string_value(json_array_get(fixture->commands, nth));
	pthread_mutex_unlock(&fixture->mutex);
	return line;
}

static int control(struct fixture *fixture, json_t *request, json_t **reply)
{
	int error = firmware_control(fixture->firmware, request, reply);

	json_decref(request);
	return error;
}

static void test_uncorrected_memory_is_triggered(void **state)
{
	struct fixture *fixture = *state;

	parameters(fixture, 0x10, 2, TARGET);
	assert_int_equal(execute(fixture), 0);
	assert_string_equal(json_text(event(fixture, "einj-execute", 0), "address", ""), "0x12340");
	assert_string_equal(json_text(event(fixture, "poisoned", 0), "address", ""), "0x12340");
	assert_null(monitor_line(fixture, 0));
	ring(fixture, 0x54);
	assert_string_equal(json_text(event(fixture, "delivered", 0), "kind", ""), "SRAO");
	assert_string_equal(monitor_line(fixture, 0),
			    "mce -b 0 9 0xbd000000000000c0 0x5 0x12340 0x8c");
}

static void test_machine_check_on_request(void **state)
{
	struct fixture *fixture = *state;
	__cleanup_json json_t *request =
		json_pack("{s:s, s:i}", "call", "machine-check", "address", 0x12340);

	assert_int_equal(control(fixture, json_incref(request), NULL), 0);
	assert_string_equal(monitor_line(fixture, 0),
			    "mce -b 0 9 0xbd000000000000c0 0x5 0x12340 0x8c");
	assert_string_equal(json_text(event(fixture, "delivered", 0), "kind", ""), "SRAO");
	/* The processors may not be done with it. */
	assert_int_equal(control(fixture, json_incref(request), NULL), -EBUSY);
	assert_int_equal(control(fixture,
				 json_pack("{s:s, s:I}", "call", "machine-check", "address",
					   (json_int_t)RAM_SIZE),
				 NULL),
			 -EFAULT);
	assert_null(monitor_line(fixture, 1));
}

static void test_fatal_memory_on_a_processor(void **state)
{
	struct fixture *fixture = *state;

	parameters(fixture, 0x20, 3, TARGET);
	put(fixture, 0x100c, 1, 4);
	assert_int_equal(execute(fixture), 0);
	ring(fixture, 0x54);
	assert_string_equal(json_text(event(fixture, "delivered", 0), "kind", ""), "fatal");
	assert_string_equal(monitor_line(fixture, 0),
			    "mce -b 1 9 0xbe00000000000090 0x4 0x12340 0x8c");
}

static void test_broadcasts_keep_their_distance(void **state)
{
	struct fixture *fixture = *state;
	int64_t first, second;

	for (int i = 0; i < 2; i++) {
		parameters(fixture, 0x10, 2, TARGET + 64 * (uint64_t)i);
		assert_int_equal(execute(fixture), 0);
		ring(fixture, 0x54);
		event(fixture, "einj-trigger", (unsigned int)i);
	}
	first = json_number(event(fixture, "delivered", 0), "time_ns", 0);
	second = json_number(event(fixture, "delivered", 1), "time_ns", 0);
	assert_true(second - first >= 40 * NSEC_PER_MSEC);
}

static void test_corrected_memory_becomes_a_record(void **state)
{
	struct fixture *fixture = *state;

	parameters(fixture, 0x8, 2, TARGET);
	assert_int_equal(execute(fixture), 0);
	ring(fixture, 0x54);
	assert_string_equal(json_text(event(fixture, "delivered", 0), "kind", ""), "corrected");
	assert_int_equal(get(fixture, 0x80), REGION + 0x4000);
	assert_int_equal(get(fixture, 0x4000) & 0xffffffff, 2 | 1 << 4);
	assert_int_equal(get(fixture, 0x4000 + 20 + 72 + 16), TARGET);
	for (int64_t end = now_monotonic_ns() + PATIENCE_NS;
	     !fixture->pulses && now_monotonic_ns() < end;)
		poll(NULL, 0, 1);
	assert_int_equal(fixture->pulses, 1);
}

static void test_second_record_waits_for_the_first(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < 2; i++) {
		parameters(fixture, 0x1, 0, 0);
		assert_int_equal(execute(fixture), 0);
		ring(fixture, 0x54);
		event(fixture, "einj-trigger", i);
	}
	event(fixture, "delivered", 0);
	poll(NULL, 0, 30);
	pthread_mutex_lock(&fixture->mutex);
	assert_string_equal(
		json_text(json_array_get(fixture->events, json_array_size(fixture->events) - 1),
			  "event", ""),
		"einj-trigger");
	pthread_mutex_unlock(&fixture->mutex);
	/* The operating system takes it. */
	put(fixture, 0x4000, 0, 4);
	event(fixture, "delivered", 1);
}

static void test_every_answer(void **state)
{
	static const struct {
		const char *name;
		int expected;
	} answers[] = {{"failure", 1}, {"invalid-access", 2}, {"success", 0}};
	struct fixture *fixture = *state;

	parameters(fixture, 0x8, 2, TARGET);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		assert_int_equal(control(fixture,
					 json_pack("{s:s, s:s}", "call", "answer", "status",
						   answers[i].name),
					 NULL),
				 0);
		assert_int_equal(execute(fixture), answers[i].expected);
		assert_int_equal(execute(fixture), 0);
	}
	control(fixture, json_pack("{s:s, s:i, s:i}", "call", "answer", "status", 200, "count", 2),
		NULL);
	assert_int_equal(execute(fixture), 200);
	assert_int_equal(execute(fixture), 200);
	assert_int_equal(execute(fixture), 0);
}

static void test_refusal_arms_nothing(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	parameters(fixture, 0x10, 2, TARGET);
	control(fixture, json_pack("{s:s, s:s}", "call", "answer", "status", "failure"), NULL);
	assert_int_equal(execute(fixture), 1);
	control(fixture, json_pack("{s:s}", "call", "status"), &reply);
	assert_int_equal(json_array_size(json_object_get(reply, "armed")), 0);
	json_decref(reply);
	ring(fixture, 0x54);
	event(fixture, "stray-trigger", 0);
	assert_null(monitor_line(fixture, 0));
}

static void test_firmware_that_never_answers(void **state)
{
	struct fixture *fixture = *state;

	parameters(fixture, 0x8, 2, TARGET);
	control(fixture, json_pack("{s:s, s:s}", "call", "answer", "status", "busy-for-ever"),
		NULL);
	assert_int_equal(execute_within(fixture, 200 * NSEC_PER_MSEC), -1);
	assert_int_equal(execute(fixture), 0);
}

static void test_firmware_that_is_late(void **state)
{
	struct fixture *fixture = *state;
	int64_t began;

	parameters(fixture, 0x8, 2, TARGET);
	control(fixture, json_pack("{s:s, s:i, s:i}", "call", "delay", "ms", 150, "count", 1),
		NULL);
	began = now_monotonic_ns();
	assert_int_equal(execute(fixture), 0);
	assert_true(now_monotonic_ns() - began >= 150 * NSEC_PER_MSEC);
}

static void test_what_is_refused(void **state)
{
	static const struct {
		uint32_t type, flags, apic;
		uint64_t address;
		const char *reason;
	} cases[] = {
		{0x10, 2, 0, RAM_SIZE, "EFAULT"},    {0x10, 2, 0, UINT64_MAX, "EFAULT"},
		{0x10, 2, 0, REGION + 64, "EFAULT"}, {0x10, 0, 0, TARGET, "EDESTADDRREQ"},
		{0x18, 2, 0, TARGET, "EINVAL"},	     {0x200, 0, 0, 0, "EOPNOTSUPP"},
		{0, 2, 0, TARGET, "EOPNOTSUPP"},     {0x80000000, 2, 0, TARGET, "EOPNOTSUPP"},
		{0x10, 3, 2, TARGET, "ENXIO"},	     {0x8, 8 | 2, 0, TARGET, "EOPNOTSUPP"},
	};
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		parameters(fixture, cases[i].type, cases[i].flags, cases[i].address);
		put(fixture, 0x100c, cases[i].apic, 4);
		assert_int_equal(execute(fixture), 2);
		assert_string_equal(json_text(event(fixture, "einj-execute", i), "reason", ""),
				    cases[i].reason);
	}
}

static void test_types_can_be_taken_away(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get(fixture, 0x10), 0x1ff | 1 << 30);
	assert_int_equal(get(fixture, 0x40), 7);
	control(fixture, json_pack("{s:s, s:i}", "call", "types", "available", 0x38), NULL);
	assert_int_equal(get(fixture, 0x10), 0x38 | 1 << 30);
	parameters(fixture, 0x1, 0, 0);
	assert_int_equal(execute(fixture), 2);
}

static void test_version_2_components(void **state)
{
	struct fixture *fixture = *state;
	json_t *components;

	assert_int_equal(get(fixture, 0x1024) & 0xffffffff, 8 + 8 * 32);
	parameters(fixture, 0x2, 8 | 2, TARGET);
	put(fixture, 0x102a, 2, 2);
	put(fixture, 0x102c, 0xab, 8);
	assert_int_equal(execute(fixture), 0);
	components = json_object_get(event(fixture, "einj-execute", 0), "components");
	assert_int_equal(json_array_size(components), 2);
	assert_string_equal(json_text(json_array_get(components, 0), "id", ""),
			    "000000000000000000000000000000ab");
	put(fixture, 0x102a, 9, 2);
	assert_int_equal(execute(fixture), 2);
	put(fixture, 0x102a, 1, 2);
	put(fixture, 0x1024, 0xffffffff, 4);
	assert_int_equal(execute(fixture), 2);
}

static void test_plugin_must_acknowledge(void **state)
{
	struct fixture *fixture = *state;

	atomic_store(&fixture->page->present, 1);
	fixture->plugin = PLUGIN_SILENT;
	parameters(fixture, 0x10, 2, TARGET);
	assert_int_equal(execute(fixture), 1);
	assert_string_equal(json_text(event(fixture, "einj-execute", 0), "reason", ""), "ETIME");
	assert_int_equal(atomic_load(&fixture->page->offsets), 0);
	fixture->plugin = PLUGIN_ANSWERS;
	assert_int_equal(execute(fixture), 0);
	assert_int_equal(atomic_load(&fixture->page->generation) & 1, 1);
	assert_int_equal(atomic_load(&fixture->page->offsets), UINT64_C(1) << (TARGET >> 6 & 63));
}

static void post(struct fixture *fixture, uint32_t act, uint32_t processor, uint32_t raised)
{
	uint64_t sequence = atomic_load(&fixture->page->posted) + 1;
	struct poison_post *entry = &fixture->page->posts[sequence % POISON_POSTS];

	*entry = (struct poison_post){.time_ns = 1,
				      .address = TARGET + 8,
				      .line = 0,
				      .armed = atomic_load(&fixture->page->lines[0].armed),
				      .act = act,
				      .processor = processor,
				      .raised = raised};
	atomic_store(&entry->sequence, sequence);
	atomic_store(&fixture->page->posted, sequence);
	notify(fixture);
}

static void latent(struct fixture *fixture)
{
	fixture->plugin = PLUGIN_ANSWERS;
	atomic_store(&fixture->page->present, 1);
	parameters(fixture, 0x10, 2, TARGET);
	assert_int_equal(execute(fixture), 0);
}

static void test_consumption_by_load_and_fetch(void **state)
{
	struct fixture *fixture = *state;
	json_t *delivered;

	latent(fixture);
	post(fixture, POISON_LOAD, 1, 1);
	delivered = event(fixture, "delivered", 0);
	assert_string_equal(json_text(delivered, "kind", ""), "SRAR");
	assert_string_equal(json_text(delivered, "status", ""), "0xbd80000000100134");
	assert_int_equal(json_number(delivered, "cpu", -1), 1);
	/* The plugin has raised it: nothing for the monitor. */
	assert_null(monitor_line(fixture, 0));
	post(fixture, POISON_FETCH, 0, 0);
	delivered = event(fixture, "delivered", 1);
	assert_string_equal(json_text(delivered, "status", ""), "0xbd80000000100150");
	assert_string_equal(monitor_line(fixture, 0),
			    "mce 0 9 0xbd80000000100150 0xf 0x12348 0x86");
	assert_int_equal(atomic_load(&fixture->page->answered), 2);
}

static void test_line_is_retired_after_its_report(void **state)
{
	struct fixture *fixture = *state;

	control(fixture, json_pack("{s:s, s:i}", "call", "retire", "ms", 30), NULL);
	latent(fixture);
	post(fixture, POISON_LOAD, 1, 1);
	event(fixture, "retired", 0);
	assert_int_equal(atomic_load(&fixture->page->offsets), 0);
}

/* A machine that is instrumented stays so for a while: the next line costs it nothing. */
static void test_the_next_line_finds_the_machine_instrumented(void **state)
{
	struct fixture *fixture = *state;
	int64_t until = now_monotonic_ns() + 10 * NSEC_PER_SEC;
	uint32_t generation;

	latent(fixture);
	generation = atomic_load(&fixture->page->generation);
	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "clear"), NULL), 0);
	/* A plugin that does not answer gets no further request. */
	fixture->plugin = PLUGIN_SILENT;
	assert_int_equal(execute(fixture), 0);
	assert_int_equal(atomic_load(&fixture->page->generation), generation);
	assert_int_equal(atomic_load(&fixture->page->offsets), UINT64_C(1) << (TARGET >> 6 & 63));
	fixture->plugin = PLUGIN_ANSWERS;
	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "reset"), NULL), 0);
	assert_int_equal(atomic_load(&fixture->page->generation), generation);
	while (atomic_load(&fixture->page->generation) & 1 && now_monotonic_ns() < until)
		poll(NULL, 0, 20);
	assert_int_equal(atomic_load(&fixture->page->generation) & 1, 0);
}

static void test_partial_store_and_overwrite(void **state)
{
	struct fixture *fixture = *state;
	json_t *delivered;

	latent(fixture);
	post(fixture, POISON_PARTIAL_STORE, 0, 0);
	delivered = event(fixture, "delivered", 0);
	assert_string_equal(json_text(delivered, "kind", ""), "UCNA");
	assert_int_equal(atomic_load(&fixture->page->lines[0].kind), POISON_UNCORRECTED);
	post(fixture, POISON_OVERWRITE, 0, 0);
	event(fixture, "cleared-by-store", 0);
	assert_null(monitor_line(fixture, 0));
}

static void test_cached_line_is_written_back(void **state)
{
	struct fixture *fixture = *state;
	json_t *delivered, *reply;

	parameters(fixture, 0x2, 3, TARGET);
	assert_int_equal(execute(fixture), 0);
	assert_int_equal(atomic_load(&fixture->page->lines[0].kind), POISON_CACHED);
	/* It is not in memory yet. */
	control(fixture, json_pack("{s:s}", "call", "scrub"), &reply);
	assert_int_equal(json_number(reply, "found", -1), 0);
	json_decref(reply);
	post(fixture, POISON_WRITE_BACK, 1, 1);
	delivered = event(fixture, "delivered", 0);
	assert_string_equal(json_text(delivered, "act", ""), "write-back");
	assert_string_equal(json_text(delivered, "status", ""), "0xbd0000000000017a");
	assert_null(monitor_line(fixture, 0));
}

static void test_scrubber_finds_latent_poison(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	latent(fixture);
	control(fixture, json_pack("{s:s}", "call", "scrub"), &reply);
	assert_int_equal(json_number(reply, "found", -1), 1);
	json_decref(reply);
	assert_string_equal(json_text(event(fixture, "delivered", 0), "kind", ""), "SRAO");
	control(fixture, json_pack("{s:s}", "call", "scrub"), &reply);
	assert_int_equal(json_number(reply, "found", -1), 0);
	json_decref(reply);
}

static void test_host_without_tables(void **state)
{
	static const uint8_t untouched[4096];
	struct fixture *fixture = *state;
	char **arguments = firmware_qemu_arguments(&fixture->config, "/d", "/plugin");

	for (char **word = arguments; *word; word++) {
		assert_string_not_equal(*word, "-acpitable");
		assert_string_not_equal(*word, "-plugin");
		free(*word);
	}
	free(arguments);
	assert_int_equal(control(fixture,
				 json_pack("{s:s, s:i}", "call", "poison", "address", TARGET),
				 NULL),
			 -EOPNOTSUPP);
	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "reset"), NULL), 0);
	/* Its memory belongs to the host. */
	for (size_t at = 0; at < RAM_SIZE; at += sizeof(untouched))
		assert_memory_equal(fixture->ram + at, untouched, sizeof(untouched));
}

static void test_old_news_of_a_line_is_ignored(void **state)
{
	struct fixture *fixture = *state;

	latent(fixture);
	atomic_fetch_add(&fixture->page->lines[0].armed, 1);
	uint64_t sequence = 1;
	struct poison_post *entry = &fixture->page->posts[sequence];

	*entry = (struct poison_post){.act = POISON_LOAD, .raised = 1};
	atomic_store(&entry->sequence, sequence);
	atomic_store(&fixture->page->posted, sequence);
	notify(fixture);
	/* Absurd indices too. */
	for (sequence = 2; sequence < 5; sequence++) {
		entry = &fixture->page->posts[sequence];
		*entry = (struct poison_post){
			.line = sequence == 4 ? 0 : UINT32_MAX - (uint32_t)sequence,
			.processor = sequence == 4 ? UINT32_MAX : 0,
			.armed = atomic_load(&fixture->page->lines[0].armed),
			.act = POISON_LOAD};
		atomic_store(&entry->sequence, sequence);
		atomic_store(&fixture->page->posted, sequence);
	}
	notify(fixture);
	for (int64_t end = now_monotonic_ns() + PATIENCE_NS;
	     atomic_load(&fixture->page->answered) != 4 && now_monotonic_ns() < end;)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(&fixture->page->answered), 4);
	pthread_mutex_lock(&fixture->mutex);
	assert_string_equal(
		json_text(json_array_get(fixture->events, json_array_size(fixture->events) - 1),
			  "event", ""),
		"einj-execute");
	pthread_mutex_unlock(&fixture->mutex);
}

static void test_many_lines(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	for (int i = 0; i < POISON_LINES; i++)
		assert_int_equal(control(fixture,
					 json_pack("{s:s, s:i}", "call", "poison", "address",
						   0x10000 + i * 4096),
					 NULL),
				 0);
	assert_int_equal(control(fixture,
				 json_pack("{s:s, s:i}", "call", "poison", "address", 0x100), NULL),
			 -ENOSPC);
	control(fixture, json_pack("{s:s}", "call", "clear"), &reply);
	assert_int_equal(json_number(reply, "cleared", 0), POISON_LINES);
	json_decref(reply);
}

static void test_power_cycle(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	latent(fixture);
	put(fixture, 0x18, 1, 8);
	put(fixture, 0x2000, UINT64_MAX, 8);
	firmware_detach(fixture->firmware);
	assert_int_equal(atomic_load(&fixture->page->generation) & 1, 0);
	assert_int_equal(firmware_attach(fixture->firmware, fixture->qmp), 0);
	assert_int_equal(firmware_attach(fixture->firmware, fixture->qmp), -EALREADY);
	assert_int_equal(get(fixture, 0x18), 0);
	assert_int_equal(get(fixture, 0x2000) & 0xffffffff, 16);
	control(fixture, json_pack("{s:s}", "call", "status"), &reply);
	assert_int_equal(json_array_size(json_object_get(reply, "armed")), 0);
	json_decref(reply);
}

static void test_reset_between_two_trials(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	latent(fixture);
	control(fixture,
		json_pack("{s:s, s:s, s:i}", "call", "answer", "status", "busy-for-ever", "count",
			  0),
		NULL);
	control(fixture, json_pack("{s:s, s:i}", "call", "types", "available", 1), NULL);
	control(fixture, json_pack("{s:s, s:i}", "call", "delay", "ms", 60000), NULL);
	assert_int_equal(execute_within(fixture, 50 * NSEC_PER_MSEC), -1);
	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "reset"), NULL), 0);
	control(fixture, json_pack("{s:s}", "call", "status"), &reply);
	assert_int_equal(json_array_size(json_object_get(reply, "armed")), 0);
	assert_string_equal(json_text(reply, "available", ""), "0x1ff");
	assert_string_equal(json_text(reply, "answer", ""), "as-is");
	json_decref(reply);
	parameters(fixture, 0x8, 2, TARGET);
	assert_int_equal(execute(fixture), 0);
}

static void test_a_flood_of_bells(void **state)
{
	struct fixture *fixture = *state;
	uint8_t flood[4096];

	parameters(fixture, 0x10, 0, TARGET);
	for (size_t i = 0; i < sizeof(flood); i++)
		flood[i] = (uint8_t)(i % 3 ? i : 0x54);
	for (int i = 0; i < 64; i++)
		assert_int_equal(write(fixture->bell, flood, sizeof(flood)), sizeof(flood));
	parameters(fixture, 0x8, 2, TARGET);
	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "status"), NULL), 0);
}

static void test_bells_that_repeat_do_not_drown_others(void **state)
{
	struct fixture *fixture = *state;
	int64_t deadline = now_monotonic_ns() + PATIENCE_NS;
	uint8_t bells[200];

	parameters(fixture, 0x8, 2, TARGET);
	put(fixture, 0x18, 1, 8);
	memset(bells, 0x54, sizeof(bells));
	bells[sizeof(bells) - 1] = 0x45;
	assert_int_equal(write(fixture->bell, bells, sizeof(bells)), sizeof(bells));
	while (get(fixture, 0x18) & 1 && now_monotonic_ns() < deadline)
		poll(NULL, 0, 1);
	assert_int_equal(get(fixture, 0x18), 0);
}

static void test_impossible_requests(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply;

	assert_int_equal(control(fixture, json_pack("{s:s}", "call", "explode"), &reply), -ENOSYS);
	assert_string_equal(json_text(reply, "error", ""), "ENOSYS");
	json_decref(reply);
	assert_int_equal(control(fixture, json_pack("{s:s, s:i}", "call", "answer", "status", 256),
				 NULL),
			 -EINVAL);
	assert_int_equal(control(fixture, json_pack("{s:s, s:i}", "call", "delay", "ms", -1), NULL),
			 -EINVAL);
	assert_int_equal(control(fixture, json_pack("{s:s, s:i}", "call", "poison", "address", -5),
				 NULL),
			 -EFAULT);
}

static void test_configuration_is_checked(void **state)
{
	struct fixture *fixture = *state;
	struct firmware_config config = fixture->config;
	struct firmware *firmware;

	config.region = RAM_SIZE - 4096;
	assert_int_equal(firmware_open(&config, NULL, NULL, &firmware), -EINVAL);
	config = fixture->config;
	config.processors = 0;
	assert_int_equal(firmware_open(&config, NULL, NULL, &firmware), -EINVAL);
}

static void test_qemu_arguments(void **state)
{
	struct fixture *fixture = *state;
	struct firmware_config config = fixture->config;
	char **arguments;
	size_t n = 0;

	config.poison_path = "/a,b";
	arguments = firmware_qemu_arguments(&config, "/t", "/p.so");
	while (arguments[n])
		n++;
	assert_string_equal(arguments[n - 2], "-plugin");
	assert_string_equal(arguments[n - 1], "/p.so,page=/a,,b");
	assert_string_equal(arguments[5], "file=/t/einj.bin");
	for (size_t i = 0; i < n; i++)
		free(arguments[i]);
	free(arguments);
}

static void test_qmp_errors(void **state)
{
	struct fixture *fixture = *state;
	struct qmp *none;
	json_t *reply;

	assert_int_equal(qmp_execute(fixture->qmp, "refused", NULL, 5000, &reply), -EREMOTEIO);
	assert_string_equal(json_text(reply, "class", ""), "GenericError");
	json_decref(reply);
	assert_int_equal(qmp_execute(fixture->qmp, "silence", NULL, 50, NULL), -ETIMEDOUT);
	assert_int_equal(qmp_execute(fixture->qmp, "stop", NULL, 5000, NULL), 0);
	assert_int_equal(qmp_connect("/nonexistent/qmp", 20, NULL, NULL, &none), -ENOENT);
	assert_int_equal(qmp_execute(fixture->qmp, "rubbish", NULL, 5000, NULL), -EPROTO);
	assert_int_equal(qmp_execute(fixture->qmp, "stop", NULL, 5000, NULL), -EPROTO);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_uncorrected_memory_is_triggered),
		TEST(test_fatal_memory_on_a_processor),
		TEST(test_broadcasts_keep_their_distance),
		TEST(test_corrected_memory_becomes_a_record),
		TEST(test_second_record_waits_for_the_first),
		TEST(test_every_answer),
		TEST(test_refusal_arms_nothing),
		TEST(test_machine_check_on_request),
		TEST(test_firmware_that_never_answers),
		TEST(test_firmware_that_is_late),
		TEST(test_what_is_refused),
		TEST(test_types_can_be_taken_away),
		TEST(test_version_2_components),
		TEST(test_plugin_must_acknowledge),
		TEST(test_consumption_by_load_and_fetch),
		TEST(test_line_is_retired_after_its_report),
		TEST(test_the_next_line_finds_the_machine_instrumented),
		TEST(test_partial_store_and_overwrite),
		TEST(test_cached_line_is_written_back),
		TEST(test_scrubber_finds_latent_poison),
		TEST(test_old_news_of_a_line_is_ignored),
		TEST(test_many_lines),
		TEST(test_power_cycle),
		TEST(test_reset_between_two_trials),
		TEST(test_a_flood_of_bells),
		TEST(test_bells_that_repeat_do_not_drown_others),
		TEST(test_impossible_requests),
		TEST(test_configuration_is_checked),
		TEST(test_qemu_arguments),
		TEST(test_qmp_errors),
		cmocka_unit_test_setup_teardown(test_host_without_tables, open_bare, close_fixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
