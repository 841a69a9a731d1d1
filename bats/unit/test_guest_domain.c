// SPDX-License-Identifier: GPL-2.0-only
/*
 * What guest control is made of, without libvirt: XML that no name can break, archives that cpio reads, pages found in a
 * fake /proc, and answers of QEMU's monitor that lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/hypervisor/libvirt/libvirt.h"
#include "bats/unit/fake_root.h"

#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define PID 4711

static struct reason why;

static void put_at(const char *name, const void *data, size_t length, off_t offset)
{
	__cleanup_free char *path = format_text("%s/%s", root, name);
	__cleanup_free char *directory = strdup(path);
	int fd;

	*strrchr(directory, '/') = '\0';
	assert_int_equal(make_directories(directory), 0);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, length, offset), length);
	close(fd);
}

static void a_flood_is_counted(void **state)
{
	struct domain_flood flood = {0};
	int64_t now = 5 * NSEC_PER_SEC;
	int reported = 0;

	(void)state;
	for (int i = 0; i < 400; i++)
		reported += domain_flood_takes(&flood, now + i * NSEC_PER_MSEC);
	assert_int_equal(reported, 10);
	assert_int_equal(domain_flood_rest(&flood, now + 500 * NSEC_PER_MSEC), 0);
	assert_int_equal(domain_flood_rest(&flood, now + NSEC_PER_SEC), 390);
	assert_int_equal(domain_flood_rest(&flood, now + 2 * NSEC_PER_SEC), 0);
	assert_true(domain_flood_takes(&flood, now + 2 * NSEC_PER_SEC));
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_true(domain_name_is_valid("one.two_3-4"));
	assert_false(domain_name_is_valid(""));
	assert_false(domain_name_is_valid("../one"));
	assert_false(domain_name_is_valid(".."));
	assert_false(domain_name_is_valid("-rf"));
	assert_false(domain_name_is_valid("one two"));
	assert_false(domain_name_is_valid("<one>"));
	assert_false(domain_name_is_valid("one/two"));
	assert_false(domain_name_is_valid("a234567890123456789012345678901234567890123456789"));
}

static void xml_holds_what_was_planned(void **state)
{
	struct domain_plan plan = {.guest = "one",
				   .uuid = "e3324c6e-a36d-4147-8075-2777e5e87562",
				   .kernel = "/boot/vm&linuz",
				   .initramfs = "/run/'initramfs'",
				   .console = "/run/console",
				   .owner = "an agent",
				   .arguments = "a</cmdline><devices>\"\x01\xff",
				   .port = 7,
				   .memory_mib = 300,
				   .processors = 2};
	__cleanup_free char *xml = domain_make_xml(&plan);

	(void)state;
	assert_non_null(strstr(xml, "<name>brinell-one</name>"));
	assert_non_null(strstr(xml, "<memory unit='MiB'>300</memory>"));
	assert_non_null(strstr(xml, "<vcpu>2</vcpu>"));
	assert_non_null(strstr(xml, "brinell.port=7 a&lt;/cmdline&gt;&lt;devices&gt;&quot;"
				    "\xef\xbf\xbd?<"));
	assert_non_null(strstr(xml, "<kernel>/boot/vm&amp;linuz</kernel>"));
	assert_non_null(strstr(xml, "<initrd>/run/&#39;initramfs&#39;</initrd>"));
	assert_non_null(strstr(xml, "<feature policy='disable' name='tsc-deadline'/>"));
	assert_non_null(strstr(xml, "<on_crash>destroy</on_crash>"));
	assert_non_null(strstr(xml, "<panic model='isa'/>"));
	assert_null(strstr(xml, "memoryBacking"));
	plan.huge_pages = true;
	free(steal(xml));
	xml = domain_make_xml(&plan);
	assert_non_null(strstr(xml, "<memoryBacking><hugepages/></memoryBacking>"));
}

static void orphans_are_known(void **state)
{
	__cleanup_free char *self = NULL;

	(void)state;
	put("proc/4711/stat", "4711 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20");
	put("proc/sys/kernel/random/boot_id", "the-boot\n");
	self = domain_owner(PID);
	assert_string_equal(self, "brinell-agent 4711 1234 the-boot");
	assert_false(domain_is_orphan(self));
	assert_true(domain_is_orphan("brinell-agent 4711 1233 the-boot"));
	assert_true(domain_is_orphan("brinell-agent 4712 1234 the-boot"));
	assert_false(domain_is_orphan("my own domain"));
	assert_null(domain_owner(4712));
}

static void cid_is_read(void **state)
{
	(void)state;
	assert_int_equal(domain_cid("<vsock model='virtio'>\n<cid auto='yes' address='37'/>"
				    "<alias name='v'/></vsock>"),
			 37);
	assert_int_equal(domain_cid("<vsock><cid auto=\"no\" address=\"3\"/></vsock>"), 3);
	assert_int_equal(domain_cid("<devices/>"), 0);
	assert_int_equal(domain_cid("<vsock><cid auto='yes'/></vsock><cid address='9'/>"), 0);
	assert_int_equal(domain_cid("<vsock><cid address='2'/></vsock>"), 0);
	assert_int_equal(domain_cid("<vsock><cid address='-5'/></vsock>"), 0);
	assert_int_equal(domain_cid("<vsock><cid address='4294967296'/></vsock>"), 0);
	assert_int_equal(domain_cid("<vsock><cid address='3"), 0);
}

static void serial_socket_is_found_by_its_name(void **state)
{
	static const char xml[] =
		"<channel type='unix'><source mode='bind' path='/run/other'/>"
		"<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
		"<channel type='unix'><source mode='bind' path='/run/ours'/>"
		"<target type='virtio' name='brinell.guest' state='connected'/></channel>";
	__cleanup_free char *found = domain_serial_socket(xml, "brinell.guest");

	(void)state;
	assert_string_equal(found, "/run/ours");
	assert_null(domain_serial_socket(xml, "brinell"));
	assert_null(domain_serial_socket("<channel type='pty'><source mode='bind' path='/x'/>"
					 "<target name='brinell.guest'/></channel>",
					 "brinell.guest"));
	assert_null(domain_serial_socket("<channel type='unix'", "brinell.guest"));
}

static void cpio_reads_the_initramfs(void **state)
{
	__cleanup_free char *archive = format_text("%s/initramfs", root);
	__cleanup_free char *program = format_text("%s/program", root);
	__cleanup_free char *modules = format_text("%s/modules", root);
	__cleanup_free char *command = format_text(
		"cd %s && mkdir x && cd x && cpio -idm --quiet --no-preserve-owner <../initramfs "
		"&& cmp init ../program && cmp lib/modules/b.ko ../modules/deep/b.ko && test -x "
		"init && test -c dev/console && test -d proc && printf "
		"'/lib/modules/a.ko\\n/lib/modules/b.ko\\n' | cmp - modules && cd .. && rm -rf x",
		root);

	(void)state;
	put("program", "#!/bin/true and an odd length");
	put("modules/a.ko", "A");
	put("modules/deep/b.ko", "module B");
	put("modules/brinell.guest", "a.ko\n# nothing\ndeep/b.ko\n");
	assert_int_equal(initramfs_write(archive,
					 &(struct initramfs_source){program, modules, NULL}, &why),
			 0);
	if (geteuid() == 0)
		assert_int_equal(system(command), 0);
	put("modules/brinell.guest", "missing.ko\n");
	assert_int_equal(initramfs_write(archive,
					 &(struct initramfs_source){program, modules, NULL}, &why),
			 -ENOENT);
	assert_non_null(strstr(why.text, "missing.ko"));
	assert_int_equal(access(archive, F_OK), -1);
}

/* A machine that is no rig host has no list: modprobe lists the modules, and a dependency of two only once. */
static void modprobe_lists_the_modules(void **state)
{
	__cleanup_free char *path = format_text("%s/bin:%s", root, getenv("PATH"));
	__cleanup_free char *before = strdup(getenv("PATH"));
	__cleanup_free char *modprobe = format_text("%s/bin/modprobe", root);
	__cleanup_json json_t *paths = NULL;

	(void)state;
	put("bin/modprobe", "#!/bin/sh\n[ \"$2\" = 9.9-rig ] || exit 1\n"
			    "[ \"$4\" = ptp_kvm ] && echo builtin ptp_kvm && exit\n"
			    "echo insmod /m/virtio.ko.xz\necho \"insmod /m/$4.ko.xz a=1\"\n");
	assert_int_equal(chmod(modprobe, 0755), 0);
	setenv("PATH", path, 1);
	assert_int_equal(modules_collect("/lib/modules/9.9-rig", &paths, &why), 0);
	setenv("PATH", before, 1);
	assert_int_equal(json_array_size(paths), 6);
	assert_string_equal(json_string_value(json_array_get(paths, 0)), "/m/virtio.ko.xz");
	assert_string_equal(json_string_value(json_array_get(paths, 1)), "/m/virtio_pci.ko.xz");
}

static void pagemap(uint64_t page, uint64_t entry)
{
	put_at("proc/4711/pagemap", &entry, sizeof(entry), (off_t)(page * 8));
}

static void flags(uint64_t pfn, uint64_t value)
{
	put_at("proc/kpageflags", &value, sizeof(value), (off_t)(pfn * 8));
}

static void page_is_found(void **state)
{
	struct host_page page;

	(void)state;
	/* Soft-dirty and exclusive are no part of the number. */
	pagemap(0x1234, PRESENT | 3ull << 55 | 0x777);
	flags(0x777, 1ull << 19);
	assert_int_equal(host_page_find(PID, 0x1234567, &page, &why), 0);
	assert_true(page.present && page.poisoned && !page.huge && !page.zero);
	assert_int_equal(page.pfn, 0x777);
	assert_int_equal(page.page_size, 4096);

	pagemap(0x1235, SWAPPED | 0x777 << 5 | 1);
	assert_int_equal(host_page_find(PID, 0x1235000, &page, &why), 0);
	assert_true(!page.present && page.swapped);
	assert_false(page.poisoned);
	assert_int_equal(page.pfn, 0);

	/* What a poisoned page leaves behind. */
	pagemap(0x1236, SWAPPED | 0x777 << 5 | 30);
	assert_int_equal(host_page_find(PID, 0x1236000, &page, &why), 0);
	assert_true(!page.present && !page.swapped && page.poisoned);
	pagemap(0x1236, SWAPPED | 0x776 << 5 | 30);
	assert_int_equal(host_page_find(PID, 0x1236000, &page, &why), 0);
	assert_false(page.poisoned);

	assert_int_equal(host_page_find(PID, 0x9999000, &page, &why), -ENXIO);
	assert_int_equal(host_page_find(1, 0x1234000, &page, &why), -ENOENT);
}

static void hidden_frames_are_an_error(void **state)
{
	struct host_page page;

	(void)state;
	pagemap(1, PRESENT);
	assert_int_equal(host_page_find(PID, 0x1000, &page, &why), -EPERM);
	assert_non_null(strstr(why.text, "CAP_SYS_ADMIN"));
}

static void zero_page_is_nobodys(void **state)
{
	struct host_page page;

	(void)state;
	pagemap(1, PRESENT | 5);
	flags(5, 1ull << 24 | 1ull << 22);
	assert_int_equal(host_page_find(PID, 0x1000, &page, &why), 0);
	assert_true(page.present && page.zero && !page.huge);
	assert_int_equal(page.pfn, 0);
}

static void huge_pages_have_their_size(void **state)
{
	struct host_page page;

	(void)state;
	pagemap(0x400, PRESENT | 0x10);
	flags(0x10, 1ull << 17);
	put("proc/4711/smaps", "00001000-00400000 rw-p 00000000 00:00 0\n"
			       "KernelPageSize:        4 kB\n"
			       "00400000-00800000 rw-p 00000000 00:00 0 /dev/hugepages/x\n"
			       "Size: 4096 kB\nKernelPageSize:     2048 kB\n");
	assert_int_equal(host_page_find(PID, 0x400000, &page, &why), 0);
	assert_true(page.huge);
	assert_int_equal(page.page_size, 2 << 20);
	flags(0x10, 1ull << 22);
	assert_int_equal(host_page_find(PID, 0x400000, &page, &why), 0);
	assert_true(page.huge);
	assert_int_equal(page.page_size, 4096);
}

static void qemu_is_the_one_with_the_uuid(void **state)
{
	static const char arguments[] = "/usr/bin/qemu\0-uuid\0aaaa-bbbb\0-name\0x";
	static const char other[] = "/usr/bin/qemu\0-name\0aaaa-bbbb\0-uuid";
	pid_t pid = 0;

	(void)state;
	assert_int_equal(qemu_find("one", "aaaa-bbbb", &pid, &why), -ESRCH);
	put("run/libvirt/qemu/one.pid", "4711\n");
	assert_int_equal(qemu_find("one", "aaaa-bbbb", &pid, &why), -ESRCH);
	put_at("proc/4711/cmdline", arguments, sizeof(arguments), 0);
	assert_int_equal(qemu_find("one", "aaaa-bbbb", &pid, &why), 0);
	assert_int_equal(pid, PID);
	assert_int_equal(qemu_find("one", "aaaa", &pid, &why), -ESRCH);
	put("run/libvirt/qemu/two.pid", "4712\n");
	put_at("proc/4712/cmdline", other, sizeof(other), 0);
	assert_int_equal(qemu_find("two", "aaaa-bbbb", &pid, &why), -ESRCH);
	put("run/libvirt/qemu/bad.pid", "-1");
	assert_int_equal(qemu_find("bad", "aaaa-bbbb", &pid, &why), -ESRCH);
}

static void replies_of_the_monitor_are_checked(void **state)
{
	static const struct {
		const char *text;
		int error;
	} answers[] = {
		{"Host virtual address for 0x1234 (pc.ram) is 0x7f0000000234\r\n", 0},
		{"Host virtual address for 0x1234 (a is 0x1 b) is 0x7f0000000234", 0},
		{"No memory is mapped at address 0x1234\r\n", -EFAULT},
		{"Memory at address 0x1234 is not RAM\r\n", -EFAULT},
		{"Host virtual address for 0x1235 (pc.ram) is 0x7f0000000235\r\n", -EPROTO},
		{"Host virtual address for 0x1234 (pc.ram) is 0x7f0000000235\r\n", -EPROTO},
		{"Host virtual address for 0x1234 (pc.ram) is 0x7f0000000234 and more", -EPROTO},
		{"Host virtual address for 0x1234 (pc.ram) is 0x\r\n", -EPROTO},
		{"Host virtual address for 0x1234 (pc.ram) is (nil)\r\n", -EPROTO},
		{"Host virtual address for 0x1234", -EPROTO},
		{"Host virtual address for 0x1234 (x) is 0x1000000000000000000000000234", -EPROTO},
		{"unknown command: 'gpa2hva'\r\n", -EPROTO},
		{"", -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		uint64_t hva = 0;

		assert_int_equal(monitor_take_hva(answers[i].text, 0x1234, &hva, &why),
				 answers[i].error);
		assert_int_equal(hva == 0x7f0000000234, answers[i].error == 0);
	}
}

/* Of the test: lines that the console reports as lost. */
static uint64_t lines_lost;

static void count_line(void *context, const char *text, uint64_t lost)
{
	json_array_append_new(context, json_string(text));
	lines_lost += lost;
}

static void a_console_ends_with_its_panic(void **state)
{
	__cleanup_free char *path = format_text("%s/console", root);
	__cleanup_free char *out = format_text("%s/console.out", root);
	__cleanup_json json_t *lines = json_array();
	struct console *console = console_open(path, &why);
	__cleanup_free char *nothing = NULL;
	__cleanup_free char *some = NULL;
	__cleanup_free char *tail = NULL;
	int fd;

	(void)state;
	assert_non_null(console);
	fd = open(out, O_WRONLY);
	nothing = console_tail(console, 100);
	assert_string_equal(nothing, "");
	assert_int_equal(dprintf(fd, "booting\nan open line"), 20);
	console_read(console, count_line, lines);
	some = console_tail(console, 100);
	assert_string_equal(some, "booting | an open line");
	dprintf(fd, "\nKernel panic - not syncing: one\n");
	for (int i = 0; i < 20; i++)
		dprintf(fd, " frame+0x%d/0x20\n", i);
	dprintf(fd, "---[ end Kernel panic - not syncing: one ]---\n");
	console_read(console, count_line, lines);
	tail = console_tail(console, 110);
	assert_string_equal(tail, "Kernel panic - not syncing: one |  frame+0x19/0x20 | "
				  "---[ end Kernel panic - not syncing: one ]---");
	close(fd);
	console_free(console);
}

static void the_log_of_a_domain_ends_with_its_end(void **state)
{
	__cleanup_free char *long_line = malloc(6000);
	__cleanup_free char *none = domain_log_tail(DOMAIN_LOG_BEGIN, "brinell-g1", 100);
	__cleanup_free char *tail = NULL;
	__cleanup_free char *cut = NULL;
	__cleanup_free char *flood = NULL;

	(void)state;
	assert_string_equal(none, "");
	put("var/log/libvirt/qemu/brinell-g1.log",
	    "LC_ALL=C \\\n-msg timestamp=on\nwarning: one\n\nqemu-system-x86_64: terminating "
	    "on "
	    "signal 15 from pid 7\nshutting down, reason=\xff\n");
	tail = domain_log_tail(DOMAIN_LOG_BEGIN, "brinell-g1", 200);
	assert_string_equal(tail, "-msg timestamp=on | warning: one | qemu-system-x86_64: "
				  "terminating on signal 15 from pid 7 | shutting down, reason=?");
	cut = domain_log_tail(DOMAIN_LOG_BEGIN, "brinell-g1", 90);
	assert_string_equal(cut, "qemu-system-x86_64: terminating on signal 15 from pid 7 | "
				 "shutting down, reason=?");
	memset(long_line, 'x', 5999);
	long_line[5999] = '\0';
	put("var/log/libvirt/qemu/brinell-g1.log", long_line);
	flood = domain_log_tail(DOMAIN_LOG_BEGIN, "brinell-g1", 200);
	assert_string_equal(flood, "");
}

static void console_lines_are_bounded(void **state)
{
	__cleanup_free char *path = format_text("%s/console", root);
	__cleanup_free char *out = format_text("%s/console.out", root);
	__cleanup_json json_t *lines = json_array();
	struct console *console = console_open(path, &why);
	__cleanup_free char *tail = NULL;
	char flood[5000];
	int fd;

	(void)state;
	assert_non_null(console);
	fd = open(out, O_WRONLY);
	assert_int_equal(write_all(fd, "one\r\n\r\ntw", 9), 0);
	console_read(console, count_line, lines);
	assert_int_equal(json_array_size(lines), 1);
	assert_int_equal(write_all(fd, "o\x1b\xff\nlast", 9), 0);
	console_read(console, count_line, lines);
	assert_string_equal(json_string_value(json_array_get(lines, 1)), "two?");
	console_end(console, count_line, lines);
	assert_string_equal(json_string_value(json_array_get(lines, 2)), "last");
	tail = console_tail(console, 100);
	assert_string_equal(tail, "one | two? | last");
	assert_int_equal(console_fd(console), -1);
	close(fd);
	console_free(console);
	assert_int_equal(access(out, F_OK), -1);

	console = console_open(path, &why);
	json_array_clear(lines);
	fd = open(out, O_WRONLY);
	memset(flood, 'x', sizeof(flood));
	assert_int_equal(write_all(fd, flood, sizeof(flood)), 0);
	console_read(console, count_line, lines);
	assert_int_equal(json_array_size(lines), 2);
	memset(flood, '\n', sizeof(flood));
	for (size_t i = 0; i < sizeof(flood); i += 2)
		flood[i] = 'y';
	for (int i = 0; i < 10; i++) {
		assert_int_equal(write_all(fd, flood, sizeof(flood)), 0);
		console_read(console, count_line, lines);
	}
	assert_true(json_array_size(lines) < 20000);
	/* The last line that was dropped is reported although none follows it. */
	assert_true(lines_lost > 0);
	close(fd);
	console_free(console);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_flood_is_counted),
		cmocka_unit_test(xml_holds_what_was_planned),
		cmocka_unit_test_setup_teardown(orphans_are_known, make_root, remove_root),
		cmocka_unit_test(cid_is_read),
		cmocka_unit_test(serial_socket_is_found_by_its_name),
		cmocka_unit_test_setup_teardown(cpio_reads_the_initramfs, make_root, remove_root),
		cmocka_unit_test_setup_teardown(modprobe_lists_the_modules, make_root, remove_root),
		cmocka_unit_test_setup_teardown(page_is_found, make_root, remove_root),
		cmocka_unit_test_setup_teardown(hidden_frames_are_an_error, make_root, remove_root),
		cmocka_unit_test_setup_teardown(zero_page_is_nobodys, make_root, remove_root),
		cmocka_unit_test_setup_teardown(huge_pages_have_their_size, make_root, remove_root),
		cmocka_unit_test_setup_teardown(qemu_is_the_one_with_the_uuid, make_root,
						remove_root),
		cmocka_unit_test(replies_of_the_monitor_are_checked),
		cmocka_unit_test_setup_teardown(console_lines_are_bounded, make_root, remove_root),
		cmocka_unit_test_setup_teardown(a_console_ends_with_its_panic, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(the_log_of_a_domain_ends_with_its_end, make_root,
						remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
