// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor Xen, through the libraries of its toolstack. Each job has a session of its own. Operations that fork run in
 * processes of their own (child.c), because libxl reaps the children of the whole process.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xentoollog.h>

#include "harness/hypervisor/xen/xen.h"

#define LAST_LINE_BYTES 400

/**
 * xen_session_open - open libxl and libxenctrl
 * @log: descriptor of a file for their messages; -1: a new one. Owned by the session
 *
 * Return: NULL with a reason.
 */
struct xen_session *xen_session_open(int log, struct reason *why)
{
	struct xen_session *session = xzalloc(sizeof(*session));

	if (log < 0)
		log = memfd_create("brinell-xen-log", MFD_CLOEXEC);
	session->log = fdopen(log, "r+e");
	if (session->log)
		session->logger = (xentoollog_logger *)xtl_createlogger_stdiostream(
			session->log, XTL_ERROR, XTL_STDIOSTREAM_HIDE_PROGRESS);
	if (session->logger) {
		session->control = xc_interface_open(session->logger, session->logger, 0);
		(void)libxl_ctx_alloc(&session->libxl, LIBXL_VERSION, 0, session->logger);
	}
	if (session->control && session->libxl)
		return session;
	(void)xen_fail(session, why, -ENOTCONN,
		       "open the toolstack of Xen: does this machine run under Xen, is xenstored "
		       "running, and is Xen of the version of these libraries?");
	xen_session_close(session);
	return NULL;
}

/** xen_session_close - close a session; NULL is allowed */
void xen_session_close(void *pointer)
{
	struct xen_session *session = pointer;

	if (!session)
		return;
	if (session->libxl)
		libxl_ctx_free(session->libxl);
	if (session->control)
		xc_interface_close(session->control);
	if (session->logger)
		xtl_logger_destroy(session->logger);
	if (session->log)
		fclose(session->log);
	free(session);
}

/* Read the last message of the libraries, without its newline. */
static void read_last_line(FILE *log, char line[static LAST_LINE_BYTES])
{
	char text[LAST_LINE_BYTES];

	line[0] = '\0';
	if (!log)
		return;
	fflush(log);
	rewind(log);
	while (fgets(text, sizeof(text), log)) {
		text[strcspn(text, "\n")] = '\0';
		if (*text)
			snprintf(line, LAST_LINE_BYTES, "%s", text);
	}
}

/** xen_fail - fill a reason from the last message of the libraries. Return: @error */
int xen_fail(const struct xen_session *session, struct reason *why, int error, const char *format,
	     ...)
{
	char tried[512], message[LAST_LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(tried, sizeof(tried), format, arguments);
	va_end(arguments);
	read_last_line(session->log, message);
	return fail(why, error, "%s%s%s", tried, *message ? ": " : "", message);
}

/** xen_domain_info - read the state of a domain; all versions of libxenctrl have this call. Return: 0, or -ESRCH */
int xen_domain_info(xc_interface *control, uint32_t domain, xc_domaininfo_t *info)
{
	return xc_domain_getinfolist(control, domain, 1, info) == 1 && info->domain == domain
		       ? 0
		       : -ESRCH;
}

/** xen_find - find a domain by its name and a suffix. Return: its number; XEN_NO_DOMAIN: there is none */
uint32_t xen_find(const struct xen_session *session, const char *domain, const char *suffix)
{
	__cleanup_free char *name = format_text("%s%s", domain, suffix);
	uint32_t number;

	return libxl_name_to_domid(session->libxl, name, &number) ? XEN_NO_DOMAIN : number;
}

static void *open_session(struct reason *why)
{
	return xen_session_open(-1, why);
}

static int prepare(struct reason *why)
{
	int error = xen_watch_start(why);

	if (!error)
		xen_sweep();
	return error;
}

static int find_process(const char *domain, const char *uuid, pid_t *pid, struct reason *why)
{
	(void)uuid;
	(void)pid;
	return fail(why, -ESRCH, "the domain '%s' has no process: its processors are Xen's",
		    domain);
}

static const char *const machines[] = {"pvh", "hvm", NULL};

REGISTERED(hypervisor, xen) = {
	.name = "xen",
	.unikernel = "brinell-guest-xen",
	.machines = machines,
	.log = "/var/log/xen/qemu-dm-",
	.single_console = true,
	.local = true,
	.stream = true,
	.prepare = prepare,
	.open = open_session,
	.close = xen_session_close,
	.plan = xen_plan,
	.start = xen_start,
	.find = xen_find_domain,
	.describe = xen_describe,
	.claim = xen_claim,
	.state = xen_state,
	.stop = xen_stop,
	.balloon = xen_unsupported,
	.command = xen_unsupported,
	.address = xen_unsupported,
	.receive = xen_receive,
	.migrate = xen_migrate,
	.control = xen_control,
	.process = find_process,
};
