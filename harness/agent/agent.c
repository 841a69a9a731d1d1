// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent of a host: runs on the host under test, serves calls of the controller, and sends the events of its witnesses and
 * workloads see.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "harness/agent/agent.h"
#include "harness/agent/core.h"
#include "harness/host/change.h"
#include "harness/host/machine.h"

/**
 * agent_serve - serve one controller until it goes away
 * @channel: to it; owned by the caller
 *
 * When the controller is gone the agent ends its workloads and restores what an injector had set.
 *
 * Return: -EPIPE at the end of the stream, -ECANCELED when a signal requested its end, or another -errno.
 */
int agent_serve(struct channel *channel)
{
	struct agent *agent = agent_new(AGENT_HOST);
	int error = 0;

	agent_attach(agent, channel);
	while (!error)
		error = agent_turn(agent, -1);
	agent_free(agent);
	return error;
}

const char agent_usage[] =
	"usage: brinell agent [--port DEVICE]\n"
	"\n"
	"The host side: serves a controller on standard input and output, one JSON object a line.\n"
	"It is started by the controller, by ssh, or at boot of a rig host.\n"
	"\n"
	"  --port DEVICE   serve on a serial port (such as /dev/virtio-ports/brinell.agent) "
	"instead\n";

static int open_port(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios line;

	if (fd < 0)
		log_error("agent: open %s: %s", path, strerror(errno));
	/* On a serial line the other end can not be detected. */
	if (fd >= 0 && tcgetattr(fd, &line) == 0) {
		cfmakeraw(&line);
		cfsetspeed(&line, B115200);
		line.c_cflag |= CLOCAL | CREAD;
		(void)tcsetattr(fd, TCSANOW, &line);
	}
	return fd;
}

/*
 * Return: false when the end of the agent was requested.
 *
 * A virtio serial port hangs up while no peer is connected outside; the driver reports a change by SIGIO
 * (drivers/char/virtio_console.c, send_sigio_to_port()). The bound is for ports of other drivers, which do not.
 */
static bool wait_for_controller(int fd)
{
	struct timespec bound = {.tv_sec = 1};
	sigset_t signals;

	sigemptyset(&signals);
	agent_ending_signals(&signals);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
	for (;;) {
		struct pollfd state = {.fd = fd, .events = POLLOUT};

		int signal;

		if (poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP))
			return true;
		signal = sigtimedwait(&signals, NULL, &bound);
		if (signal > 0 && signal != SIGIO)
			return false;
	}
}

/* A host that boots with its agent serves one controller after the other for as long as it is up. */
static int serve_port(const char *path)
{
	for (;;) {
		struct channel *channel;
		int fd = open_port(path), error;

		if (fd < 0)
			return EXIT_INFRA;
		if (!wait_for_controller(fd)) {
			close(fd);
			return EXIT_PASSED;
		}
		/* Before the hello: it has the boot_id, which the kernel may make only then. */
		machine_take_seed();
		channel = channel_new(fd, fd);
		/* What an agent before this one left unfinished on the port ends here. */
		(void)write_all(fd, "\n", 1);
		error = agent_serve(channel);
		channel_free(channel);
		if (error == -ECANCELED)
			return EXIT_PASSED;
	}
}

/**
 * agent_main - `brinell agent`
 *
 * Return: an enum brinell_exit.
 */
int agent_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *port = NULL;
	struct channel *channel;
	int option, error;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(agent_usage, stdout);
			return EXIT_PASSED;
		}
		if (option != 'p')
			return EXIT_USAGE;
		port = optarg;
	}
	if (optind != argc) {
		log_error("agent: unexpected '%s'; see brinell agent --help", argv[optind]);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	agent_catch_signals();
	change_recover();
	if (port)
		return serve_port(port);
	channel = channel_new(dup(STDIN_FILENO), dup(STDOUT_FILENO));
	error = agent_serve(channel);
	channel_free(channel);
	return error == -EPIPE || error == -ECANCELED ? EXIT_PASSED : EXIT_INFRA;
}
