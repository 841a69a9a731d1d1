// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the injector dma against a fake machine: what it finds, what it refuses before anything is written, what it
 * writes, and that a device comes back, also after SIGKILL. Its drivers against fake devices: completion, error, silence,
 * a DMA that is dropped. Nothing real is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "inject/dma/driver.h"
#include "inject/dma/stream.h"
#include "inject/injector.h"
#include "bats/unit/fake_root.h"

#define NVME "0000:00:04.0"
#define EDU "0000:00:05.0"

static void link_to(const char *target, const char *path)
{
	put(path, "");
	assert_int_equal(unlink(place(path)), 0);
	assert_int_equal(symlink(target, place(path)), 0);
}

static void put_function(const char *sbdf, const char *device, const char *class, const char *group,
			 const char *driver)
{
	__cleanup_free char *home = format_text("/sys/devices/pci0000:00/%s", sbdf);
	__cleanup_free char *bus = format_text("/sys/bus/pci/devices/%s", sbdf);
	__cleanup_free char *target = format_text("../../../devices/pci0000:00/%s", sbdf);
	const struct {
		const char *name, *text;
	} files[] = {{"vendor", strcmp(device, "0x11e8") == 0 ? "0x1234\n" : "0x1b36\n"},
		     {"device", device},
		     {"class", class},
		     {"driver_override", "(null)\n"}};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		__cleanup_free char *path = format_text("%s/%s", home, files[i].name);

		put(path, files[i].text);
	}
	link_to(target, bus);
	if (*group) {
		__cleanup_free char *link = format_text("%s/iommu_group", home);
		__cleanup_free char *to = format_text("../../../kernel/iommu_groups/%s", group);
		__cleanup_free char *member =
			format_text("/sys/kernel/iommu_groups/%s/devices/%s", group, sbdf);

		link_to(to, link);
		put(member, "");
	}
	if (*driver) {
		__cleanup_free char *link = format_text("%s/driver", home);
		__cleanup_free char *to = format_text("../../../bus/pci/drivers/%s", driver);

		link_to(to, link);
	}
}

static void put_machine(void)
{
	put_expendable();
	put_function(NVME, "0x0010", "0x010802\n", "2", "nvme");
	put_function(EDU, "0x11e8", "0x00ff00\n", "3", "");
	put_function("0000:00:01.0", "0x1234", "0x060000\n", "0", "");
	put("/sys/bus/pci/drivers/nvme/bind", "");
	put("/sys/bus/pci/drivers/nvme/unbind", "");
	put("/sys/bus/pci/drivers/vfio-pci/unbind", "");
	put("/sys/bus/pci/drivers_probe", "");
	put("/sys/module/vfio_iommu_type1/initstate", "live");
	put("/sys/devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/dev", "259:0\n");
	put("/sys/devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/nvme0n1p1/dev", "259:1\n");
	link_to("../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1", "/sys/class/block/nvme0n1");
	link_to("../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/nvme0n1p1",
		"/sys/class/block/nvme0n1p1");
	put("/proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	put("/proc/swaps", "Filename Type Size Used Priority\n");
}

static int prepare(const char *arguments, bool dry_run, json_t **writes, struct reason *why)
{
	__cleanup_json json_t *given = json_loads(arguments, 0, NULL);
	struct injection injection;
	int error;

	assert_non_null(given);
	*why = (struct reason){0};
	assert_int_equal(injection_open(&injection, injector_find("dma"), given, dry_run, why), 0);
	error = injection.injector->prepare(&injection, why);
	if (!error) {
		if (dry_run)
			assert_int_equal(injection_fire(&injection, why), 0);
		assert_int_equal(injection.injector->restore(&injection, NULL), 0);
	}
	if (writes)
		*writes = json_incref(injection.change.writes);
	injection_close(&injection);
	return error;
}

static void refuses(const char *arguments, int expected, const char *text)
{
	__cleanup_json json_t *writes = NULL;
	struct reason why;
	int error = prepare(arguments, false, &writes, &why);

	if (error != expected || !strstr(why.text, text) || json_array_size(writes))
		fail_msg("%s: %s '%s' after %zu writes", arguments, error_name(error), why.text,
			 json_array_size(writes));
}

static void what_is_in_use_is_refused_by_its_name(void **state)
{
	(void)state;
	put_machine();
	put("/proc/self/mountinfo", "30 1 259:1 / /srv/data rw - ext4 /dev/nvme0n1p1 rw\n");
	refuses("{\"device\": \"nvme\"}", -EBUSY, "nvme0n1p1 is mounted on /srv/data");
	/* btrfs and overlays show a number of their own. */
	put("/proc/self/mountinfo", "30 1 0:99 / /b rw - btrfs /dev/nvme0n1 rw\n");
	refuses("{\"device\": \"nvme\"}", -EBUSY, "nvme0n1 is mounted on /b");
	put("/proc/self/mountinfo", "");
	put("/proc/swaps", "Filename Type\n/dev/nvme0n1p1 partition 1 0 -2\n");
	refuses("{\"device\": \"" NVME "\"}", -EBUSY, "nvme0n1p1 is swap space");
	put("/proc/swaps", "");
	put("/sys/devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/holders/dm-3", "");
	refuses("{\"device\": \"04.0\"}", -EINVAL, "'device' is '04.0'");
	refuses("{\"device\": \"00:04.0\"}", -EBUSY, "nvme0n1 is part of dm-3");
}

static void a_disk_of_a_subsystem_is_that_of_its_controllers(void **state)
{
	(void)state;
	put_machine();
	assert_int_equal(unlink(place("/sys/class/block/nvme0n1")), 0);
	assert_int_equal(unlink(place("/sys/class/block/nvme0n1p1")), 0);
	put("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev", "259:7\n");
	link_to("../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
		"/sys/class/block/nvme0n1");
	link_to("../../devices/virtual/nvme-subsystem/nvme-subsys0",
		"/sys/class/nvme-subsystem/nvme-subsys0");
	put("/sys/devices/pci0000:00/" NVME "/nvme/nvme0/state", "live\n");
	link_to("../../../pci0000:00/" NVME "/nvme/nvme0",
		"/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0");
	put("/proc/self/mountinfo", "30 1 259:7 / /srv rw - xfs /dev/nvme0n1 rw\n");
	refuses("{\"device\": \"nvme\"}", -EBUSY, "nvme0n1 is mounted on /srv");
}

static void what_can_not_be_taken_is_refused(void **state)
{
	(void)state;
	put_machine();
	refuses("{\"device\": \"0000:00:1f.7\"}", -ENODEV, "no PCI function 0000:00:1f.7");
	refuses("{\"device\": \"0000:00:01.0\"}", -EOPNOTSUPP, "it has: ");
	/* A bridge in the group does no harm, a device does. */
	put_function("0000:00:06.0", "0x1", "0x060400\n", "2", "pcieport");
	put_function("0000:00:06.1", "0x1", "0x020000\n", "2", "igb");
	refuses("{\"device\": \"nvme\"}", -ENOTUNIQ, "shares IOMMU group 2 with 0000:00:06.1,");
	put_function("0000:00:07.0", "0x0010", "0x010802\n", "", "nvme");
	refuses("{\"device\": \"0000:00:07.0\"}", -ENODEV, "no IOMMU is in use");
	refuses("{\"device\": \"edu\", \"noise\": \"" EDU "\"}", -EINVAL, "the same function");
	refuses("{\"device\": \"edu\", \"target\": \"beyond\"}", -ERANGE, "28 bits");
	put("/etc/brinell/expendable", "another");
	refuses("{\"device\": \"edu\"}", -EPERM, "expendable");
}

static void bad_numbers_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{"{\"device\": \"nvme\", \"size\": \"5000\"}", "'size' is 5000"},
		{"{\"device\": \"nvme\", \"size\": \"32M\"}", "16 MiB"},
		{"{\"device\": \"nvme\", \"iova\": \"0x1001\"}", "'iova' is 0x1001"},
		{"{\"device\": \"nvme\", \"iova\": \"0xfffffffffffff000\", \"size\": \"8K\"}",
		 "wrap"},
		{"{\"device\": \"nvme\", \"rate\": \"1000000\"}", "'rate' is 1000000"},
		{"{\"device\": \"disk\"}", "'device' is 'disk'"},
	};

	(void)state;
	put_machine();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refuses(bad[i][0], -EINVAL, bad[i][1]);
}

static void assert_writes(const json_t *writes, const char *const (*expected)[2], size_t count)
{
	__cleanup_free char *all = json_dumps(writes, JSON_INDENT(1));

	if (json_array_size(writes) != count)
		fail_msg("%zu writes: %s", json_array_size(writes), all);
	for (size_t i = 0; i < count; i++) {
		const json_t *write = json_array_get(writes, i);

		if (strcmp(json_text(write, "path", ""), expected[i][0]) != 0 ||
		    strcmp(json_text(write, "text", ""), expected[i][1]) != 0)
			fail_msg("write %zu is not '%s' to %s: %s", i, expected[i][1],
				 expected[i][0], all);
	}
}

static const char *const taken[][2] = {
	{"/sys/bus/pci/drivers/nvme/unbind", NVME},
	{"/sys/bus/pci/devices/" NVME "/driver_override", "vfio-pci"},
	{"/sys/bus/pci/drivers_probe", NVME},
};
static const char *const given_back[][2] = {
	{"/sys/bus/pci/drivers/vfio-pci/unbind", NVME},
	{"/sys/bus/pci/devices/" NVME "/driver_override", ""},
	{"/sys/bus/pci/drivers/nvme/bind", NVME},
};

static void a_planned_dma_shows_every_write(void **state)
{
	const char *expected[7][2];
	__cleanup_json json_t *writes = NULL;
	struct reason why;

	(void)state;
	put_machine();
	memcpy(expected, taken, sizeof(taken));
	expected[3][0] = "/dev/vfio/2";
	expected[3][1] = NVME ": DMA write of 4096 bytes at 0xdead000, unmapped";
	memcpy(expected + 4, given_back, sizeof(given_back));
	assert_int_equal(prepare("{\"device\": \"nvme\"}", true, &writes, &why), 0);
	assert_writes(writes, (const char *const(*)[2])expected, 7);
	assert_content("/sys/bus/pci/drivers/nvme/unbind", "");
	assert_content("/sys/bus/pci/drivers_probe", "");
}

static void take(struct sticky *sticky, struct change *change)
{
	struct dma_function function;
	struct reason why = {0};

	assert_int_equal(dma_find("nvme", &function, &why), 0);
	assert_int_equal(change_lock(change, &why), 0);
	/* No kernel is here that would bind it. */
	assert_int_equal(dma_take(&function, sticky, change, &why), -EIO);
	assert_non_null(strstr(why.text, "has the driver 'nvme'"));
	assert_writes(change->writes, taken, 3);
	json_array_clear(change->writes);
}

static void a_device_is_given_back_in_the_right_order(void **state)
{
	struct change change = {.writes = json_array(), .lock_fd = -1};
	struct sticky sticky = {0};

	(void)state;
	put_machine();
	take(&sticky, &change);
	assert_int_equal(sticky_restore(&sticky, &change, NULL), 0);
	assert_writes(change.writes, given_back, 3);
	assert_content("/sys/bus/pci/devices/" NVME "/driver_override", "\n");
	assert_false(sticky_left());
	sticky_free(&sticky);
	change_unlock(&change);
	json_decref(change.writes);
}

static void a_device_comes_back_after_sigkill(void **state)
{
	struct change change = {.writes = json_array(), .lock_fd = -1};
	struct sticky sticky = {0};

	(void)state;
	put_machine();
	take(&sticky, &change);
	/* All that SIGKILL leaves is the record. */
	sticky_free(&sticky);
	change_unlock(&change);
	assert_true(sticky_left());
	assert_int_equal(change_lock(&change, NULL), 0);
	assert_writes(change.writes, given_back, 3);
	assert_content("/sys/bus/pci/drivers/nvme/bind", NVME);
	assert_false(sticky_left());
	change_unlock(&change);
	json_decref(change.writes);
}

static void the_first_device_that_can_be_taken_is_found(void **state)
{
	struct dma_function function;
	struct reason why;

	(void)state;
	put_machine();
	put_function("0000:01:00.0", "0x0010", "0x010802\n", "9", "nvme");
	assert_int_equal(dma_find("nvme", &function, &why), 0);
	assert_string_equal(function.sbdf, NVME);
	put("/proc/self/mountinfo", "30 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n");
	assert_int_equal(dma_find("nvme", &function, &why), 0);
	assert_string_equal(function.sbdf, "0000:01:00.0");
	assert_string_equal(function.bound, "nvme");
	assert_int_equal(function.group, 9);
}

static void the_probe_reports_missing_parts(void **state)
{
	__cleanup_json json_t *findings = json_array();
	__cleanup_free char *text = NULL;

	(void)state;
	put_machine();
	put("/proc/self/mountinfo", "30 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n");
	injector_find("dma")->probe(findings);
	text = json_dumps(findings, JSON_COMPACT);
	assert_non_null(strstr(text, "\"name\":\"dma:vfio\",\"ok\":false"));
	assert_non_null(strstr(text, "\"name\":\"dma:edu\",\"ok\":true"));
	assert_non_null(strstr(text, "nvme0n1p1 is mounted on /srv"));
}

/*
 * A fake device, with the bus before it: what is not mapped is dropped, and the device gets no error.
 * @target: memory at TARGET_IOVA, mapped as @mapped says
 * @silent: it does not answer; @status: of an NVMe completion
 */
#define TARGET_IOVA 0x10000u
#define OWN_IOVA 0x80000u

static struct {
	struct dma_device device;
	unsigned char target[DMA_PAGE];
	bool mapped, silent;
	unsigned int dropped, status;
	uint32_t registers[64];
	unsigned char buffer[DMA_PAGE];
	unsigned int head, tail, done, phase;
	uint64_t clock;
} fake;

static unsigned char *memory_at(uint64_t iova)
{
	if (iova >= OWN_IOVA && iova < OWN_IOVA + DMA_OWN_SIZE)
		return fake.device.own + (iova - OWN_IOVA);
	if (iova == TARGET_IOVA && fake.mapped)
		return fake.target;
	fake.dropped++;
	return NULL;
}

static void from_device(uint64_t iova, const void *data, size_t length)
{
	unsigned char *memory = memory_at(iova);

	if (memory)
		memcpy(memory, data, length);
}

static void to_device(uint64_t iova, void *data, size_t length)
{
	const unsigned char *memory = memory_at(iova);

	if (memory)
		memcpy(data, memory, length);
	else
		memset(data, 0xff, length);
}

static uint32_t fake_load(struct dma_device *device, unsigned int offset)
{
	(void)device;
	return offset == 0x1c && fake.silent ? fake.registers[0x1c / 4] & ~1u
					     : fake.registers[offset / 4];
}

static void edu_store(struct dma_device *device, unsigned int offset, uint32_t value)
{
	uint32_t *registers = fake.registers;

	(void)device;
	registers[offset / 4] = value;
	if (offset != 0x98 || fake.silent)
		return;
	if (value & 2)
		from_device(registers[0x88 / 4], fake.buffer, registers[0x90 / 4]);
	else
		to_device(registers[0x80 / 4], fake.buffer, registers[0x90 / 4]);
	registers[offset / 4] = 0;
}

static uint64_t both(unsigned int offset)
{
	return fake.registers[offset / 4] | (uint64_t)fake.registers[offset / 4 + 1] << 32;
}

static void run_command(const uint32_t *command)
{
	static unsigned char identity[DMA_PAGE];
	uint64_t address = command[6] | (uint64_t)command[7] << 32;
	uint32_t completion[4] = {0, 0, 0, command[0] >> 16};

	memset(identity, 0x42, sizeof(identity));
	if ((command[0] & 0xff) == 0x06)
		from_device(address, identity, sizeof(identity));
	if ((command[0] & 0xff) == 0x09)
		to_device(address, &fake.clock, sizeof(fake.clock));
	if ((command[0] & 0xff) == 0x0a)
		from_device(address, &fake.clock, sizeof(fake.clock));
	completion[3] |= (fake.status << 1 | fake.phase) << 16;
	from_device(both(0x30) + fake.done * sizeof(completion), completion, sizeof(completion));
	fake.done = (fake.done + 1) % 16;
	fake.phase ^= fake.done == 0;
}

static void nvme_store(struct dma_device *device, unsigned int offset, uint32_t value)
{
	(void)device;
	if (offset < 0x1000)
		fake.registers[offset / 4] = value;
	if (offset == 0x14) {
		fake.registers[0x1c / 4] = value & 1;
		fake.head = fake.done = 0;
		fake.phase = 1;
	}
	for (; offset == 0x1000 && fake.head != value && !fake.silent;
	     fake.head = (fake.head + 1) % 16)
		run_command((const uint32_t *)(memory_at(both(0x28)) + fake.head * 64));
}

static struct dma_device *plug(const char *driver)
{
	memset(&fake, 0, sizeof(fake));
	fake.mapped = true;
	fake.device = (struct dma_device){
		.driver = dma_driver_find(driver),
		.load = fake_load,
		.store = strcmp(driver, "edu") == 0 ? edu_store : nvme_store,
		.own = xzalloc(DMA_OWN_SIZE),
		.own_iova = OWN_IOVA,
		.deadline_ns = NSEC_PER_MSEC,
	};
	fake.registers[0] = 0x010000ed;
	assert_int_equal(fake.device.driver->open(&fake.device, NULL), 0);
	return &fake.device;
}

static void unplug(struct dma_device *device)
{
	device->driver->close(device);
	free(device->private);
	free(device->own);
}

static void a_completion_is_no_delivery(const char *driver)
{
	struct dma_device *device = plug(driver);
	bool same = false;

	/* More than the entries of a queue. */
	for (int i = 0; i < 40; i++) {
		memset(fake.target, 0, sizeof(fake.target));
		assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, NULL), 0);
		assert_true(dma_device_wrote(device, fake.target, DMA_PAGE));
	}
	assert_int_equal(fake.dropped, 0);
	fake.mapped = false;
	memset(fake.target, 0x11, sizeof(fake.target));
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, NULL), 0);
	assert_int_equal(fake.dropped, 1);
	assert_false(dma_device_wrote(device, fake.target, DMA_PAGE));
	device->own[520] |= 1 << 6;
	fake.mapped = true;
	assert_int_equal(dma_device_read(device, TARGET_IOVA, DMA_PAGE, NULL), 0);
	assert_int_equal(dma_device_fetched(device, fake.target, &same, NULL), 0);
	assert_true(same);
	memset(fake.target, 0x22, sizeof(fake.target));
	fake.mapped = false;
	assert_int_equal(dma_device_read(device, TARGET_IOVA, DMA_PAGE, NULL), 0);
	assert_int_equal(dma_device_fetched(device, fake.target, &same, NULL), 0);
	assert_false(same);
	unplug(device);
}

static void a_completion_of_edu_is_no_delivery(void **state)
{
	(void)state;
	a_completion_is_no_delivery("edu");
}

static void a_completion_of_nvme_is_no_delivery(void **state)
{
	(void)state;
	a_completion_is_no_delivery("nvme");
}

static void a_timeout_differs_from_an_error(void **state)
{
	struct dma_device *device = plug("nvme");
	struct reason why;

	(void)state;
	fake.status = 0x4002;
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, &why), -EIO);
	assert_non_null(strstr(why.text, "status 0x4002"));
	device->own[520] = 0;
	assert_int_equal(dma_device_read(device, TARGET_IOVA, DMA_PAGE, &why), -EOPNOTSUPP);
	fake.status = 0;
	fake.silent = true;
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, &why), -ETIMEDOUT);
	/* It is reset before it is used again. */
	fake.silent = false;
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, &why), 0);
	memset(fake.registers, 0xff, sizeof(fake.registers));
	device->store = edu_store;
	fake.silent = true;
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, &why), -ETIMEDOUT);
	unplug(device);
	device = plug("edu");
	assert_int_equal(dma_device_write(device, 1u << 28, DMA_PAGE, &why), -ERANGE);
	fake.silent = true;
	assert_int_equal(dma_device_write(device, TARGET_IOVA, DMA_PAGE, &why), -ETIMEDOUT);
	unplug(device);
}

static void put_log(int log, const char *const *records)
{
	for (; *records; records++)
		assert_int_equal(write(log, *records, strlen(*records)), strlen(*records));
}

/* The log is a pipe here: what is written is read. */
static void a_fault_waits_until_its_lines_can_be_logged(void **state)
{
	static const char *const some[] = {
		"3,1,10000000,-;DMAR: DRHD: handling fault status reg 2\n",
		"3,2,10000010,-;DMAR: [DMA Write NO_PASID] Request device\n",
		"6,3,11000000,-;another line\n SUBSYSTEM=pci\n", NULL};
	static const char *const more[] = {
		"3,4,12000000,-;DMAR: DRHD: handling fault status reg 2\n",
		"3,5,12000010,-;DMAR: [DMA Write NO_PASID] Request device\n",
		"6,6,13000000,-;another line\n", NULL};
	int log;

	(void)state;
	assert_int_equal(dma_log_window(), 0);
	put("/dev/kmsg", "");
	assert_int_equal(unlink(place("/dev/kmsg")), 0);
	assert_int_equal(mkfifo(place("/dev/kmsg"), 0600), 0);
	log = open(place("/dev/kmsg"), O_RDWR | O_NONBLOCK);
	put_log(log, some);
	assert_int_equal(dma_log_window(), 0);
	put_log(log, some);
	put_log(log, more);
	assert_int_equal(dma_log_window(), 2 * NSEC_PER_SEC);
	close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(what_is_in_use_is_refused_by_its_name),
		WITH_ROOT(a_disk_of_a_subsystem_is_that_of_its_controllers),
		WITH_ROOT(what_can_not_be_taken_is_refused),
		WITH_ROOT(bad_numbers_are_refused),
		WITH_ROOT(a_planned_dma_shows_every_write),
		WITH_ROOT(a_device_is_given_back_in_the_right_order),
		WITH_ROOT(a_device_comes_back_after_sigkill),
		WITH_ROOT(the_first_device_that_can_be_taken_is_found),
		WITH_ROOT(the_probe_reports_missing_parts),
		cmocka_unit_test(a_completion_of_edu_is_no_delivery),
		cmocka_unit_test(a_completion_of_nvme_is_no_delivery),
		cmocka_unit_test(a_timeout_differs_from_an_error),
		WITH_ROOT(a_fault_waits_until_its_lines_can_be_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
