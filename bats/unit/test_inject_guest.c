// SPDX-License-Identifier: GPL-2.0-only
/*
 * Description: the injectors of guests and of the hosts under them, with a fake hypervisor and a fake /proc: what
 * QEMU gets, what its answers mean, which process is killed, and that a daemon comes back as it was. Only children of the test die.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "inject/daemon.h"
#include "inject/guest_monitor.h"
#include "harness/host/machine.h"
#include "bats/unit/fake_root.h"

/* The fake hypervisor: the commands that it got, and its answers. cmocka has a macro fail(): (fail) is the function. */
static struct {
	char commands[512];
	const char *answer;
	int error;
	bool missing;
	pid_t process;
} hypervisor;

static int hear_command(struct agent *agent, const char *guest, const char *text,
			int64_t timeout_ms, char **answer, struct reason *why)
{
	size_t used = strlen(hypervisor.commands);

	assert_null(agent);
	assert_true(timeout_ms > 0 && timeout_ms <= 10000);
	if (strcmp(guest, "g1") != 0)
		return (fail)(why, -ENOENT, "no guest '%s'", guest);
	if (strcmp(text, "info cpus") == 0) {
		*answer = strdup("* CPU #0: thread_id=7\r\n  CPU #1: thread_id=8\r\n");
		return 0;
	}
	snprintf(hypervisor.commands + used, sizeof(hypervisor.commands) - used, "%s%s",
		 used ? "; " : "", text);
	if (hypervisor.error)
		return (fail)(why, hypervisor.error, "it does not answer");
	*answer = strdup(hypervisor.answer ? hypervisor.answer : "");
	return 0;
}

static int tell_process(struct agent *agent, const char *guest, pid_t *pid, struct reason *why)
{
	(void)agent;
	if (strcmp(guest, "g1") != 0)
		return (fail)(why, -ENOENT, "no guest '%s'", guest);
	*pid = hypervisor.process;
	return 0;
}

static bool is_here(void)
{
	return !hypervisor.missing;
}

REGISTERED(guest_monitor, fake) = {
	.name = "fake", .here = is_here, .command = hear_command, .process = tell_process};

static void open_injection(struct injection *injection, const char *name, const char *arguments,
			   bool dry_run)
{
	__cleanup_json json_t *given = json_loads(arguments, 0, NULL);
	struct reason why = {0};

	assert_non_null(given);
	if (injection_open(injection, injector_find(name), given, dry_run, &why))
		fail_msg("%s %s: %s", name, arguments, why.text);
}

/* The whole life of an injection. Return: the first error; @result is owned by the caller. */
static int inject(const char *name, const char *arguments, bool dry_run, json_t **result,
		  json_t **writes, struct reason *why)
{
	struct injection injection;
	int error, restored;

	*why = (struct reason){0};
	open_injection(&injection, name, arguments, dry_run);
	error = injection.injector->prepare(&injection, why);
	if (!error) {
		error = injection.injector->fire(&injection, why);
		restored = injection.injector->restore(&injection, error ? NULL : why);
		error = error ? error : restored;
	}
	assert_int_equal(injection.change.lock_fd, -1);
	if (result)
		*result = json_incref(injection.result);
	if (writes)
		*writes = json_incref(injection.change.writes);
	injection_close(&injection);
	return error;
}

static void refuse(const char *name, const char *arguments, int error, const char *message)
{
	struct reason why;
	int got = inject(name, arguments, false, NULL, NULL, &why);

	if (got != error || !strstr(why.text, message))
		fail_msg("%s %s: %s '%s' instead of %s '%s'", name, arguments,
			 got ? error_name(got) : "no error", why.text, error_name(error), message);
}

static void assert_planned(const char *name, const char *arguments, const char *text,
			   const char *path)
{
	__cleanup_json json_t *writes = NULL;
	struct reason why;

	if (inject(name, arguments, true, NULL, &writes, &why))
		fail_msg("%s %s: %s", name, arguments, why.text);
	assert_int_equal(json_array_size(writes), 1);
	assert_string_equal(json_text(json_array_get(writes, 0), "text", ""), text);
	assert_string_equal(json_text(json_array_get(writes, 0), "path", ""), path);
}

/* The values are those of the manuals; those of srao and srar for Intel are what QEMU itself makes of a SIGBUS. */
static void machine_checks_are_those_of_the_manuals(void **state)
{
	static const char *const uses[][2] = {
		{"\"kind\":\"corrected\",\"vendor\":\"intel\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0x8c00004000000090 0x0 0x5000 0x8c"},
		{"\"kind\":\"srao\",\"vendor\":\"intel\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0xbd000000000000c0 0x5 0x5000 0x8c"},
		{"\"kind\":\"srar\",\"vendor\":\"intel\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0xbd80000000000134 0x7 0x5000 0x8c"},
		{"\"kind\":\"fatal\",\"vendor\":\"intel\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0xbe00000000000090 0x4 0x5000 0x8c"},
		{"\"kind\":\"corrected\",\"vendor\":\"amd\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0x8c00400000000813 0x0 0x5000 0x8c"},
		{"\"kind\":\"srao\",\"vendor\":\"amd\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0x9c00180000000813 0x5 0x5000 0x8c"},
		{"\"kind\":\"srar\",\"vendor\":\"amd\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0xbc00080000000134 0x7 0x5000 0x8c"},
		{"\"kind\":\"fatal\",\"vendor\":\"amd\",\"gpa\":\"0x5000\"",
		 "mce 0 9 0xbe00000000000813 0x4 0x5000 0x8c"},
		/* Without an address the record does not claim one. */
		{"\"kind\":\"corrected\",\"vendor\":\"intel\"",
		 "mce 0 9 0x8800004000000090 0x0 0x0 0x8c"},
		{"\"kind\":\"srao\",\"vendor\":\"intel\",\"gpa\":\"0x5000\",\"cpu\":\"1\","
		 "\"bank\":\"4\",\"broadcast\":true,\"mcgstatus\":\"0x1\",\"misc\":\"0x86\"",
		 "mce -b 1 4 0xbd000000000000c0 0x1 0x5000 0x86"},
		{"\"status\":\"0xb200000000000001\"", "mce 0 9 0xb200000000000001 0x5 0x0 0x0"},
		{"\"status\":\"0x9000000000000001\"", "mce 0 9 0x9000000000000001 0x0 0x0 0x0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		__cleanup_free char *arguments = format_text("{\"guest\":\"g1\",%s}", uses[i][0]);

		assert_planned("qemu-mce", arguments, uses[i][1], "monitor of guest 'g1'");
	}
	assert_string_equal(hypervisor.commands, "");
}

static void a_guest_has_the_vendor_of_its_host(void **state)
{
	static const char arguments[] = "{\"guest\":\"g1\",\"kind\":\"srar\",\"gpa\":\"0x5000\"}";

	(void)state;
	put("/proc/cpuinfo", "vendor_id\t: AuthenticAMD\n");
	assert_planned("qemu-mce", arguments, "mce 0 9 0xbc00080000000134 0x7 0x5000 0x8c",
		       "monitor of guest 'g1'");
	put("/proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
	assert_planned("qemu-mce", arguments, "mce 0 9 0xbd80000000000134 0x7 0x5000 0x8c",
		       "monitor of guest 'g1'");
}

static void qemu_gets_one_command(void **state)
{
	__cleanup_json json_t *result = NULL;
	struct reason why;

	(void)state;
	put_expendable();
	assert_int_equal(inject("qemu-mce",
				"{\"guest\":\"g1\",\"kind\":\"srar\",\"gpa\":\"0x5000\","
				"\"vendor\":\"intel\",\"cpu\":\"1\"}",
				false, &result, NULL, &why),
			 0);
	assert_string_equal(hypervisor.commands, "mce 1 9 0xbd80000000000134 0x7 0x5000 0x8c");
	assert_string_equal(json_text(result, "status", ""), "0xbd80000000000134");
	assert_string_equal(json_text(result, "vendor", ""), "intel");
	assert_true(json_is_integer(json_object_get(result, "duration_ns")));
}

static const char corrected[] = "{\"guest\":\"g1\",\"kind\":\"corrected\"}";

static void an_unknown_processor_or_guest_is_refused(void **state)
{
	(void)state;
	put_expendable();
	refuse("qemu-mce", "{\"guest\":\"g1\",\"kind\":\"corrected\",\"cpu\":\"2\"}", -EINVAL,
	       "has no processor 2");
	refuse("qemu-mce", "{\"guest\":\"g2\",\"kind\":\"corrected\"}", -ENOENT, "no guest 'g2'");
	assert_string_equal(hypervisor.commands, "");
}

static void answers_of_qemu_have_their_meaning(void **state)
{
	static const struct {
		const char *answer;
		int error;
		const char *message;
	} answers[] = {
		{"MCE injection not supported\r\n", -EOPNOTSUPP, "mcg_cap"},
		{"Invalid MCE bank number\r\n", -EINVAL, "fewer banks"},
		{"Invalid MCE status code\r\n", -EINVAL, "VAL"},
		{"Guest CPU does not support MCA broadcast\r\n", -EOPNOTSUPP, "AMD"},
		{"CPU 0: Uncorrected error reporting disabled for bank 9\r\n", -ENODATA, "MCi_CTL"},
		{"something new\r\n", -EPROTO, "'something new'"},
	};
	__cleanup_json json_t *result = NULL;
	struct reason why;

	(void)state;
	put_expendable();
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		hypervisor.answer = answers[i].answer;
		refuse("qemu-mce", corrected, answers[i].error, answers[i].message);
	}
	hypervisor.answer = "CPU 0: Previous MCE still in progress, raising triple fault\r\n";
	assert_int_equal(inject("qemu-mce", corrected, false, &result, NULL, &why), 0);
	assert_true(json_is_true(json_object_get(result, "triple_fault")));
	hypervisor.error = -ETIMEDOUT;
	refuse("qemu-mce", corrected, -ETIMEDOUT, "does not answer");
}

static int check(const char *name, const char *arguments, enum injector_target target,
		 struct reason *why)
{
	const struct injector *injector = injector_find(name);
	__cleanup_json json_t *given = json_loads(arguments, 0, NULL);
	__cleanup_json json_t *checked = NULL;
	int error = param_check(injector->params, given, &checked, why);

	return error ? error : injector->check(checked, target, why);
}

static void targets_are_distinguished(void **state)
{
	static const char srao[] = "{\"guest\":\"g1\",\"kind\":\"srao\"}";
	static const char madvise[] = "{\"method\":\"madvise-hard\"}";
	static const char by_frame[] = "{\"method\":\"corrupt-pfn\"}";
	static const char soft[] = "{\"method\":\"soft-offline-page\"}";
	static const char memory[] = "{\"type\":\"memory-uncorrectable-nonfatal\"}";
	struct reason why;

	(void)state;
	assert_int_equal(check("qemu-mce", srao, TARGET_GUEST, &why), 0);
	assert_int_equal(check("qemu-mce", srao, TARGET_NONE, &why), -EINVAL);
	assert_non_null(strstr(why.text, "'gpa'"));
	assert_int_equal(check("qemu-mce", srao, TARGET_WORKLOAD, &why), -EINVAL);
	assert_non_null(strstr(why.text, "'in'"));
	assert_int_equal(check("qemu-mce", corrected, TARGET_NONE, &why), 0);
	assert_int_equal(check("qemu-mce", "{\"guest\":\"g1\",\"status\":\"0x8400000000000001\"}",
			       TARGET_NONE, &why),
			 -EINVAL);
	assert_int_equal(check("qemu-mce", "{\"guest\":\"g1\",\"kind\":\"srao\",\"status\":\"1\"}",
			       TARGET_GUEST, &why),
			 -EINVAL);
	assert_non_null(strstr(why.text, "one of 'kind' and 'status'"));
	/* A frame of the host is a target for any user; its owner is QEMU, which has no commands of a workload. */
	assert_int_equal(check("hwpoison", by_frame, TARGET_GUEST, &why), 0);
	assert_int_equal(check("hwpoison", soft, TARGET_GUEST, &why), 0);
	assert_int_equal(check("hwpoison", madvise, TARGET_WORKLOAD, &why), 0);
	assert_int_equal(check("hwpoison", madvise, TARGET_GUEST, &why), -EINVAL);
	assert_non_null(strstr(why.text, "belongs to QEMU"));
	assert_int_equal(check("einj", memory, TARGET_GUEST, &why), 0);
	assert_int_equal(check("einj", memory, TARGET_NONE, &why), -EINVAL);
	assert_int_equal(check("mce-inject", "{\"preset\":\"srao\"}", TARGET_GUEST, &why), 0);
	assert_int_equal(check("panic", "{}", TARGET_NONE, &why), 0);
	assert_int_equal(check("panic", "{}", TARGET_WORKLOAD, &why), -EINVAL);
	assert_int_equal(check("kill", "{\"what\":\"qemu\"}", TARGET_NONE, &why), -EINVAL);
	assert_non_null(strstr(why.text, "needs 'guest'"));
	assert_int_equal(check("kill", "{\"what\":\"libvirtd\",\"guest\":\"g1\"}", TARGET_NONE,
			       &why),
			 -EINVAL);
	assert_int_equal(check("kill", "{\"what\":\"qemu\",\"guest\":\"g1\"}", TARGET_GUEST, &why),
			 -EINVAL);
	assert_non_null(strstr(why.text, "leave 'at' out"));
}

static void panic_is_one_letter(void **state)
{
	__cleanup_json json_t *result = NULL;
	struct injection injection;
	struct reason why;

	(void)state;
	put_expendable();
	refuse("panic", "{}", -ENOENT, "CONFIG_MAGIC_SYSRQ");
	put("/proc/sysrq-trigger", "");
	put("/proc/sys/kernel/panic", "10\n");
	assert_planned("panic", "{}", "c", "/proc/sysrq-trigger");
	assert_content("/proc/sysrq-trigger", "");
	/* Nothing happens before it is fired. */
	open_injection(&injection, "panic", "{}", false);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_content("/proc/sysrq-trigger", "");
	assert_int_equal(json_integer_value(json_object_get(injection.result, "panic_timeout")),
			 10);
	/* The fake kernel does not crash, which a real one must not. */
	assert_int_equal(injection.injector->fire(&injection, &why), -EIO);
	assert_non_null(strstr(why.text, "did not crash"));
	assert_content("/proc/sysrq-trigger", "c");
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
}

/* A process of the test that is in the fake /proc under a name. */
static pid_t make_process(const char *name, const char *arguments, size_t length)
{
	pid_t test = getpid(), pid = fork();
	char path[64];

	/* It does not outlive a test that failed. */
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != test))
		_exit(1);
	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	put(path, name);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	put_bytes(path, arguments, length);
	return pid;
}

static bool ended_by_kill(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

static void clear_processes(void)
{
	__cleanup_free char *command = format_text("rm -r %s/proc", root);

	assert_int_equal(system(command), 0);
}

static void lives_then_end(pid_t pid)
{
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The mark is checked when an injection is prepared, and again when it is fired. */
static void nothing_without_permission(void **state)
{
	static const char *const uses[][2] = {
		{"qemu-mce", corrected},
		{"panic", "{}"},
		{"kill", "{\"what\":\"qemu\",\"guest\":\"g1\"}"},
	};
	pid_t pid = make_process("qemu-system-x86\n", "qemu", 5);

	(void)state;
	put("/proc/sysrq-trigger", "");
	hypervisor.process = pid;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		struct injection injection;
		struct reason why;

		put("/etc/brinell/expendable", "another-host\n");
		open_injection(&injection, uses[i][0], uses[i][1], false);
		assert_int_equal(injection.injector->prepare(&injection, &why), -EPERM);
		put_expendable();
		assert_int_equal(injection.injector->prepare(&injection, &why), 0);
		put("/etc/brinell/expendable", "another-host\n");
		assert_int_equal(injection_fire(&injection, &why), -EPERM);
		assert_int_equal(injection.injector->restore(&injection, &why), 0);
		injection_close(&injection);
	}
	assert_string_equal(hypervisor.commands, "");
	assert_content("/proc/sysrq-trigger", "");
	lives_then_end(pid);
}

static void qemu_of_the_guest_dies(void **state)
{
	static const char arguments[] = "{\"what\":\"qemu\",\"guest\":\"g1\"}";
	__cleanup_json json_t *result = NULL;
	struct reason why;
	pid_t other;

	(void)state;
	put_expendable();
	hypervisor.process = make_process("qemu-system-x86\n", "qemu", 5);
	other = make_process("qemu-system-x86\n", "qemu", 5);
	assert_planned("kill", arguments, "SIGKILL", "QEMU of guest 'g1'");
	assert_int_equal(waitpid(hypervisor.process, NULL, WNOHANG), 0);
	assert_int_equal(inject("kill", arguments, false, &result, NULL, &why), 0);
	assert_true(json_is_true(json_object_get(result, "ended")));
	assert_true(ended_by_kill(hypervisor.process));
	lives_then_end(other);
	/* It has been reaped: its pid is free, or that of another process. */
	refuse("kill", arguments, -ESRCH, "process");
}

static void a_process_of_another_name_survives(void **state)
{
	(void)state;
	put_expendable();
	hypervisor.process = make_process("postgres\n", "postgres", 9);
	refuse("kill", "{\"what\":\"qemu\",\"guest\":\"g1\"}", -ESRCH,
	       "'postgres' instead of 'qemu'");
	lives_then_end(hypervisor.process);
}

static void daemons_are_found_by_their_name(void **state)
{
	struct reason why;
	pid_t pid;

	(void)state;
	put("/proc/self/comm", "libvirtd\n");
	put("/proc/11/comm", "libvirtd\n");
	put("/proc/11/cmdline", "");
	put("/proc/12/comm", "libvirtd-helper\n");
	put("/proc/12/cmdline", "x");
	/* 11 has ended and waits for its parent. */
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), -ESRCH);
	put("/proc/13/comm", "libvirtd\n");
	put_bytes("/proc/13/cmdline", "libvirtd\0--daemon", 18);
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), 0);
	assert_int_equal(pid, 13);
	/* Its child, before that is another program. */
	put("/proc/15/comm", "libvirtd\n");
	put("/proc/15/cmdline", "libvirtd");
	put("/proc/15/stat", "15 (libvirtd) S 13 13 13 0");
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), 0);
	assert_int_equal(pid, 13);
	put("/proc/14/comm", "libvirtd\n");
	put("/proc/14/cmdline", "libvirtd");
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), -EEXIST);
	put("/run/libvirtd.pid", "12\n");
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), -EEXIST);
	put("/run/libvirtd.pid", "14\n");
	assert_int_equal(daemon_find("libvirtd", 0, &pid, &why), 0);
	assert_int_equal(pid, 14);
	assert_int_equal(daemon_find("libvirtd", 13, &pid, &why), 0);
	assert_int_equal(pid, 14);
}

/* A daemon whose program is a shell: it appears in the fake /proc, and reports how it was started. */
static pid_t make_daemon(const char *after)
{
	static const char script[] =
		"set -e; mkdir $PLACE/proc/4242; cd $PLACE/proc/4242; echo libvirtd >cmdline; "
		"[ ! -e /proc/$$/fd/77 ] || exit 4; "
		"echo started >>../../starts; echo libvirtd >comm";
	char arguments[1024], environment[256], path[64], whole[256];
	size_t length = (size_t)snprintf(arguments, sizeof(arguments), "libvirtd%c-c%c%s%c%s", 0, 0,
					 script, 0, after);
	pid_t pid = make_process("libvirtd\n", arguments, length + 1);

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	length = (size_t)snprintf(environment, sizeof(environment), "A=b%cPLACE=%s%cC=d", 0, root,
				  0);
	put_bytes(path, environment, length + 1);
	snprintf(whole, sizeof(whole), "%s/proc/%d/exe", root, (int)pid);
	assert_int_equal(symlink("/bin/sh", whole), 0);
	return pid;
}

/* What the agent has open is not the daemon's. */
static void a_daemon_comes_back_as_it_was(void **state)
{
	static const char *const ways[] = {"--daemon", "--listen"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int leaked = dup2(STDERR_FILENO, 77);
		struct daemon daemon = {0};
		char whole[256];
		struct reason why = {0};
		pid_t pid = make_daemon(ways[i]);

		assert_int_equal(daemon_read(&daemon, pid, &why), 0);
		assert_false(daemon.supervised);
		assert_true(daemon.restart_ms > 0);
		daemon.restart_ms = 0;
		if (daemon_restart(&daemon, pid, &why))
			fail_msg("%s: %s", ways[i], why.text);
		close(leaked);
		assert_content("/starts", "started\n");
		daemon_free(&daemon);
		lives_then_end(pid);
		clear_processes();
		snprintf(whole, sizeof(whole), "%s/starts", root);
		unlink(whole);
	}
}

/* Not a shell, which clears its mask by itself: cp, which shows its own status, and then makes the daemon appear. */
static void a_daemon_gets_its_signals(void **state)
{
	struct daemon daemon = {.name = strdup("libvirtd"),
				.program = strdup("/bin/cp"),
				.environment = strdup("")};
	__cleanup_free char *status = NULL;
	const char *ignored;
	char arguments[512];
	sigset_t held, before;
	struct reason why = {0};
	int error;

	(void)state;
	put("/comm", "libvirtd\n");
	put("/proc/4242/cmdline", "libvirtd");
	daemon.arguments_size = (size_t)snprintf(arguments, sizeof(arguments),
						 "cp%c-t%c%s/proc/4242%c/proc/self/status%c%s/comm",
						 0, 0, root, 0, 0, root) +
				1;
	daemon.arguments = memcpy(malloc(daemon.arguments_size), arguments, daemon.arguments_size);
	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &before);
	signal(SIGPIPE, SIG_IGN);
	error = daemon_restart(&daemon, 0, &why);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error)
		fail_msg("%s", why.text);
	status = content("/proc/4242/status");
	assert_non_null(strstr(status, "SigBlk:\t0000000000000000\n"));
	ignored = strstr(status, "SigIgn:");
	assert_non_null(ignored);
	/* The C library keeps signals 32 and 33 for itself. */
	assert_int_equal(strtoull(ignored + strlen("SigIgn:"), NULL, 16) & INT32_MAX, 0);
	daemon_free(&daemon);
}

static void a_restarted_daemon_is_not_started_twice(void **state)
{
	struct daemon daemon = {0};
	struct reason why = {0};
	pid_t pid;

	(void)state;
	pid = make_daemon("--daemon");
	assert_int_equal(daemon_read(&daemon, pid, &why), 0);
	put("/proc/77/comm", "libvirtd\n");
	put("/proc/77/cmdline", "libvirtd");
	assert_int_equal(daemon_restart(&daemon, pid, &why), 0);
	assert_content("/starts", "(missing)");
	daemon_free(&daemon);
	lives_then_end(pid);
}

static void a_service_is_left_to_its_manager(void **state)
{
	struct daemon daemon = {0};
	struct reason why = {0};
	char path[64];
	pid_t pid;

	(void)state;
	pid = make_daemon("--daemon");
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	put(path, "0::/system.slice/libvirtd.service\n");
	assert_int_equal(daemon_read(&daemon, pid, &why), 0);
	assert_true(daemon.supervised);
	daemon.restart_ms = 0;
	assert_int_equal(daemon_restart(&daemon, pid, &why), -ESRCH);
	assert_non_null(strstr(why.text, "systemctl start libvirtd"));
	assert_content("/starts", "(missing)");
	daemon_free(&daemon);
	lives_then_end(pid);
}

static void a_daemon_that_does_not_start_is_reported(void **state)
{
	struct daemon daemon = {0};
	struct reason why = {0};
	pid_t pid;

	(void)state;
	pid = make_daemon("--daemon");
	assert_int_equal(daemon_read(&daemon, pid, &why), 0);
	daemon.restart_ms = 0;
	/* There is a file in its way. */
	put("/proc/4242", "");
	assert_int_equal(daemon_restart(&daemon, pid, &why), -EIO);
	free(daemon.program);
	daemon.program = strdup("/nowhere/libvirtd");
	assert_int_equal(daemon_restart(&daemon, pid, &why), -EIO);
	assert_non_null(strstr(why.text, "127"));
	daemon_free(&daemon);
	lives_then_end(pid);
}

static void a_killed_daemon_is_brought_back_at_the_end_or_at_once(void **state)
{
	struct injection injection;
	struct reason why;
	pid_t pid, again;

	(void)state;
	put_expendable();
	pid = make_daemon("--daemon");
	assert_planned("kill", "{\"what\":\"libvirtd\"}", "SIGKILL", "libvirtd");
	open_injection(&injection, "kill", "{\"what\":\"libvirtd\"}", false);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_true(ended_by_kill(pid));
	assert_content("/starts", "(missing)");
	if (injection.injector->restore(&injection, &why))
		fail_msg("%s", why.text);
	assert_content("/starts", "started\n");
	injection_close(&injection);

	clear_processes();
	pid = make_daemon("--daemon");
	open_injection(&injection, "kill", "{\"what\":\"libvirtd\",\"restart\":\"at-once\"}",
		       false);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_int_equal(injection.injector->fire(&injection, &why), 0);
	assert_true(ended_by_kill(pid));
	/* Nobody has to restore it first. */
	while (daemon_find("libvirtd", pid, &again, NULL))
		sched_yield();
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	assert_content("/starts", "started\nstarted\n");
	injection_close(&injection);
}

/* An injection that was prepared and not fired leaves the daemon alone. */
static void what_was_not_killed_is_not_brought_back(void **state)
{
	struct injection injection;
	struct reason why;
	pid_t pid;

	(void)state;
	put_expendable();
	refuse("kill", "{\"what\":\"libvirtd\"}", -ESRCH, "no process is called libvirtd");
	pid = make_daemon("--daemon");
	open_injection(&injection, "kill", "{\"what\":\"libvirtd\"}", false);
	assert_int_equal(injection.injector->prepare(&injection, &why), 0);
	assert_int_equal(injection.injector->restore(&injection, &why), 0);
	injection_close(&injection);
	assert_content("/starts", "(missing)");
	lives_then_end(pid);
}

static bool is_found(const char *name)
{
	__cleanup_json json_t *findings = json_array();
	const json_t *entry;
	size_t index;

	for (size_t i = 0; i < injector_count(); i++)
		injector_at(i)->probe(findings);
	json_array_foreach (findings, index, entry)
		if (strcmp(json_text(entry, "name", ""), name) == 0)
			return json_is_true(json_object_get(entry, "ok"));
	fail_msg("no finding '%s'", name);
	return false;
}

static void probes_report_valid_targets(void **state)
{
	(void)state;
	assert_true(is_found("qemu-mce"));
	assert_true(is_found("kill:qemu"));
	/* A hypervisor whose guests are no processes of QEMU. */
	hypervisor.missing = true;
	assert_false(is_found("qemu-mce"));
	assert_false(is_found("kill:qemu"));
	hypervisor.missing = false;
	assert_false(is_found("kill:libvirtd"));
	assert_false(is_found("panic"));
	put("/proc/13/comm", "libvirtd\n");
	put("/proc/13/cmdline", "libvirtd");
	put("/proc/sysrq-trigger", "");
	put("/proc/sys/kernel/panic", "0\n");
	assert_true(is_found("kill:libvirtd"));
	assert_false(is_found("kill:virtqemud"));
	assert_true(is_found("panic"));
	assert_false(is_found("panic:restarts"));
	put("/proc/sys/kernel/panic", "-1\n");
	assert_true(is_found("panic:restarts"));
}

static int make_machine(void **state)
{
	memset(&hypervisor, 0, sizeof(hypervisor));
	return make_root(state);
}

#define MACHINE_TEST(function) cmocka_unit_test_setup_teardown(function, make_machine, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(machine_checks_are_those_of_the_manuals),
		MACHINE_TEST(a_guest_has_the_vendor_of_its_host),
		MACHINE_TEST(qemu_gets_one_command),
		MACHINE_TEST(an_unknown_processor_or_guest_is_refused),
		MACHINE_TEST(answers_of_qemu_have_their_meaning),
		MACHINE_TEST(targets_are_distinguished),
		MACHINE_TEST(nothing_without_permission),
		MACHINE_TEST(panic_is_one_letter),
		MACHINE_TEST(qemu_of_the_guest_dies),
		MACHINE_TEST(a_process_of_another_name_survives),
		MACHINE_TEST(daemons_are_found_by_their_name),
		MACHINE_TEST(a_daemon_comes_back_as_it_was),
		MACHINE_TEST(a_daemon_gets_its_signals),
		MACHINE_TEST(a_restarted_daemon_is_not_started_twice),
		MACHINE_TEST(a_service_is_left_to_its_manager),
		MACHINE_TEST(a_daemon_that_does_not_start_is_reported),
		MACHINE_TEST(a_killed_daemon_is_brought_back_at_the_end_or_at_once),
		MACHINE_TEST(what_was_not_killed_is_not_brought_back),
		MACHINE_TEST(probes_report_valid_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
