// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: host boot BARE-INITRAMFS ROUNDS | host plugin WORK-INITRAMFS ROUNDS
 *
 * boot: power-on of a rig host to its agent's hello, against the same machine with the same kernel to the first line of a
 * shell, with and without the rig's plugin, turn by turn in one run. plugin: the emulator's processor time for a command of the
 * guest that only computes, with the plugin loaded and idle, against the same machine without it.
 *
 * The machine that is compared with is that of the rig: the command line is read from the QEMU that the rig started, and
 * only the root file system, the sockets' directory and, where it is said, the plugin are other ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/bench/bench.h"
#include "harness/rig/firmware/firmware.h"
#include "harness/rig/image/image.h"
#include "harness/rig/host/supervisor.h"
#include "harness/rig/host/qemu.h"

#define ROUNDS_MAX 99
#define ARGUMENTS_MAX 128
#define HOST_TIMEOUT_MS 60000

/* What the init of the bare root file systems prints (run.sh). */
#define LINE_SHELL "bench: shell"
#define LINE_BEGIN "bench: begin"
#define LINE_END "bench: end"

/* The rig's QEMU: its arguments, and the files that it inherits under these numbers. */
struct machine {
	char *arguments[ARGUMENTS_MAX];
	size_t count;
	unsigned int memory_mib;
	unsigned int processors;
	int kernel, kernel_number, initramfs_number, ram_number, disk_number;
};

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static double print_spread(const char *what, double *values, int count, const char *unit)
{
	qsort(values, (size_t)count, sizeof(double), compare);
	printf("%s: median %.2f%s (min %.2f, max %.2f, %d rounds)\n", what, values[count / 2], unit,
	       values[0], values[count - 1], count);
	return values[count / 2];
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("host: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static int inherited_number(const char *text)
{
	const char *place = strstr(text, "/proc/self/fd/");

	if (!place)
		die("QEMU's argument '%s' names no inherited file", text);
	return atoi(place + strlen("/proc/self/fd/"));
}

static const char *argument_after(const struct machine *machine, const char *option)
{
	for (size_t i = 0; i + 1 < machine->count; i++)
		if (strcmp(machine->arguments[i], option) == 0)
			return machine->arguments[i + 1];
	die("QEMU was started without %s", option);
}

static const char *argument_with(const struct machine *machine, const char *part)
{
	for (size_t i = 0; i < machine->count; i++)
		if (strstr(machine->arguments[i], part))
			return machine->arguments[i];
	die("QEMU was started without %s", part);
}

static void read_machine(struct machine *machine, pid_t qemu)
{
	__cleanup_free char *path = format_text("/proc/%d/cmdline", (int)qemu);
	__cleanup_free char *kernel = NULL;
	__cleanup_free char *text = NULL;
	size_t length = 0;

	if (read_small_file(path, &text, &length))
		die("cannot read %s", path);
	for (char *at = text; at < text + length; at += strlen(at) + 1) {
		if (machine->count == ARGUMENTS_MAX)
			die("QEMU has more than %d arguments", ARGUMENTS_MAX);
		machine->arguments[machine->count++] = strdup(at);
	}
	machine->memory_mib = (unsigned int)atoi(argument_after(machine, "-m"));
	machine->processors = (unsigned int)atoi(argument_after(machine, "-smp"));
	machine->kernel_number = inherited_number(argument_after(machine, "-kernel"));
	machine->initramfs_number = inherited_number(argument_after(machine, "-initrd"));
	machine->ram_number = inherited_number(argument_with(machine, "mem-path="));
	machine->disk_number = inherited_number(argument_with(machine, "node-name=scratch"));
	kernel = format_text("/proc/%d/fd/%d", (int)qemu, machine->kernel_number);
	machine->kernel = open(kernel, O_RDONLY | O_CLOEXEC);
	if (machine->kernel < 0)
		die("open %s: %s", kernel, strerror(errno));
}

static void ignore_event(void *context, json_t *event)
{
	(void)context;
	json_decref(event);
}

/* Seconds from power-on to the agent's answer to the hello. The first boot also returns the command line of the machine. */
static double boot_rig(struct machine *machine, char **rig_directory)
{
	__cleanup_json json_t *status = NULL;
	struct reason why = {0};
	struct bench *bench;
	int64_t hello, powered;

	if (bench_open("intel", &(struct bench_options){.deadline_s = 120, .event = ignore_event},
		       &bench, &why) ||
	    bench_boot(bench, &why))
		die("the rig: %s", why.text);
	hello = now_realtime_ns();
	if (rig_call(bench->private, "status", NULL, 5000, &status, &why))
		die("the rig's supervisor: %s", why.text);
	powered = json_number(status, "powered_ns", 0);
	if (!machine->count) {
		read_machine(machine, (pid_t)json_number(status, "pid", 0));
		*rig_directory = strdup(json_text(status, "directory", ""));
	}
	bench_close(bench);
	return (double)(hello - powered) / 1e9;
}

static char *with_directory(const char *text, const char *from, const char *to)
{
	const char *place = strstr(text, from);
	__cleanup_free char *rest = NULL;

	if (!place)
		return strdup(text);
	rest = with_directory(place + strlen(from), from, to);
	return format_text("%.*s%s%s", (int)(place - text), text, to, rest);
}

__attribute__((noreturn)) static void become_qemu(const struct machine *machine, char **argv,
						  int initramfs, int ram, int disk, int output)
{
	const int from[] = {machine->kernel, initramfs, ram, disk};
	const int to[] = {machine->kernel_number, machine->initramfs_number, machine->ram_number,
			  machine->disk_number};
	int moved[ARRAY_SIZE(from)];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way first: one of them may have the number that another one is to get. */
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		moved[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 512);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		dup2(moved[i], to[i]);
	execv(argv[0], argv);
	_exit(127);
}

/* Reads the console until a line has @wanted. Return: when, CLOCK_REALTIME. */
static int64_t await_line(FILE *console, const char *wanted)
{
	char line[1024], last[8][sizeof(line)] = {0};
	size_t count = 0;

	while (fgets(line, sizeof(line), console)) {
		if (strstr(line, wanted))
			return now_realtime_ns();
		strcpy(last[count++ % ARRAY_SIZE(last)], line);
	}
	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		fputs(last[(count + i) % ARRAY_SIZE(last)], stderr);
	die("the host ended before '%s'; the end of its console is above", wanted);
}

static void on_alarm(int signal)
{
	static const char text[] = "host: the emulated host did not say what it should in time\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* Processor time that a child has used so far, in nanoseconds: unlike time it does not grow when the machine is busy. */
static int64_t processor_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		die("the emulator is gone");
	return used.tv_sec * NSEC_PER_SEC + used.tv_nsec;
}

/*
 * The machine with another root file system. Return: seconds from power-on to @begin, or, if there is an @end, the
 * processor time of the emulator from @begin to @end.
 */
static double boot_bare(const struct machine *machine, const char *rig_directory,
			const char *initramfs_path, bool plugin, const char *begin, const char *end)
{
	char directory[] = "/tmp/brinell-bench.XXXXXX";
	char *argv[ARGUMENTS_MAX + 1] = {0};
	__cleanup_close int initramfs = open(initramfs_path, O_RDONLY | O_CLOEXEC);
	__cleanup_close int ram = memfd_create("brinell-ram", MFD_CLOEXEC);
	__cleanup_close int disk = memfd_create("brinell-disk", MFD_CLOEXEC);
	__cleanup_free char *ram_path = format_text("/proc/self/fd/%d", ram);
	__cleanup_free char *doorbell = NULL;
	__cleanup_free char *poison = NULL;
	struct firmware *firmware;
	int64_t powered, taken;
	size_t count = 0;
	FILE *console;
	int output[2];
	pid_t qemu;

	if (initramfs < 0 || ram < 0 || ftruncate(ram, (off_t)machine->memory_mib << 20) < 0 ||
	    disk < 0 || ftruncate(disk, QEMU_DISK_SIZE) < 0 || !mkdtemp(directory) ||
	    pipe2(output, O_CLOEXEC) < 0)
		die("cannot make the bare machine: %s", strerror(errno));
	doorbell = format_text("%s/doorbell", directory);
	poison = format_text("%s/poison", directory);

	struct firmware_config config = {
		.ram_path = ram_path,
		.ram_size = (size_t)machine->memory_mib << 20,
		.region = qemu_firmware_region(machine->memory_mib),
		.region_size = QEMU_FIRMWARE_REGION_SIZE,
		.processors = machine->processors,
		.einj_revision = 1,
		.doorbell_path = doorbell,
		.poison_path = poison,
	};

	if (firmware_write_tables(&config, directory) ||
	    firmware_open(&config, ignore_event, NULL, &firmware))
		die("the firmware model does not start in %s", directory);
	for (size_t i = 0; i < machine->count; i++) {
		if (!plugin && strcmp(machine->arguments[i], "-plugin") == 0)
			i++;
		else
			argv[count++] =
				with_directory(machine->arguments[i], rig_directory, directory);
	}
	powered = now_realtime_ns();
	qemu = fork();
	if (qemu < 0)
		die("fork: %s", strerror(errno));
	if (qemu == 0)
		become_qemu(machine, argv, initramfs, ram, disk, output[1]);
	close(output[1]);
	console = fdopen(output[0], "r");
	alarm(HOST_TIMEOUT_MS / 1000);
	taken = await_line(console, begin) - powered;
	if (end) {
		taken = -processor_ns(qemu);
		(void)await_line(console, end);
		taken += processor_ns(qemu);
	}
	alarm(0);
	kill(qemu, SIGKILL);
	waitpid(qemu, NULL, 0);
	fclose(console);
	firmware_close(firmware);
	image_remove_tree(directory, NULL);
	for (size_t i = 0; i < count; i++)
		free(argv[i]);
	return (double)taken / 1e9;
}

static void compare_boots(const char *initramfs, int rounds)
{
	double rig[ROUNDS_MAX], bare[ROUNDS_MAX], plain[ROUNDS_MAX], ratio[ROUNDS_MAX];
	double plain_ratio[ROUNDS_MAX];
	struct machine machine = {0};
	char *directory = NULL;

	(void)boot_rig(&machine, &directory);
	for (int i = 0; i < rounds; i++) {
		rig[i] = boot_rig(&machine, &directory);
		bare[i] = boot_bare(&machine, directory, initramfs, true, LINE_SHELL, NULL);
		plain[i] = boot_bare(&machine, directory, initramfs, false, LINE_SHELL, NULL);
		ratio[i] = rig[i] / bare[i];
		plain_ratio[i] = rig[i] / plain[i];
		printf("round %d: hello %.2f s, bare shell %.2f s, bare shell without plugin %.2f "
		       "s\n",
		       i + 1, rig[i], bare[i], plain[i]);
	}
	print_spread("power-on to hello", rig, rounds, " s");
	print_spread("power-on to a bare shell", bare, rounds, " s");
	print_spread("power-on to a bare shell, no plugin", plain, rounds, " s");
	print_spread("hello / bare shell", ratio, rounds, "");
	print_spread("hello / bare shell without plugin", plain_ratio, rounds, "");
}

static void compare_plugin(const char *initramfs, int rounds)
{
	double with[ROUNDS_MAX], without[ROUNDS_MAX], ratio[ROUNDS_MAX];
	struct machine machine = {0};
	char *directory = NULL;

	(void)boot_rig(&machine, &directory);
	for (int i = 0; i < rounds; i++) {
		/* The first side alternates between rounds. */
		if (i % 2)
			with[i] = boot_bare(&machine, directory, initramfs, true, LINE_BEGIN,
					    LINE_END);
		without[i] = boot_bare(&machine, directory, initramfs, false, LINE_BEGIN, LINE_END);
		if (i % 2 == 0)
			with[i] = boot_bare(&machine, directory, initramfs, true, LINE_BEGIN,
					    LINE_END);
		ratio[i] = with[i] / without[i];
		printf("round %d: %.2f s with the plugin, %.2f s without\n", i + 1, with[i],
		       without[i]);
	}
	print_spread("processor time with the idle plugin", with, rounds, " s");
	print_spread("processor time without the plugin", without, rounds, " s");
	print_spread("with / without", ratio, rounds, "");
}

int main(int argc, char **argv)
{
	int rounds;

	/* The rig starts its supervisor as this very program. */
	if (argc == 4 && strcmp(argv[1], "rig") == 0 && strcmp(argv[2], "keep") == 0)
		return supervisor_main(atoi(argv[3]));
	rounds = argc == 4 ? atoi(argv[3]) : 0;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		die("usage: host boot|plugin INITRAMFS ROUNDS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	if (strcmp(argv[1], "boot") == 0)
		compare_boots(argv[2], rounds);
	else
		compare_plugin(argv[2], rounds);
	return 0;
}
