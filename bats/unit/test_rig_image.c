// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of the rig: sealed directories are whole or seen to be damaged, builders wait for each
 * other, a kernel of the user is looked at before it is booted. No network, no QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/lib/elf.h"
#include "harness/rig/image/image.h"

#include <cmocka.h>

static char home[] = "/tmp/brinell-test-XXXXXX";
static struct reason why;

static void put(const char *directory, const char *name, const void *data, size_t length)
{
	__cleanup_free char *path = format_text("%s/%s", directory, name);
	__cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, data, length), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(home + strlen(home) - 6, "XXXXXX");
	why.text[0] = '\0';
	return mkdtemp(home) ? setenv("XDG_CACHE_HOME", home, 1) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return image_remove_tree(home, NULL);
}

static char *sealed(void)
{
	char *directory = format_text("%s/image-a", home);
	__cleanup_json json_t *facts = json_pack("{s:s}", "release", "6.17");

	assert_int_equal(mkdir(directory, 0755), 0);
	put(directory, "initramfs", "0123456789", 10);
	assert_int_equal(image_seal(directory, facts, &why), 0);
	return directory;
}

static void test_whole(void **state)
{
	__cleanup_free char *directory = sealed();
	__cleanup_json json_t *facts = NULL;

	(void)state;
	assert_int_equal(image_verify(directory, &facts, &why), 0);
	assert_string_equal(json_text(facts, "release", ""), "6.17");
}

static void test_damage_is_seen(void **state)
{
	__cleanup_free char *directory = sealed();
	__cleanup_free char *file = format_text("%s/initramfs", directory);
	__cleanup_free char *manifest = format_text("%s/manifest.json", directory);

	(void)state;
	put(directory, "initramfs", "0123456788", 10);
	assert_int_equal(image_verify(directory, NULL, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "checksum"));
	put(directory, "initramfs", "01234", 5);
	assert_int_equal(image_verify(directory, NULL, &why), -EBADMSG);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(image_verify(directory, NULL, &why), -EBADMSG);
	put(directory, "initramfs", "0123456789", 10);
	assert_int_equal(image_verify(directory, NULL, &why), 0);
	put(directory, "manifest.json", "{\"files\":", 9);
	assert_int_equal(image_verify(directory, NULL, &why), -EBADMSG);
	assert_int_equal(unlink(manifest), 0);
	assert_int_equal(image_verify(directory, NULL, &why), -EBADMSG);
	assert_int_equal(image_remove_tree(directory, NULL), 0);
	assert_int_equal(image_verify(directory, NULL, &why), -ENOENT);
}

static void test_publish_replaces(void **state)
{
	__cleanup_free char *directory = sealed();
	__cleanup_free char *final = format_text("%s/image-b", home);

	(void)state;
	assert_int_equal(mkdir(final, 0755), 0);
	put(final, "left", "over", 4);
	assert_int_equal(image_publish(directory, final, &why), 0);
	assert_int_equal(image_verify(final, NULL, &why), 0);
	assert_int_equal(image_verify(directory, NULL, &why), -ENOENT);
}

static void count_messages(void *context, const char *what, double fraction)
{
	(void)fraction;
	assert_non_null(strstr(what, "waiting"));
	(*(int *)context)++;
}

static void test_second_builder_waits(void **state)
{
	__cleanup_free char *half = format_text("%s/brinell/.new-dead", home);
	__cleanup_free char *cache = NULL;
	int lock, second, messages = 0, ready[2], status;
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(image_cache_directory(&cache, &why), 0);
	assert_int_equal(mkdir(half, 0755), 0);
	assert_int_equal(image_cache_lock(cache, &lock, count_messages, &messages, &why), 0);
	assert_int_equal(messages, 0);
	/* What a killed builder left is gone. */
	assert_int_equal(access(half, F_OK), -1);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		close(lock);
		if (write(ready[1], "x", 1) != 1)
			_exit(2);
		_exit(image_cache_lock(cache, &second, count_messages, &messages, &why) == 0 &&
				      messages == 1
			      ? 0
			      : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	usleep(50000);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	close(lock);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
}

static void test_kernel_is_looked_at(void **state)
{
	__cleanup_free char *path = format_text("%s/bzImage", home);
	__cleanup_free char *release = NULL;
	unsigned char image[1024] = {0};

	(void)state;
	put(home, "bzImage", image, sizeof(image));
	assert_int_equal(image_kernel_check(path, &release, &why), -EINVAL);
	assert_non_null(strstr(why.text, "not a bzImage"));
	memcpy(image + 0x202, "HdrS", 4);
	/* The text of the version begins 0x300 bytes behind 0x200 less 0x200: at 0x300. */
	image[0x20f] = 0x01;
	strcpy((char *)image + 0x300, "6.19.0-mine (me@here) #1");
	put(home, "bzImage", image, sizeof(image));
	assert_int_equal(image_kernel_check(path, &release, &why), 0);
	assert_string_equal(release, "6.19.0-mine");
	put(home, "bzImage", image, 0x100);
	free(steal(release));
	assert_int_equal(image_kernel_check(path, &release, &why), -EINVAL);
	assert_int_equal(image_kernel_check("/nonexistent/bzImage", &release, &why), -ENOENT);
	assert_int_equal(image_kernel_check(home, &release, &why), -EINVAL);
}

static void join(void *context, const char *line)
{
	strcat(context, line);
}

static void test_errors_of_tools_are_reported(void **state)
{
	const char *const failing[] = {"sh", "-c", "echo first >&2; echo no such thing >&2; exit 3",
				       NULL};
	const char *const script[] = {"sh", "-c",
				      "echo noise >&2; echo error: no mirror >&2; exit 1", NULL};
	const char *const missing[] = {"brinell-no-such-tool", NULL};
	const char *const printing[] = {"sh", "-c", "echo a; echo b", NULL};
	char text[16] = "";
	struct image_command command = {.argv = printing, .line = join, .context = text};

	(void)state;
	assert_int_equal(image_run(&(struct image_command){.argv = failing}, &why), -EIO);
	assert_non_null(strstr(why.text, "status 3"));
	assert_non_null(strstr(why.text, "no such thing"));
	assert_int_equal(image_run(&(struct image_command){.argv = script}, &why), -EIO);
	assert_string_equal(why.text, "no mirror");
	assert_int_equal(image_run(&(struct image_command){.argv = missing}, &why), -EIO);
	assert_non_null(strstr(why.text, "./setup"));
	assert_int_equal(image_run(&command, &why), 0);
	assert_string_equal(text, "ab");
}

static bool names_hold(const json_t *names, const char *wanted)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(json_string_value(json_array_get(names, i)), wanted) == 0)
			return true;
	return false;
}

static int needed(const char *path, json_t *names)
{
	struct elf_links links;
	int error = elf_links_read(&links, path, &why);

	json_array_extend(names, links.needed);
	elf_links_release(&links);
	return error;
}

/* This very program is linked with libraries that are known. */
static void test_libraries_of_a_program(void **state)
{
	__cleanup_free char *script = format_text("%s/script", home);
	__cleanup_free char *missing = format_text("%s/missing", home);
	__cleanup_json json_t *names = json_array();
	__cleanup_json json_t *none = json_array();

	(void)state;
	assert_int_equal(needed("/proc/self/exe", names), 0);
	assert_true(names_hold(names, "libc.so.6"));
	assert_true(names_hold(names, "libcmocka.so.0"));
	put(home, "script", "#!/bin/sh\n", 10);
	assert_int_equal(needed(script, none), 0);
	assert_int_equal(json_array_size(none), 0);
	assert_int_equal(needed(missing, none), -ENOENT);
}

/* Cut off anywhere, and with any byte of its headers changed, a program is read within its bounds. */
static void test_damaged_programs(void **state)
{
	__cleanup_free char *path = format_text("%s/program", home);
	__cleanup_free char *bytes = NULL;
	size_t length;
	int refused = 0;

	(void)state;
	assert_int_equal(read_small_file("/proc/self/exe", &bytes, &length), 0);
	for (size_t cut = 0; cut < length; cut += 1 + length / 97) {
		__cleanup_json json_t *names = json_array();

		put(home, "program", bytes, cut);
		refused += needed(path, names) == -EBADMSG;
	}
	assert_true(refused > 0);
	for (size_t i = 0; i < 1024 && i < length; i++) {
		__cleanup_json json_t *names = json_array();

		bytes[i] = (char)~bytes[i];
		put(home, "program", bytes, length < 65536 ? length : 65536);
		(void)needed(path, names);
		bytes[i] = (char)~bytes[i];
	}
}

static void test_oldest_are_pruned(void **state)
{
	static const char *const names[] = {"image-c", "image-a", "image-b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_free char *path = format_text("%s/%s", home, names[i]);
		struct timespec times[2] = {{.tv_sec = 1000 + (time_t)i},
					    {.tv_sec = 1000 + (time_t)i}};

		assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	put(home, "other", "", 0);
	image_cache_prune(home, "image-", 2);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		__cleanup_free char *path = format_text("%s/%s", home, names[i]);

		assert_int_equal(access(path, F_OK), i == 0 ? -1 : 0);
	}
	image_cache_prune(home, "image-", 0);
	assert_int_equal(image_remove_tree(home, NULL), 0);
}

static void test_hash_is_fnv_1a(void **state)
{
	(void)state;
	/* Test vectors of the authors of FNV. */
	assert_true(image_hash(IMAGE_HASH_START, "", 0) == 0xcbf29ce484222325ull);
	assert_true(image_hash(IMAGE_HASH_START, "a", 1) == 0xaf63dc4c8601ec8cull);
	assert_true(image_hash(IMAGE_HASH_START, "foobar", 6) == 0x85944171f73967e8ull);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_damage_is_seen),
		TEST(test_publish_replaces),
		TEST(test_second_builder_waits),
		TEST(test_kernel_is_looked_at),
		TEST(test_errors_of_tools_are_reported),
		TEST(test_oldest_are_pruned),
		TEST(test_hash_is_fnv_1a),
		TEST(test_libraries_of_a_program),
		TEST(test_damaged_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
