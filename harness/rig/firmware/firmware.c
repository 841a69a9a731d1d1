// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware model of an emulated host: ACPI error injection (EINJ), and the errors that follow.
 *
 * The model runs beside QEMU. It shares the RAM of the machine, where the registers are (harness/rig/firmware/acpi_einj.c), and a
 * page with the TCG plugin (harness/rig/firmware/poison.h). One thread only drains the doorbell into a queue, so that a guest
 * that writes to it without end does not block its machine in the write while the model waits for that machine. The other
 * thread does the work. Neither polls.
 *
 * firmware_open() creates the RAM file if it is missing. firmware_attach() maps it again after a power cycle, and resets the
 * model: registers as at power-on, no poison, nothing pending. Settings of firmware_control() (answers, types, delay) stay.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness/rig/firmware/internal.h"
#include "harness/rig/profile.h"

#define TABLE_SIZE 4096
#define RETIRE_MS 1000
#define PROCESSORS_LIMIT 255

/** json_hex - a number as hexadecimal JSON string, because JSON integers have 63 bits */
json_t *json_hex(uint64_t number)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	return json_string(text);
}

/** firmware_event - pass an event to the owner of the model; steals the reference; adds "time_ns" if it is missing */
void firmware_event(struct firmware *firmware, json_t *event)
{
	if (!event)
		return;
	if (!json_object_get(event, "time_ns"))
		json_object_set_new(event, "time_ns", json_integer(now_realtime_ns()));
	if (firmware->event)
		firmware->event(firmware->context, event);
	else
		json_decref(event);
}

static int write_table(const char *directory, const char *name,
		       void (*fill)(struct bytes *bytes, const struct firmware_config *config),
		       const struct firmware_config *config)
{
	uint8_t data[TABLE_SIZE];
	struct bytes bytes = {.data = data, .size = sizeof(data)};

	fill(&bytes, config);
	return write_file_atomically(directory, name, data, bytes.used);
}

static void fill_einj(struct bytes *bytes, const struct firmware_config *config)
{
	acpi_einj_table(bytes, config->region, config->einj_revision);
}

static void fill_hest(struct bytes *bytes, const struct firmware_config *config)
{
	acpi_hest_table(bytes, config->region);
}

/**
 * firmware_write_tables - write einj.bin and hest.bin for QEMU's -acpitable
 * @config:    region and einj_revision are used
 *  *
 * Return: 0, or -errno.
 */
int firmware_write_tables(const struct firmware_config *config, const char *directory)
{
	return write_table(directory, "einj.bin", fill_einj, config)
		       ?: write_table(directory, "hest.bin", fill_hest, config);
}

/**
 * firmware_qemu_arguments - build the QEMU arguments of the firmware model
 * @config:      doorbell_path and poison_path are used
 * @directory:   the one that firmware_write_tables() wrote to
 * @plugin_path: the TCG plugin, or NULL for a machine without latent poison
 *
 * QEMU creates the socket DOORBELL.irq (-qtest), to raise the interrupt of the hardware error source.
 *
 * Return: a NULL-terminated vector; the caller frees it and each string.
 */
char **firmware_qemu_arguments(const struct firmware_config *config, const char *directory,
			       const char *plugin_path)
{
	__cleanup_free char *place = qemu_quote(directory);
	__cleanup_free char *doorbell = qemu_quote(config->doorbell_path);
	__cleanup_free char *poison = qemu_quote(config->poison_path);
	__cleanup_free char *plugin = plugin_path ? qemu_quote(plugin_path) : NULL;
	char **vector = xcalloc(16, sizeof(*vector));
	size_t n = 0;

	vector[n++] = format_text("-chardev");
	vector[n++] = format_text("socket,id=doorbell,path=%s", doorbell);
	vector[n++] = format_text("-device");
	vector[n++] = format_text("isa-debugcon,iobase=0x%x,chardev=doorbell", DOORBELL_PORT);
	if (!config->region_size)
		return vector;
	vector[n++] = format_text("-acpitable");
	vector[n++] = format_text("file=%s/einj.bin", place);
	vector[n++] = format_text("-acpitable");
	vector[n++] = format_text("file=%s/hest.bin", place);
	vector[n++] = format_text("-qtest");
	vector[n++] = format_text("unix:%s.irq,server=on,wait=off", doorbell);
	vector[n++] = format_text("-qtest-log");
	vector[n++] = format_text("none");
	if (plugin) {
		vector[n++] = format_text("-plugin");
		vector[n++] = format_text("%s,page=%s", plugin, poison);
	}
	return vector;
}

static int map_ram(struct firmware *firmware)
{
	const struct firmware_config *config = &firmware->config;
	__cleanup_close int fd = open(config->ram_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat status;
	void *ram;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (firmware->ram && status.st_dev == firmware->ram_device &&
	    status.st_ino == firmware->ram_inode)
		return 0;
	if ((size_t)status.st_size < config->ram_size && ftruncate(fd, (off_t)config->ram_size) < 0)
		return -errno;
	ram = mmap(NULL, config->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   0);
	if (ram == MAP_FAILED)
		return -errno;
	if (firmware->ram)
		munmap(firmware->ram, config->ram_size);
	firmware->ram = ram;
	firmware->ram_device = status.st_dev;
	firmware->ram_inode = status.st_ino;
	if (firmware->page) {
		firmware->page->ram_device = status.st_dev;
		firmware->page->ram_inode = status.st_ino;
	}
	return 0;
}

static int make_page(struct firmware *firmware)
{
	__cleanup_close int fd =
		open(firmware->config.poison_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *page;

	if (fd < 0 || ftruncate(fd, sizeof(*firmware->page)) < 0)
		return -errno;
	page = mmap(NULL, sizeof(*firmware->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	firmware->page = page;
	firmware->page->magic = POISON_MAGIC;
	firmware->page->ram_device = firmware->ram_device;
	firmware->page->ram_inode = firmware->ram_inode;
	return 0;
}

static int bind_socket(const char *path, const char *suffix, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", path, suffix) >=
	    sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 4) < 0)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/**
 * bell_ring - queue bytes of the doorbell
 * @bell:   queue
 * @values: bytes that the guest wrote
 * @count:  their number
 *
 * Bytes that do not fit are dropped: a guest that does not wait for the answer violates the protocol.
 */
void bell_ring(struct bell *bell, const uint8_t *values, size_t count)
{
	pthread_mutex_lock(&bell->mutex);
	for (size_t i = 0; i < count; i++) {
		unsigned int last = (bell->first + bell->count - 1) % BELL_LENGTH;

		if ((values[i] != DOORBELL_EXECUTE && values[i] != DOORBELL_TRIGGER) ||
		    bell->count == BELL_LENGTH || (bell->count && bell->rung[last] == values[i]))
			continue;
		bell->rung[(bell->first + bell->count++) % BELL_LENGTH] = values[i];
	}
	pthread_mutex_unlock(&bell->mutex);
}

static bool bell_take(struct bell *bell, uint8_t *value)
{
	bool any;

	pthread_mutex_lock(&bell->mutex);
	any = bell->count > 0;
	if (any) {
		*value = bell->rung[bell->first];
		bell->first = (bell->first + 1) % BELL_LENGTH;
		bell->count--;
	}
	pthread_mutex_unlock(&bell->mutex);
	return any;
}

static void *read_doorbell(void *argument)
{
	struct firmware *firmware = argument;
	int machine = -1;

	while (!atomic_load(&firmware->stopping)) {
		struct pollfd wait[] = {{.fd = firmware->stop_fd, .events = POLLIN},
					{.fd = firmware->listen_fd, .events = POLLIN},
					{.fd = machine, .events = POLLIN}};
		uint8_t bytes[256];

		if (poll(wait, ARRAY_SIZE(wait), -1) < 0)
			continue;
		if (wait[2].revents) {
			ssize_t got = read(machine, bytes, sizeof(bytes));

			if (got > 0) {
				bell_ring(&firmware->bell, bytes, (size_t)got);
				eventfd_write(firmware->wake_fd, 1);
			} else if (got == 0 || errno != EINTR) {
				close(machine);
				machine = -1;
			}
		}
		if (wait[1].revents) {
			/* A new machine: drop the connection of the old one. */
			int connection = accept4(firmware->listen_fd, NULL, NULL, SOCK_CLOEXEC);

			if (connection >= 0) {
				if (machine >= 0)
					close(machine);
				machine = connection;
			}
		}
	}
	if (machine >= 0)
		close(machine);
	return NULL;
}

/** firmware_step - handle everything that is due; the caller holds the lock */
void firmware_step(struct firmware *firmware)
{
	uint8_t value;
	int64_t now;

	/* Bounded, so that a guest that rings without end does not block the rest. */
	for (int i = 0; i < BELL_LENGTH && bell_take(&firmware->bell, &value); i++) {
		if (!firmware->config.region_size)
			continue;
		if (value == DOORBELL_EXECUTE)
			einj_execute(firmware);
		else
			einj_trigger(firmware);
	}
	poison_take_posts(firmware);
	now = now_monotonic_ns();
	if (firmware->answer_due && firmware->answer_due <= now)
		einj_answer(firmware, firmware->answer_status);
	poison_expire(firmware, now);
	deliver_pending(firmware, now);
}

static int timeout_ms(struct firmware *firmware)
{
	int64_t due[] = {firmware->answer_due, poison_next_due(firmware),
			 deliver_next_due(firmware)};
	int64_t now = now_monotonic_ns(), first = 0;

	for (size_t i = 0; i < ARRAY_SIZE(due); i++)
		if (due[i] && (!first || due[i] < first))
			first = due[i];
	if (!first)
		return -1;
	return first <= now ? 0 : (int)((first - now) / NSEC_PER_MSEC) + 1;
}

static void *work(void *argument)
{
	struct firmware *firmware = argument;

	while (!atomic_load(&firmware->stopping)) {
		struct pollfd wait[] = {{.fd = firmware->wake_fd, .events = POLLIN},
					{.fd = firmware->notify_fd, .events = POLLIN}};
		eventfd_t rung;
		char drain[64];
		int timeout;

		pthread_mutex_lock(&firmware->mutex);
		timeout = timeout_ms(firmware);
		pthread_mutex_unlock(&firmware->mutex);
		poll(wait, ARRAY_SIZE(wait), timeout);
		pthread_mutex_lock(&firmware->mutex);
		eventfd_read(firmware->wake_fd, &rung);
		for (int i = 0; i < POISON_POSTS; i++)
			if (recv(firmware->notify_fd, drain, sizeof(drain), MSG_DONTWAIT) < 0)
				break;
		firmware_step(firmware);
		pthread_mutex_unlock(&firmware->mutex);
	}
	return NULL;
}

static void free_firmware(struct firmware *firmware)
{
	const int fds[] = {firmware->listen_fd, firmware->notify_fd, firmware->wake_fd,
			   firmware->stop_fd, firmware->interrupt_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (firmware->ram)
		munmap(firmware->ram, firmware->config.ram_size);
	if (firmware->page)
		munmap(firmware->page, sizeof(*firmware->page));
	pthread_mutex_destroy(&firmware->mutex);
	pthread_mutex_destroy(&firmware->bell.mutex);
	free((char *)firmware->config.ram_path);
	free((char *)firmware->config.doorbell_path);
	free((char *)firmware->config.poison_path);
	free(firmware);
}

static bool config_possible(const struct firmware_config *config)
{
	return config->ram_path && config->doorbell_path && config->poison_path &&
	       (!config->region_size || config->region_size >= FIRMWARE_REGION_MINIMUM) &&
	       config->region % 4096 == 0 && config->region <= config->ram_size &&
	       config->region_size <= config->ram_size - config->region && config->processors &&
	       config->processors <= PROCESSORS_LIMIT && config->einj_revision >= 1 &&
	       config->einj_revision <= 2;
}

static int open_descriptors(struct firmware *firmware)
{
	const struct firmware_config *config = &firmware->config;

	firmware->listen_fd = bind_socket(config->doorbell_path, "", SOCK_STREAM);
	if (firmware->listen_fd < 0)
		return firmware->listen_fd;
	firmware->notify_fd = bind_socket(config->poison_path, POISON_NOTIFY_SUFFIX, SOCK_DGRAM);
	if (firmware->notify_fd < 0)
		return firmware->notify_fd;
	firmware->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	firmware->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return firmware->wake_fd < 0 || firmware->stop_fd < 0 ? -errno : 0;
}

static int start_threads(struct firmware *firmware)
{
	int error;

	einj_reset_registers(firmware);
	error = -pthread_create(&firmware->reader, NULL, read_doorbell, firmware);
	if (error)
		return error;
	error = -pthread_create(&firmware->worker, NULL, work, firmware);
	if (error) {
		atomic_store(&firmware->stopping, true);
		eventfd_write(firmware->stop_fd, 1);
		pthread_join(firmware->reader, NULL);
	}
	return error;
}

/**
 * firmware_open - create the model of one emulated host, before its QEMU is started
 * @config:   copied
 * @event:    called for each event, with the model's lock held: must not call the model; owns the object; may be NULL
 * @context:  for @event
 * @firmware: receives the model, for firmware_close()
 *
 * Return: 0; -EINVAL for an invalid configuration, -ENAMETOOLONG when a path is too long for a socket (some 90
 * bytes), or another -errno.
 */
int firmware_open(const struct firmware_config *config, firmware_event_fn event, void *context,
		  struct firmware **firmware)
{
	struct firmware *made;
	int error;

	if (!config_possible(config))
		return -EINVAL;
	made = xzalloc(sizeof(*made));
	made->config = *config;
	made->config.ram_path = xstrdup(config->ram_path);
	made->config.doorbell_path = xstrdup(config->doorbell_path);
	made->config.poison_path = xstrdup(config->poison_path);
	made->event = event;
	made->context = context;
	made->listen_fd = made->notify_fd = made->wake_fd = made->stop_fd = made->interrupt_fd = -1;
	made->available = EINJ_TYPES_OFFERED;
	made->available_v2 = EINJV2_TYPES_OFFERED;
	made->retire_ms = RETIRE_MS;
	pthread_mutex_init(&made->mutex, NULL);
	pthread_mutex_init(&made->bell.mutex, NULL);
	error = map_ram(made) ?: make_page(made) ?: open_descriptors(made) ?: start_threads(made);
	if (error)
		free_firmware(made);
	else
		*firmware = made;
	return error;
}

static void reset_machine(struct firmware *firmware)
{
	poison_disarm_all(firmware);
	firmware->command.valid = false;
	firmware->answer_due = 0;
	firmware->record_count = firmware->check_count = 0;
	firmware->hold_until = firmware->block_retry = firmware->last_check = 0;
	pthread_mutex_lock(&firmware->bell.mutex);
	firmware->bell.count = 0;
	pthread_mutex_unlock(&firmware->bell.mutex);
	if (firmware->interrupt_fd >= 0)
		close(firmware->interrupt_fd);
	firmware->interrupt_fd = -1;
}

/**
 * firmware_attach - attach the model to a machine that was switched on
 * @firmware: model
 * @qmp:      connection to its QEMU; owned by the caller, valid until firmware_detach()
 *
 * Must be called before the kernel reads EINJ, that is as soon as QMP answers. Resets the registers as at power-on.
 *
 * Return: 0; -EALREADY when a machine is attached, or -errno when the RAM can not be mapped or QEMU's interrupt socket
 * can not be reached.
 */
int firmware_attach(struct firmware *firmware, struct qmp *qmp)
{
	int error;

	pthread_mutex_lock(&firmware->mutex);
	if (firmware->qmp) {
		pthread_mutex_unlock(&firmware->mutex);
		return -EALREADY;
	}
	error = map_ram(firmware);
	if (!error) {
		reset_machine(firmware);
		einj_reset_registers(firmware);
		error = firmware->config.region_size ? interrupt_connect(firmware) : 0;
	}
	if (!error)
		firmware->qmp = qmp;
	pthread_mutex_unlock(&firmware->mutex);
	return error;
}

/**
 * firmware_detach - detach the model, before the QMP connection is closed
 * @firmware: model; waits for a pending command to QEMU
 */
void firmware_detach(struct firmware *firmware)
{
	pthread_mutex_lock(&firmware->mutex);
	firmware->qmp = NULL;
	reset_machine(firmware);
	atomic_store(&firmware->page->present, 0);
	pthread_mutex_unlock(&firmware->mutex);
}

static int control_status(struct firmware *firmware, json_t *reply)
{
	const struct counts *counts = &firmware->counts;

	return json_object_update_new(
		reply,
		json_pack("{s:b, s:b, s:o, s:o, s:o, s:s, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i, "
			  "s:i, s:i, s:i}}",
			  "attached", (int)(firmware->qmp != NULL), "plugin",
			  (int)(atomic_load(&firmware->page->present) != 0), "armed",
			  poison_list(firmware), "available", json_hex(firmware->available),
			  "available_v2", json_hex(firmware->available_v2), "answer",
			  firmware->answer.name ? firmware->answer.name : "as-is", "counts",
			  "execute", counts->execute, "trigger", counts->trigger, "stray",
			  counts->stray, "SRAO", counts->srao, "SRAR", counts->srar, "fatal",
			  counts->fatal, "corrected", counts->corrected, "UCNA", counts->ucna,
			  "overwritten", counts->overwritten, "lost", counts->lost));
}

static int control_answer(struct firmware *firmware, const json_t *request)
{
	static const struct {
		const char *name;
		uint32_t status;
		bool never;
	} answers[] = {{"success", EINJ_SUCCESS, false},
		       {"failure", EINJ_FAILURE, false},
		       {"invalid-access", EINJ_INVALID_ACCESS, false},
		       {"busy-for-ever", 0, true}};
	const char *name = json_text(request, "status", NULL);
	int64_t count = json_number(request, "count", 1);
	int64_t status = json_number(request, "status", -1);

	if (count < 0)
		return -EINVAL;
	firmware->answer.count = count;
	if (name && !strcmp(name, "as-is")) {
		firmware->answer.name = NULL;
		return 0;
	}
	for (size_t i = 0; name && i < ARRAY_SIZE(answers); i++) {
		if (strcmp(name, answers[i].name))
			continue;
		firmware->answer.name = answers[i].name;
		firmware->answer.status = answers[i].status;
		firmware->answer.never = answers[i].never;
		return 0;
	}
	if (status < 0 || status > 0xff)
		return -EINVAL;
	firmware->answer.name = "reserved";
	firmware->answer.status = (uint32_t)status;
	firmware->answer.never = false;
	return 0;
}

static int control_types(struct firmware *firmware, const json_t *request)
{
	firmware->available = (uint32_t)json_number(request, "available", firmware->available) &
			      EINJ_TYPES_OFFERED;
	firmware->available_v2 =
		(uint32_t)json_number(request, "available_v2", firmware->available_v2) &
		EINJV2_TYPES_OFFERED;
	einj_set_types(firmware);
	return 0;
}

static int control_poison(struct firmware *firmware, const json_t *request)
{
	const char *kind = json_text(request, "kind", "uncorrected");
	uint64_t address = (uint64_t)json_number(request, "address", -1);
	int line;

	if (address >= firmware->config.ram_size)
		return -EFAULT;
	if (strcmp(kind, "uncorrected") && strcmp(kind, "fatal") && strcmp(kind, "corrected"))
		return -EINVAL;
	return poison_arm(firmware, address,
			  *kind == 'u'	 ? POISON_UNCORRECTED
			  : *kind == 'f' ? POISON_FATAL
					 : POISON_CORRECTED,
			  &line);
}

static int control_clear(struct firmware *firmware, const json_t *request, json_t *reply)
{
	int64_t address = json_number(request, "address", -1);
	int cleared = 0;

	for (int i = 0; i < POISON_LINES; i++) {
		const struct poison_line *line = &firmware->page->lines[i];

		if (!atomic_load(&line->kind) ||
		    (address >= 0 &&
		     atomic_load(&line->address) != ((uint64_t)address & ~UINT64_C(63))))
			continue;
		poison_disarm(firmware, i);
		cleared++;
	}
	return json_object_set_new(reply, "cleared", json_integer(cleared));
}

static int control_delay(struct firmware *firmware, const json_t *request)
{
	int64_t ms = json_number(request, "ms", -1), count = json_number(request, "count", 0);

	if (ms < 0 || ms > 3600000 || count < 0)
		return -EINVAL;
	firmware->delay.ms = ms;
	firmware->delay.count = count;
	return 0;
}

static int control_retire(struct firmware *firmware, const json_t *request)
{
	int64_t ms = json_number(request, "ms", -1);

	if (ms < 0 || ms > 3600000)
		return -EINVAL;
	firmware->retire_ms = ms;
	return 0;
}

static int control_machine_check(struct firmware *firmware, const json_t *request)
{
	uint64_t address = (uint64_t)json_number(request, "address", -1);

	if (address >= firmware->config.ram_size)
		return -EFAULT;
	return deliver_check_now(firmware, &(struct machine_check){.kind = "SRAO",
								   .status = STATUS_SRAO_SCRUB,
								   .mcg_status = MCG_RIPV_MCIP,
								   .address = address,
								   .misc = MISC_PAGE,
								   .line = -1});
}

/*
 * End of a trial: remove settings, poison and pending errors of the scenario, so that they do not affect the next one.
 * Counts stay: they are of the whole run of the host.
 */
static void control_reset(struct firmware *firmware)
{
	pthread_mutex_lock(&firmware->bell.mutex);
	firmware->bell.count = 0;
	pthread_mutex_unlock(&firmware->bell.mutex);
	firmware->record_count = firmware->check_count = 0;
	firmware->block_retry = 0;
	for (int i = 0; i < POISON_LINES; i++)
		if (atomic_load(&firmware->page->lines[i].kind))
			poison_disarm(firmware, i);
	firmware->answer.name = NULL;
	firmware->delay.ms = firmware->delay.count = 0;
	firmware->retire_ms = RETIRE_MS;
	firmware->available = EINJ_TYPES_OFFERED;
	firmware->available_v2 = EINJV2_TYPES_OFFERED;
	einj_reset_registers(firmware);
}

/**
 * firmware_control - execute a call; from any thread, but not from an event callback
 * @firmware: model
 * @request:  {"call": NAME, ...}:
 *            "status";
 *            "answer" with "status" (success, failure, invalid-access, busy-for-ever, as-is, or a number up to 255) for
 *            "count" commands (1; 0: until changed);
 *            "delay" with "ms", for "count" commands (0: until changed): delay of the answer;
 *            "types" with "available", "available_v2": masks;
 *            "scrub": a pass of the patrol scrubber, which finds latent poison;
 *            "poison" with "address", "kind" (uncorrected, fatal, corrected); "clear" with "address", or everything;
 *            "retire" with "ms": time from the report of poison to its removal (0: never);
 *            "machine-check" with "address": an uncorrectable error that the patrol scrubber found there;
 *            "reset": remove all poison, pending errors and settings
 * @reply:    receives an object, owned by the caller; after an error with "error" and "reason"; may be NULL
 *
 * Return: 0; -ENOSYS for an unknown call, -EINVAL for invalid values, -EOPNOTSUPP for a host without tables, which has
 * only "status", "machine-check" and "reset", -EBUSY while a machine check is in progress, or another -errno.
 */
int firmware_control(struct firmware *firmware, const json_t *request, json_t **reply)
{
	const char *call = json_text(request, "call", "");
	__cleanup_json json_t *answer = json_object();
	int error = 0;

	pthread_mutex_lock(&firmware->mutex);
	if (!strcmp(call, "status"))
		error = control_status(firmware, answer) ? -EINVAL : 0;
	else if (!strcmp(call, "reset"))
		control_reset(firmware);
	else if (!strcmp(call, "machine-check"))
		error = control_machine_check(firmware, request);
	else if (!firmware->config.region_size)
		error = -EOPNOTSUPP;
	else if (!strcmp(call, "answer"))
		error = control_answer(firmware, request);
	else if (!strcmp(call, "delay"))
		error = control_delay(firmware, request);
	else if (!strcmp(call, "types"))
		error = control_types(firmware, request);
	else if (!strcmp(call, "scrub"))
		json_object_set_new(answer, "found", json_integer(poison_scrub(firmware)));
	else if (!strcmp(call, "poison"))
		error = control_poison(firmware, request);
	else if (!strcmp(call, "clear"))
		error = control_clear(firmware, request, answer);
	else if (!strcmp(call, "retire"))
		error = control_retire(firmware, request);
	else
		error = -ENOSYS;
	pthread_mutex_unlock(&firmware->mutex);
	/* Wake the worker, whose deadlines may have changed. */
	eventfd_write(firmware->wake_fd, 1);
	if (error) {
		__cleanup_free char *reason =
			format_text("firmware call \"%s\" failed: %s", call, strerror(-error));

		json_object_set_new(answer, "error", json_string(error_name(error)));
		json_object_set_new(answer, "reason", json_string(reason));
	}
	if (reply)
		*reply = steal(answer);
	return error;
}

/**
 * firmware_close - free the model, after its QEMU has ended; removes the sockets, not the RAM file and the poison page
 * @firmware: may be NULL
 */
void firmware_close(struct firmware *firmware)
{
	__cleanup_free char *notify = NULL;

	if (!firmware)
		return;
	atomic_store(&firmware->stopping, true);
	eventfd_write(firmware->stop_fd, 1);
	eventfd_write(firmware->wake_fd, 1);
	pthread_join(firmware->reader, NULL);
	pthread_join(firmware->worker, NULL);
	notify = format_text("%s%s", firmware->config.poison_path, POISON_NOTIFY_SUFFIX);
	unlink(notify);
	unlink(firmware->config.doorbell_path);
	free_firmware(firmware);
}
