// SPDX-License-Identifier: GPL-2.0-only
/*
 * brinell-guest: the agent inside a guest. Its stream may break at any time (a migration, a host agent that ends): its
 * workloads, witnesses and heartbeat continue, their events are queued, and it connects again.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>

#include "harness/agent/core.h"
#include "harness/lib/param.h"
#include "harness/guestd/guestd.h"

#define REDIAL_FIRST_MS 20
#define REDIAL_MOST_MS 1000
/* A stream that lived so long has earned a quick redial. */
#define STREAM_PROVEN_NS NSEC_PER_SEC
/* How long the answer to poweroff may take to leave the machine: the host closes the stream when it has it. */
#define FAREWELL_MS 300

static const char usage[] =
	"usage: brinell-guest [--port N] [--cid N] [--serial DEVICE] [--socket PATH]\n"
	"\n"
	"The guest side: dials its host, serves it, and dials again when the stream breaks.\n"
	"As process 1 it also mounts /proc, /sys and /dev and loads the modules listed in "
	"/modules.\n"
	"\n"
	"  --port N         vsock port of the host (default: brinell.port=N of the kernel command\n"
	"                   line, or 25202)\n"
	"  --cid N          vsock CID to dial (default: 2, the host; 0: no vsock)\n"
	"  --serial DEVICE  virtio serial port, or console, to fall back to (default: the port "
	"that is\n"
	"                   named brinell.guest)\n"
	"  --socket PATH    dial this Unix socket instead\n";

static unsigned int configured_port(void)
{
	__cleanup_free char *command_line = NULL;
	char path[4096];

	(void)read_small_file(system_path(path, "/proc/cmdline"), &command_line, NULL);
	return guest_port_of(command_line);
}

static int take_number(const char *option, const char *text, unsigned int *number)
{
	uint64_t value;

	if (parse_number(text, &value) || value > UINT32_MAX) {
		log_error("brinell-guest: --%s %s: it must be a number below 2^32", option, text);
		return -EINVAL;
	}
	*number = (unsigned int)value;
	return 0;
}

/* Return: 0, 1 when help was wanted, or -EINVAL. */
static int take_options(int argc, char **argv, struct guest_address *address)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},	  {"cid", required_argument, NULL, 'c'},
		{"serial", required_argument, NULL, 's'}, {"socket", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},	  {0}};
	int option, error = 0;

	*address = (struct guest_address){.cid = 2, .port = configured_port()};
	while (!error && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			error = take_number("port", optarg, &address->port);
			break;
		case 'c':
			error = take_number("cid", optarg, &address->cid);
			break;
		case 's':
			address->serial = optarg;
			break;
		case 'u':
			address->socket = optarg;
			break;
		case 'h':
			return 1;
		default:
			error = -EINVAL;
		}
	}
	/* The kernel passes unknown words of its command line to the first process: ignore them. */
	if (!error && optind != argc && !guest_is_micro()) {
		log_error("brinell-guest: unexpected '%s'; see brinell-guest --help", argv[optind]);
		error = -EINVAL;
	}
	return error;
}

/* Serves one stream to its end. Return: why it ended. */
static int serve_stream(struct agent *agent, int fd)
{
	struct channel *channel = channel_new(fd, fd);
	int error = 0;

	agent_attach(agent, channel);
	while (!error && !guest_power_requested())
		error = agent_turn(agent, -1);
	if (guest_power_requested()) {
		struct pollfd end = {.fd = fd, .events = POLLRDHUP};

		(void)poll(&end, 1, FAREWELL_MS);
		guest_power_off();
	}
	agent_detach(agent);
	channel_free(channel);
	return error;
}

/* The workloads and witnesses go on without a listener. */
static int serve_alone(struct agent *agent, int milliseconds)
{
	int64_t until = now_monotonic_ns() + milliseconds * NSEC_PER_MSEC;
	int64_t left;
	int error = 0;

	while (error != -ECANCELED && (left = until - now_monotonic_ns()) > 0)
		error = agent_turn(agent, (int)(left / NSEC_PER_MSEC) + 1);
	return error;
}

static int serve_until_told(const struct guest_address *address)
{
	struct agent *agent = agent_new(AGENT_GUEST);
	int pause = REDIAL_FIRST_MS, reported = 0, error = 0;

	while (error != -ECANCELED) {
		struct reason why = {0};
		int fd = guest_dial(address, &why);
		int64_t since = now_monotonic_ns();

		if (fd >= 0) {
			error = serve_stream(agent, fd);
			reported = 0;
			if (now_monotonic_ns() - since > STREAM_PROVEN_NS)
				pause = REDIAL_FIRST_MS;
		} else if (fd != reported) {
			/* A change of the reason is worth a line, each attempt is not. */
			log_warning("brinell-guest: %s", why.text);
			reported = fd;
		}
		if (error != -ECANCELED)
			error = serve_alone(agent, pause);
		pause = pause * 2 < REDIAL_MOST_MS ? pause * 2 : REDIAL_MOST_MS;
	}
	agent_free(agent);
	return EXIT_PASSED;
}

/**
 * guest_main - the program
 *
 * Return: an enum brinell_exit; without a mistake in its usage only when a signal ends it.
 */
int guest_main(int argc, char **argv)
{
	struct guest_address address;
	int wanted;

	if (getpid() == 1)
		guest_init(argc, argv);
	wanted = take_options(argc, argv, &address);
	if (wanted) {
		fputs(usage, wanted > 0 ? stdout : stderr);
		return wanted > 0 ? EXIT_PASSED : EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	agent_catch_signals();
	return serve_until_told(&address);
}
