// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: programs of this machine go into an initramfs with all that they need. They are started from there, by the
 * loader and with the libraries of the archive alone, and this very program is one of them.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "harness/lib/elf.h"
#include "harness/hypervisor/domain.h"
#include "bats/unit/fake_root.h"

static struct reason why;

/* The programs are those of this machine until a test wants others. */
static int setup(void **state)
{
	int error = make_root(state);

	system_root_set("");
	return error;
}

static bool holds(const json_t *files, const char *name)
{
	json_t *file;
	size_t index;

	json_array_foreach ((json_t *)files, index, file)
		if (strcmp(strrchr(json_string_value(file), '/') + 1, name) == 0)
			return true;
	return false;
}

static void libraries_of_libraries_are_found(void **state)
{
	__cleanup_json json_t *names = json_pack("[s, s]", "sh", "/proc/self/exe");
	__cleanup_json json_t *files = NULL;
	json_t *file;
	size_t index;

	(void)state;
	if (programs_collect(names, &files, &why))
		fail_msg("%s", why.text);
	assert_true(holds(files, "sh") && holds(files, "exe"));
	assert_true(holds(files, "libc.so.6") && holds(files, "ld-linux-x86-64.so.2"));
	assert_true(holds(files, "libcmocka.so.0"));
	/* Of libsystemd, which this program is linked with, not of this program. */
	assert_true(holds(files, "libgcrypt.so.20") || holds(files, "libcap.so.2"));
	json_array_foreach (files, index, file) {
		assert_int_equal(access(json_string_value(file), R_OK), 0);
		for (size_t other = 0; other < index; other++)
			assert_false(json_equal(json_array_get(files, other), file));
	}
}

/* The initramfs, unpacked; it has no more than the archive gives. */
static void a_program_starts_from_the_archive(void **state)
{
	__cleanup_free char *archive = format_text("%s/initramfs", root);
	__cleanup_json json_t *programs = json_pack("[s, s]", "bash", "/bin/dash");
	struct initramfs_source source = {.program = "/bin/true", .programs = programs};
	__cleanup_free char *command = format_text(
		"cd %s && mkdir x && cd x && cpio -idm --quiet --no-preserve-owner <../initramfs "
		"&& "
		"test ! -L usr/bin/bash && test $(find . -name libc.so.6 | wc -l) = 1 && "
		"test \"$(chroot . /bin/dash -c 'echo from the archive')\" = 'from the archive' && "
		"test \"$(chroot . /usr/bin/bash -c 'echo $((6 * 7))')\" = 42",
		root);

	(void)state;
	if (initramfs_write(archive, &source, &why))
		fail_msg("%s", why.text);
	if (geteuid() != 0)
		skip();
	assert_int_equal(system(command), 0);
}

/* Two headers, and a table of what is wanted: as small as a program can be. */
struct small_program {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Dyn dynamic[4];
	char strings[64];
};

static void put_small(const char *name, const char *needs, const char *search)
{
	struct small_program program = {
		.header = {.e_machine = EM_X86_64,
			   .e_phoff = offsetof(struct small_program, segments),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2},
		.segments = {{.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof(program)},
			     {.p_type = PT_DYNAMIC,
			      .p_offset = offsetof(struct small_program, dynamic),
			      .p_filesz = sizeof(program.dynamic)}},
		.dynamic = {{.d_tag = DT_STRTAB,
			     .d_un.d_ptr = 0x1000 + offsetof(struct small_program, strings)},
			    {.d_tag = needs ? DT_NEEDED : DT_DEBUG, .d_un.d_val = 1},
			    {.d_tag = search ? DT_RUNPATH : DT_DEBUG, .d_un.d_val = 32}},
	};

	memcpy(program.header.e_ident, ELFMAG, SELFMAG);
	program.header.e_ident[EI_CLASS] = ELFCLASS64;
	snprintf(program.strings + 1, 31, "%s", needs ? needs : "");
	snprintf(program.strings + 32, 32, "%s", search ? search : "");
	put_bytes(name, &program, sizeof(program));
}

static void expect(const char *name, const char *const *wanted)
{
	__cleanup_json json_t *names = json_pack("[s]", name);
	__cleanup_json json_t *files = NULL;
	size_t count = 0;

	if (programs_collect(names, &files, &why))
		fail_msg("%s: %s", name, why.text);
	for (; wanted[count]; count++)
		assert_string_equal(json_string_value(json_array_get(files, count)), wanted[count]);
	assert_int_equal(json_array_size(files), count);
}

static void a_program_names_the_directories_of_its_libraries(void **state)
{
	(void)state;
	system_root_set(root);
	put_small("usr/bin/tool", "libown.so", "/none:$ORIGIN/../own");
	put_small("usr/bin/../own/libown.so", "libdeep.so", NULL);
	put_small("lib/x86_64-linux-gnu/libdeep.so", NULL, NULL);
	put_small("usr/lib/libdeep.so", NULL, NULL);
	expect("tool", (const char *const[]){"/usr/bin/tool", "/usr/bin/../own/libown.so",
					     "/lib/x86_64-linux-gnu/libdeep.so", NULL});
	/* The directories of a program are not those of its libraries. */
	put_small("usr/own/libdeep.so", NULL, NULL);
	expect("/usr/bin/tool", (const char *const[]){"/usr/bin/tool", "/usr/bin/../own/libown.so",
						      "/lib/x86_64-linux-gnu/libdeep.so", NULL});
}

static void expect_refusal(const char *name, int error, const char *text)
{
	__cleanup_free char *archive = format_text("%s/initramfs", root);
	__cleanup_json json_t *programs = json_pack("[s]", name);
	struct initramfs_source source = {.program = "/bin/true", .programs = programs};

	assert_int_equal(initramfs_write(archive, &source, &why), error);
	if (!strstr(why.text, text))
		fail_msg("%s", why.text);
	assert_int_equal(access(archive, F_OK), -1);
}

static void what_can_not_be_given_is_refused(void **state)
{
	(void)state;
	system_root_set(root);
	put("usr/bin/script", "#!/bin/sh\n");
	put_small("usr/bin/lost", "libnowhere.so", NULL);
	expect_refusal("stress-elsewhere", -ENOENT, "no program stress-elsewhere");
	expect_refusal("script", -ENOEXEC,
		       "/usr/bin/script is not an x86-64 program; for a script");
	expect_refusal("lost", -ENOENT, "/usr/bin/lost needs the library libnowhere.so");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, remove_root)
	const struct CMUnitTest tests[] = {
		TEST(libraries_of_libraries_are_found),
		TEST(a_program_starts_from_the_archive),
		TEST(a_program_names_the_directories_of_its_libraries),
		TEST(what_can_not_be_given_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
