// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: snapshots of hosts, with a QEMU that is played by the test: one is made when the host is ready, found by a host that
 * is started with the same, and by no other; a host without one goes on all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/rig/host/supervisor_internal.h"

#include <cmocka.h>

/*
 * @migration: what QEMU says of the writing of its state; @status: of itself
 * @commands:  that it got, each after a space
 */
struct fixture {
	char directory[64];
	struct supervisor supervisor;
	int listener;
	pthread_t thread;
	const char *migration, *status;
	char commands[512];
};

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void answer(struct fixture *fixture, int fd, const char *line)
{
	__cleanup_json json_t *request = json_loads(line, 0, NULL);
	const char *command = json_text(request, "execute", "");
	const char *uri = json_text(json_object_get(request, "arguments"), "uri", "");
	json_t *said = json_object();
	__cleanup_json json_t *reply =
		json_pack("{s:o, s:O}", "return", said, "id", json_object_get(request, "id"));
	__cleanup_free char *text = NULL;

	if (strcmp(command, "qmp_capabilities") != 0) {
		strcat(fixture->commands, " ");
		strcat(fixture->commands, command);
	}
	if (strcmp(command, "migrate") == 0)
		write_text(uri + strlen("file:"), "the state of a machine");
	if (strcmp(command, "query-migrate") == 0)
		json_object_set_new(said, "status", json_string(fixture->migration));
	if (strcmp(command, "query-status") == 0)
		json_object_set_new(said, "status", json_string(fixture->status));
	text = json_dumps(reply, JSON_COMPACT);
	(void)!write(fd, text, strlen(text));
	(void)!write(fd, "\r\n", 2);
}

static void *play_qemu(void *argument)
{
	static const char greeting[] = "{\"QMP\": {\"version\": {}}}\r\n";
	struct fixture *fixture = argument;
	int fd = accept(fixture->listener, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	char line[4096];

	(void)!write(fd, greeting, sizeof(greeting) - 1);
	while (fgets(line, sizeof(line), in))
		answer(fixture, fd, line);
	fclose(in);
	return NULL;
}

static int open_part(const struct fixture *fixture, const char *name, const char *text)
{
	__cleanup_free char *path = format_text("%s/%s", fixture->directory, name);

	write_text(path, text);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct supervisor *supervisor = &fixture->supervisor;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*state = fixture;
	fixture->migration = "completed";
	fixture->status = "paused";
	strcpy(fixture->directory, "/tmp/brinell-snapshot-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	setenv("XDG_CACHE_HOME", fixture->directory, 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp", fixture->directory);
	fixture->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fixture->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fixture->listener, 1), 0);
	assert_int_equal(pthread_create(&fixture->thread, NULL, play_qemu, fixture), 0);
	*supervisor = (struct supervisor){
		.profile = rig_profile_find("xen"),
		.config = json_pack("{s:s, s:s}", "qemu", "/bin/sh", "release", "6.17"),
		.directory = fixture->directory,
		.memory_mib = 1024,
		.processors = 1,
		.ram = -1,
		.disk = -1,
		.kernel = open_part(fixture, "kernel", "kernel"),
		.initramfs = open_part(fixture, "initramfs", "archive"),
		.system = open_part(fixture, "system", "system"),
		.hypervisor = open_part(fixture, "hypervisor", "hypervisor"),
		.firmware_config = {.doorbell_path = "/d", .poison_path = "/p"},
		.arguments = (char *)"console=hvc0",
		.ready = true,
	};
	return qmp_connect(address.sun_path, 5000, NULL, NULL, &supervisor->qmp);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	struct supervisor *supervisor = &fixture->supervisor;

	qmp_close(supervisor->qmp);
	pthread_join(fixture->thread, NULL);
	close(fixture->listener);
	close(supervisor->kernel);
	close(supervisor->initramfs);
	close(supervisor->system);
	close(supervisor->hypervisor);
	json_decref(supervisor->config);
	nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(fixture);
	return 0;
}

static bool is_found(const struct fixture *fixture)
{
	__cleanup_close int fd = snapshot_open(&fixture->supervisor);
	char text[64] = "";

	if (fd < 0)
		return false;
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "the state of a machine");
	return true;
}

static void make(struct fixture *fixture)
{
	struct reason why = {""};

	if (snapshot_make(&fixture->supervisor, &why))
		fail_msg("%s", why.text);
}

static void a_ready_host_is_kept_and_goes_on(void **state)
{
	struct fixture *fixture = *state;

	assert_false(is_found(fixture));
	make(fixture);
	assert_string_equal(fixture->commands,
			    " stop migrate-set-parameters migrate query-migrate cont");
	assert_true(is_found(fixture));
	snapshot_remove(&fixture->supervisor);
	assert_false(is_found(fixture));
}

/* Each thing that a host is started with counts; where its files and descriptors are does not. */
static void only_the_same_host_finds_it(void **state)
{
	struct fixture *fixture = *state;
	struct supervisor *supervisor = &fixture->supervisor;
	struct supervisor before = *supervisor;

	make(fixture);
	supervisor->directory = "/elsewhere";
	supervisor->kernel = dup(before.kernel);
	assert_true(is_found(fixture));
	close(supervisor->kernel);
	supervisor->kernel = open_part(fixture, "other", "kernel");
	assert_false(is_found(fixture));
	close(supervisor->kernel);
	*supervisor = before;
	supervisor->memory_mib = 2048;
	assert_false(is_found(fixture));
	*supervisor = before;
	supervisor->arguments = (char *)"console=hvc0 quiet";
	assert_false(is_found(fixture));
	*supervisor = before;
	json_object_set_new(supervisor->config, "qemu", json_string("/bin/ls"));
	assert_false(is_found(fixture));
	json_object_set_new(supervisor->config, "qemu", json_string("/bin/sh"));
	assert_true(is_found(fixture));
}

static int damage_state(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return strcmp(path + walk->base, "state") == 0 ? truncate(path, 4) : 0;
}

static void a_damaged_one_is_none(void **state)
{
	struct fixture *fixture = *state;

	make(fixture);
	assert_int_equal(nftw(fixture->directory, damage_state, 16, FTW_PHYS), 0);
	assert_false(is_found(fixture));
}

static void a_host_goes_on_without_one(void **state)
{
	struct fixture *fixture = *state;

	fixture->migration = "failed";
	make(fixture);
	assert_non_null(strstr(fixture->commands, "query-migrate cont"));
	assert_false(is_found(fixture));
}

static void some_hosts_have_none(void **state)
{
	struct fixture *fixture = *state;
	struct supervisor *supervisor = &fixture->supervisor;

	json_object_set_new(supervisor->config, "verbose", json_true());
	make(fixture);
	json_object_del(supervisor->config, "verbose");
	supervisor->host_number = 1;
	make(fixture);
	supervisor->host_number = 0;
	supervisor->profile = rig_profile_find("intel");
	make(fixture);
	assert_string_equal(fixture->commands, "");
}

static void a_host_goes_on_when_it_was_read(void **state)
{
	struct fixture *fixture = *state;
	struct reason why = {""};

	assert_int_equal(snapshot_resume(&fixture->supervisor, &why), 0);
	assert_string_equal(fixture->commands, " query-status cont");
	fixture->status = "internal-error";
	assert_int_equal(snapshot_resume(&fixture->supervisor, &why), -EIO);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_ready_host_is_kept_and_goes_on),
		TEST(only_the_same_host_finds_it),
		TEST(a_damaged_one_is_none),
		TEST(a_host_goes_on_without_one),
		TEST(some_hosts_have_none),
		TEST(a_host_goes_on_when_it_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
