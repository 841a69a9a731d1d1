// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: idle ROUNDS
 *
 * What brinell-guest costs a guest in which it is armed and nothing happens: a micro guest (its kernel, its initramfs, its
 * program) in a QEMU of its own whose clock counts instructions, one a nanosecond (-icount shift=0). What stress-ng gets done in a second of that clock then does not depend on what
 * else this machine does, and what it loses beside an armed program is what that program, and the kernel for it, have
 * executed. All sides take turns in one boot. The guest is reached by its virtio serial port.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bats/bench/figures.h"
#include "harness/hypervisor/domain.h"
#include "harness/lib/protocol.h"
#include "harness/link/link.h"
#include "harness/rig/host/qemu.h"
#include "harness/rig/image/image.h"

#define ROUNDS_MAX 200
#define GUEST "bench"
#define TIMEOUT_MS 300000
#define CONSOLE_SHOWN 2000

/* Each some second of the guest's clock, and always the same: the operations are counted, their random numbers fixed. */
static const struct {
	const char *stressor;
	const char *argv[8];
} works[] = {
	{"matrix", {"--matrix", "1", "--matrix-ops", "1000"}},
	{"vm", {"--vm", "1", "--vm-bytes", "16M", "--vm-ops", "8000"}},
};

/* Modes of the guest: no heartbeat, the interval of a scenario, and that on emulated hosts. */
static const struct {
	const char *what;
	int64_t interval_ns;
} sides[] = {
	{"not armed", 0},
	{"beats of 10 ms", 10 * NSEC_PER_MSEC},
	{"beats of 100 ms", 100 * NSEC_PER_MSEC},
};

/**
 * struct machine - the guest's QEMU, and our end of its stream
 * @directory: of its files
 * @greeted:   the guest has said hello
 * @answered:  the call has come back: with @reply, or with @error and @why
 */
static struct machine {
	char *directory;
	pid_t qemu;
	struct guest_link *link;
	bool greeted, answered;
	json_t *reply;
	int error;
	struct reason why;
} machine;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("idle: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static void clean_up(void)
{
	guest_link_free(machine.link);
	if (machine.qemu > 0) {
		kill(machine.qemu, SIGKILL);
		waitpid(machine.qemu, NULL, 0);
	}
	image_remove_tree(machine.directory, NULL);
	free(machine.directory);
}

static void take_event(void *context, json_t *event)
{
	(void)context;
	if (strcmp(json_text(event, "what", ""), "hello") == 0)
		machine.greeted = true;
	json_decref(event);
}

static void take_answer(void *context, void *cookie, int error, json_t *reply,
			const struct reason *why)
{
	(void)context;
	(void)cookie;
	machine.answered = true;
	machine.error = error;
	machine.reply = reply;
	if (error)
		machine.why = *why;
}

static void die_of(const char *what, const char *because)
{
	__cleanup_free char *path = format_text("%s/console", machine.directory);
	__cleanup_free char *console = NULL;
	size_t length = 0;

	(void)read_small_file(path, &console, &length);
	die("%s: %s; the end of its console: %s", what, because,
	    !console		     ? ""
	    : length > CONSOLE_SHOWN ? console + length - CONSOLE_SHOWN
				     : console);
}

static void serve_until(const bool *done, const char *what)
{
	int64_t until = now_monotonic_ns() + TIMEOUT_MS * NSEC_PER_MSEC;

	while (!*done) {
		struct pollfd fds[4];
		size_t count = guest_link_watch(machine.link, fds, ARRAY_SIZE(fds));

		if (waitpid(machine.qemu, NULL, WNOHANG) != 0) {
			machine.qemu = 0;
			die_of(what, "the guest has ended");
		}
		if (now_monotonic_ns() > until)
			die_of(what, "the guest does not answer");
		(void)poll(fds, count, 1000);
		guest_link_dispatch(machine.link);
	}
}

/* @arguments is stolen. Return: the answer, owned by the caller. */
static json_t *call(const char *name, json_t *arguments)
{
	__cleanup_json json_t *given = arguments;
	struct reason why;

	machine.answered = false;
	if (guest_link_call(machine.link, GUEST, name, given, TIMEOUT_MS, NULL, &why))
		die("%s", why.text);
	serve_until(&machine.answered, name);
	if (machine.error)
		die("%s: %s", name, machine.why.text);
	return steal(machine.reply);
}

/* A micro guest has its programs from its host: here, from the disk that an emulated host has. */
static void make_initramfs(const struct rig_image *image, const char *path)
{
	__cleanup_free char *root = format_text("%s/root", machine.directory);
	__cleanup_free char *extract = format_text("--extract=%s", root);
	__cleanup_free char *modules = strdup(image->kernel);
	__cleanup_json json_t *programs = json_pack("[s]", "stress-ng");
	const char *const argv[] = {"fsck.erofs", extract, image->system, NULL};
	const struct initramfs_source source = {
		.program = "build/brinell-guest", .modules = modules, .programs = programs};
	struct reason why;

	/* The modules of a stock kernel lie beside it. */
	*strrchr(modules, '/') = '\0';
	if (image_run(&(struct image_command){.argv = argv}, &why))
		die("%s", why.text);
	system_root_set(root);
	if (initramfs_write(path, &source, &why))
		die("%s", why.text);
	system_root_set("");
}

static void run_qemu(const char *kernel, const char *initramfs, const char *socket)
{
	__cleanup_free char *link =
		format_text("socket,id=link,path=%s,server=on,wait=off", socket);
	__cleanup_free char *console =
		format_text("file,id=console,path=%s/console", machine.directory);
	__cleanup_free char *qemu = NULL;
	pid_t parent = getpid();
	unsigned int version;
	struct reason why;

	if (rig_find_qemu(&qemu, &version, &why))
		die("%s", why.text);
	const char *const argv[] = {qemu,
				    "-accel",
				    "tcg,thread=single",
				    "-icount",
				    "shift=0,sleep=off",
				    "-machine",
				    "q35",
				    "-cpu",
				    "max",
				    "-m",
				    "256",
				    "-nodefaults",
				    "-no-user-config",
				    "-display",
				    "none",
				    "-no-reboot",
				    "-chardev",
				    console,
				    "-serial",
				    "chardev:console",
				    "-chardev",
				    link,
				    "-device",
				    "virtio-serial-pci",
				    "-device",
				    "virtserialport,chardev=link,name=" GUEST_SERIAL_NAME,
				    "-device",
				    "virtio-balloon-pci",
				    "-kernel",
				    kernel,
				    "-initrd",
				    initramfs,
				    "-append",
				    "console=ttyS0 loglevel=4 panic=-1 no_timer_check",
				    NULL};

	machine.qemu = fork();
	if (machine.qemu < 0)
		die("fork: %s", strerror(errno));
	if (machine.qemu > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execv(qemu, (char *const *)argv);
	_exit(127);
}

static void start_guest(void)
{
	const struct guest_link_user user = {.event = take_event, .answer = take_answer};
	const char *temporary = getenv("TMPDIR");
	__cleanup_free char *initramfs = NULL;
	__cleanup_free char *socket = NULL;
	struct rig_image image = {0};
	struct reason why;

	if (rig_image_ensure(&(struct rig_options){.profile = "kvm"}, &image, &why))
		die("%s", why.text);
	machine.directory = format_text("%s/brinell-idle.XXXXXX", temporary ? temporary : "/tmp");
	if (!mkdtemp(machine.directory))
		die("make %s: %s", machine.directory, strerror(errno));
	atexit(clean_up);
	initramfs = format_text("%s/initramfs", machine.directory);
	socket = format_text("%s/link", machine.directory);
	make_initramfs(&image, initramfs);
	run_qemu(image.kernel, initramfs, socket);
	rig_image_release(&image);
	machine.link = guest_link_new(&user, &guest_limits_default);
	if (guest_link_connect(machine.link, GUEST, socket, false, &why))
		die("%s", why.text);
	serve_until(&machine.greeted, "boot");
}

static void arm(int64_t interval_ns)
{
	json_decref(call(interval_ns ? "witness.start" : "witness.stop", json_object()));
	json_decref(call(interval_ns ? "heartbeat.start" : "heartbeat.stop",
			 interval_ns ? json_pack("{s:I}", "interval_ns", (json_int_t)interval_ns)
				     : json_object()));
}

/* The number of "KEY: NUMBER" in a report in YAML. */
static double number_of(const char *report, const char *key)
{
	__cleanup_free char *label = format_text(" %s: ", key);
	const char *at = strstr(report, label);
	double number = at ? strtod(at + strlen(label), NULL) : 0;

	if (number <= 0)
		die("stress-ng did not report its %s: %s", key, report);
	return number;
}

/* Return: bogo operations in a second of the guest's clock. */
static double work(size_t index)
{
	json_t *argv = json_pack("[s, s, s, s, s]", "stress-ng", "--metrics", "--no-rand-seed",
				 "--yaml", "/proc/self/fd/1");
	__cleanup_json json_t *reply = NULL;
	const char *report;

	for (const char *const *word = works[index].argv; *word; word++)
		json_array_append_new(argv, json_string(*word));
	reply = call("run", json_pack("{s:o, s:i}", "argv", argv, "timeout_ms", TIMEOUT_MS));
	report = json_text(reply, "stdout", "");
	if (json_number(reply, "status", -1) != 0)
		die("stress-ng ended with status %d: %s%s", (int)json_number(reply, "status", -1),
		    report, json_text(reply, "stderr", ""));
	return number_of(report, "bogo-ops-per-second-real-time");
}

static void take_turn(size_t side, double rates[ARRAY_SIZE(works)])
{
	arm(sides[side].interval_ns);
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		rates[i] = work(i);
	arm(0);
}

static void compare(size_t rounds)
{
	static double lost[ARRAY_SIZE(sides)][ARRAY_SIZE(works)][ROUNDS_MAX];
	double rates[ARRAY_SIZE(sides)][ARRAY_SIZE(works)];

	/* The first turn reads files, and the kernel still has work left from the boot. */
	take_turn(0, rates[0]);
	for (size_t round = 0; round < rounds; round++) {
		/* The first side alternates between rounds. */
		for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
			size_t side = round % 2 ? ARRAY_SIZE(sides) - 1 - i : i;

			take_turn(side, rates[side]);
		}
		printf("round %zu:", round + 1);
		for (size_t side = 1; side < ARRAY_SIZE(sides); side++)
			for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
				lost[side][i][round] = 100 * (1 - rates[side][i] / rates[0][i]);
				printf(" %s, %s %.3f %%;", sides[side].what, works[i].stressor,
				       lost[side][i][round]);
			}
		printf("\n");
	}
	for (size_t side = 1; side < ARRAY_SIZE(sides); side++)
		for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
			__cleanup_free char *what =
				format_text("bogo operations of %s lost to %s", works[i].stressor,
					    sides[side].what);

			figures_print_mean(what, lost[side][i], rounds, " %");
		}
}

int main(int argc, char **argv)
{
	int rounds = argc == 2 ? atoi(argv[1]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (rounds < 1 || rounds > ROUNDS_MAX)
		die("usage: idle ROUNDS");
	start_guest();
	compare((size_t)rounds);
	return 0;
}
