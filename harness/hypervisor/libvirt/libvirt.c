// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor libvirt. All jobs share one connection; after the end of the daemon the next job opens a new one.
 */
#include <errno.h>
#include <pthread.h>
#include <libvirt/virterror.h>

#include "harness/hypervisor/libvirt/libvirt.h"

#define URI "qemu:///system"
#define KEEPALIVE_S 5
#define KEEPALIVE_COUNT 3

/* Held while a connection is opened, which may block without a bound. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static virConnectPtr current;

/**
 * virt_fail - fill a reason from libvirt's last error of this thread
 * @format: what failed
 *
 * Return: -errno.
 */
int virt_fail(struct reason *why, const char *format, ...)
{
	virErrorPtr last = virGetLastError();
	char tried[256];
	va_list arguments;
	int error = -EIO;

	va_start(arguments, format);
	vsnprintf(tried, sizeof(tried), format, arguments);
	va_end(arguments);
	if (!last)
		return fail(why, -EIO, "%s: libvirt gives no reason", tried);
	switch (last->code) {
	case VIR_ERR_NO_DOMAIN:
		error = -ENOENT;
		break;
	case VIR_ERR_OPERATION_INVALID:
	case VIR_ERR_INVALID_ARG:
	case VIR_ERR_XML_ERROR:
	case VIR_ERR_XML_DETAIL:
		error = -EINVAL;
		break;
	case VIR_ERR_DOM_EXIST:
		error = -EEXIST;
		break;
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_ACCESS_DENIED:
		error = -EACCES;
		break;
	case VIR_ERR_OPERATION_TIMEOUT:
	case VIR_ERR_AGENT_UNRESPONSIVE:
		error = -ETIMEDOUT;
		break;
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_NO_SUPPORT:
		error = -EOPNOTSUPP;
		break;
	default:
		break;
	}
	/* The daemon has ended or does not run: the call may work when it runs again. */
	if (last->domain == VIR_FROM_RPC || last->code == VIR_ERR_NO_CONNECT)
		return fail(why, -ENOTCONN,
			    "%s: no connection to libvirt at " URI
			    ": %.400s; is libvirtd (or virtqemud) running?",
			    tried, last->message);
	return fail(why, error, "%s: %.600s", tried, last->message);
}

/* Return: the connection with a reference for the caller, or NULL. */
static void *open_session(struct reason *why)
{
	virConnectPtr connection;

	pthread_mutex_lock(&opening);
	connection = current;
	if (connection && virConnectIsAlive(connection) != 1) {
		virt_unwatch_events(connection);
		virConnectClose(connection);
		current = connection = NULL;
	}
	if (!connection) {
		connection = current = virConnectOpen(URI);
		if (connection) {
			virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_COUNT);
			virt_watch_events(connection);
			hypervisor_event(json_pack("{s:s}", "event", "connected"));
		} else {
			(void)virt_fail(why, "connect to libvirt");
		}
	}
	if (connection)
		virConnectRef(connection);
	pthread_mutex_unlock(&opening);
	return connection;
}

static void *run_events(void *context)
{
	while (virEventRunDefaultImpl() >= 0)
		;
	log_error("libvirt: its event loop failed: %s; no more events", virGetLastErrorMessage());
	return NULL;
}

/* Without a handler libvirt prints its errors. */
static void ignore_error(void *context, virErrorPtr error)
{
}

static int prepare(struct reason *why)
{
	int error;

	virSetErrorFunc(NULL, ignore_error);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return virt_fail(why, "start libvirt's client library");
	error = hypervisor_thread(run_events, NULL);
	return error ? fail_errno(why, error, "start the thread of libvirt's events") : 0;
}

static void close_session(void *connection)
{
	virConnectClose(connection);
}

REGISTERED(hypervisor, libvirt) = {
	.name = "libvirt",
	.vsock = true,
	.qemu = true,
	.prepare = prepare,
	.open = open_session,
	.close = close_session,
	.plan = domain_make_xml,
	.start = virt_make,
	.find = virt_find,
	.describe = virt_describe,
	.claim = virt_claim,
	.state = virt_state,
	.stop = virt_destroy,
	.balloon = virt_balloon,
	.command = virt_command,
	.address = virt_address,
	.migrate = virt_migrate,
	.control = virt_control,
	.process = qemu_find,
	.log = DOMAIN_LOG_BEGIN,
};
