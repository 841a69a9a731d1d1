// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way to Xen: whether this is its first domain, and whether it takes the calls of this library.
 */
#include <errno.h>
#include <string.h>

#include "harness/host/machine.h"
#include "inject/xen/xen.h"

/**
 * xen_open - open a handle of libxenctrl that does not log by itself
 *
 * Return: the handle, or NULL with a reason: this is not the first domain of Xen, or Xen refuses the library's version.
 */
xc_interface *xen_open(struct reason *why)
{
	static xentoollog_logger *quiet;
	xc_physinfo_t machine = {0};
	xc_interface *xen;
	int error;

	/* Without a logger, libxenctrl writes to standard error; this one is for errors that end the program. */
	if (!quiet)
		quiet = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	xen = xc_interface_open(quiet, quiet, 0);
	error = errno;
	if (!xen) {
		fail(why, -error, "this is not the first domain of Xen (%s)", strerror(error));
		return NULL;
	}
	/* Its first privileged call: Xen compares XEN_SYSCTL_INTERFACE_VERSION. */
	if (xc_physinfo(xen, &machine) < 0) {
		error = errno;
		fail(why, -error,
		     error == EACCES ? "Xen %d.%d refuses libxenctrl, which is of another "
				       "version: use an agent that is built with its libraries"
				     : "Xen %d.%d refuses the calls of a first domain",
		     xc_version(xen, XENVER_version, NULL) >> 16,
		     xc_version(xen, XENVER_version, NULL) & 0xffff);
		xc_interface_close(xen);
		return NULL;
	}
	return xen;
}

/** xen_probe - add a finding that requires only Xen */
void xen_probe(json_t *findings, const char *name)
{
	struct reason why = {""};
	xc_interface *xen = xen_open(&why);

	finding_add(findings, name, xen != NULL, why.text, XEN_CONTROL_REMEDY);
	if (xen)
		xc_interface_close(xen);
}
