// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains of Xen: creation, look-up, description and end. Domains of brinell are PVH guests without devices, or HVM guests. Their
 * owner is recorded in the guest's directory (domain_claim()).
 */
#include <errno.h>
#include <string.h>
#include <xenstore.h>

#include "harness/hypervisor/xen/xen.h"

/** xen_unsupported - a job: fail an operation that this hypervisor does not have */
int xen_unsupported(void *session, struct hypervisor_job *job)
{
	(void)session;
	return fail(&job->why, -EOPNOTSUPP,
		    "guest '%s': domains of Xen have no process, no monitor and no balloon here",
		    job->guest);
}

/** xen_is_ours - whether brinell created the domain of a job */
bool xen_is_ours(const struct hypervisor_job *job)
{
	return strncmp(job->domain, DOMAIN_PREFIX, strlen(DOMAIN_PREFIX)) == 0;
}

/** xen_plan - serialize a plan for xen_start(). Return: owned by the caller */
char *xen_plan(const struct domain_plan *plan)
{
	__cleanup_json json_t *description =
		json_pack("{s:s+, s:s, s:s, s:s, s:s*, s:s, s:I, s:I}", "name", DOMAIN_PREFIX,
			  plan->guest, "uuid", plan->uuid, "machine", plan->machine, "kernel",
			  plan->kernel, "initramfs", plan->initramfs, "arguments", plan->arguments,
			  "memory_mib", (json_int_t)plan->memory_mib, "processors",
			  (json_int_t)plan->processors);

	return json_dumps(description, JSON_COMPACT);
}

/** xen_store_read - read a key of xenstore below the directory of a domain. Return: owned by the caller; NULL: there is none */
char *xen_store_read(uint32_t domain, const char *name)
{
	__cleanup_free char *path = format_text("/local/domain/%u/%s", domain, name);
	struct xs_handle *store = xs_open(0);
	char *text = NULL;

	if (store) {
		text = xs_read(store, XBT_NULL, path, NULL);
		xs_close(store);
	}
	return text;
}

/* A PC without disks and network, and without a viewer of its display. */
static void take_devices(libxl_domain_build_info *info)
{
	libxl_defbool_set(&info->u.hvm.nographic, true);
	libxl_defbool_set(&info->u.hvm.vnc.enable, false);
	libxl_defbool_set(&info->u.hvm.xen_platform_pci, false);
	info->u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_STD;
}

/*
 * The stream of a Linux guest has the console hvc0 for itself. The kernel's own messages are in Xen's log, a ring of 16 KiB: only warnings
 * of the boot, and later all, as with other micro guests. Its console is a display, which it does not have. Linux reads registers of
 * Intel's processors that Xen has only for VMX.
 */
static char *take_linux(libxl_domain_build_info *info, const char *initramfs, const char *arguments)
{
	info->ramdisk = xstrdup(initramfs);
	libxl_defbool_set(&info->arch_x86.msr_relaxed, true);
	info->tsc_mode = LIBXL_TSC_MODE_NATIVE;
	return format_text(
		"earlyprintk=xen,keep console=tty0 loglevel=4 %s -- --cid 0 --serial /dev/hvc0",
		arguments);
}

static void take_processors(libxl_ctx *libxl, libxl_domain_build_info *info, int count)
{
	info->max_vcpus = count;
	(void)libxl_cpu_bitmap_alloc(libxl, &info->avail_vcpus, count);
	for (int i = 0; i < count; i++)
		libxl_bitmap_set(&info->avail_vcpus, i);
}

static int create(struct xen_session *session, const void *context, int fd)
{
	const json_t *description = context;
	const char *arguments = json_text(description, "arguments", "");
	const char *initramfs = json_text(description, "initramfs", NULL);
	bool devices = json_is(description, "machine", "hvm");
	libxl_domain_type type = devices ? LIBXL_DOMAIN_TYPE_HVM : LIBXL_DOMAIN_TYPE_PVH;
	libxl_domain_config config;
	uint32_t domain = XEN_NO_DOMAIN;
	int error;

	(void)fd;
	libxl_domain_config_init(&config);
	config.c_info.type = type;
	config.c_info.name = xstrdup(json_text(description, "name", ""));
	libxl_uuid_from_string(&config.c_info.uuid, json_text(description, "uuid", ""));
	libxl_domain_build_info_init_type(&config.b_info, type);
	if (devices)
		take_devices(&config.b_info);
	take_processors(session->libxl, &config.b_info,
			(int)json_number(description, "processors", 1));
	config.b_info.max_memkb = config.b_info.target_memkb =
		(uint64_t)json_number(description, "memory_mib", 0) << 10;
	config.b_info.kernel = xstrdup(json_text(description, "kernel", ""));
	config.b_info.cmdline =
		initramfs ? take_linux(&config.b_info, initramfs, arguments)
			  : format_text("brinell.boot=%s %s", json_text(description, "uuid", ""),
					arguments);
	error = libxl_domain_create_new(session->libxl, &config, &domain, NULL, NULL);
	libxl_domain_config_dispose(&config);
	return error;
}

static int destroy(struct xen_session *session, const void *context, int fd)
{
	(void)fd;
	return libxl_domain_destroy(session->libxl, *(const uint32_t *)context, NULL);
}

/** xen_destroy - destroy a domain in any state. Return: 0, also if there is none, or -errno */
int xen_destroy(struct xen_session *session, uint32_t domain, struct reason *why)
{
	xc_domaininfo_t info;
	struct xen_child child;
	int error;

	if (xen_domain_info(session->control, domain, &info))
		return 0;
	error = xen_child_start(&child, destroy, &domain, -1, why);
	return error ?: xen_child_wait(&child, "destroy the domain", why);
}

/*
 * The version of Xen, and the same under the name of the kind of nested page tables, because defects concern one kind. The
 * indices are those of Xen's cpufeatureset.h: 1 is CPUID 1.ECX, 3 is CPUID 0x80000001.ECX.
 */
static json_t *software(struct xen_session *session)
{
	const libxl_version_info *version = libxl_get_version_info(session->libxl);
	json_t *text = json_sprintf("%d.%d%s", version->xen_version_major,
				    version->xen_version_minor, version->xen_version_extra);
	json_t *software = json_pack("{s:O}", "xen", text);
	libxl_physinfo machine;

	libxl_physinfo_init(&machine);
	if (libxl_get_physinfo(session->libxl, &machine) == 0 && machine.cap_hap) {
		if (machine.hw_cap[1] & 1u << 5)
			json_object_set(software, "xen-ept", text);
		else if (machine.hw_cap[3] & 1u << 2)
			json_object_set(software, "xen-npt", text);
	}
	libxl_physinfo_dispose(&machine);
	json_decref(text);
	return software;
}

static int describe(struct xen_session *session, uint32_t domain, struct hypervisor_job *job)
{
	__cleanup_free char *console = xen_store_read(domain, "console/tty");
	xc_domaininfo_t info;

	if (xen_domain_info(session->control, domain, &info))
		return xen_fail(session, &job->why, -ENOENT, "look up the domain of guest '%s'",
				job->guest);
	json_decref(job->reply);
	job->reply = json_pack("{s:s, s:b, s:o, s:s*}", "uuid", job->uuid, "running",
			       !(info.flags &
				 (XEN_DOMINF_shutdown | XEN_DOMINF_paused | XEN_DOMINF_dying)),
			       "software", software(session), "serial", console);
	return 0;
}

/** xen_start - a job: create and run the domain of a plan */
int xen_start(void *pointer, struct hypervisor_job *job)
{
	struct xen_session *session = pointer;
	__cleanup_json json_t *description = json_loads(job->text, 0, NULL);
	struct xen_child child;
	uint32_t domain;
	int error = domain_claim(job->guest);

	if (error)
		return fail_errno(&job->why, error, "record the owner of guest '%s'", job->guest);
	error = xen_unpack_linux(session, description, &job->why)
			?: xen_child_start(&child, create, description, -1, &job->why);
	if (!error)
		error = xen_child_wait(&child, "create the domain", &job->why);
	if (error)
		return error;
	domain = xen_find(session, job->domain, "");
	xen_watch_domain(job->uuid, domain, true);
	error = describe(session, domain, job);
	if (!error && json_object_get(description, "initramfs") &&
	    json_is(description, "machine", "pvh"))
		error = xen_fit_linux(session, domain, &job->why);
	if (!error && xc_domain_unpause(session->control, domain))
		error = xen_fail(session, &job->why, -EIO, "run the domain of guest '%s'",
				 job->guest);
	if (error)
		(void)xen_destroy(session, domain, NULL);
	return error;
}

/** xen_find_domain - a job: find a running domain of the user by its name */
int xen_find_domain(void *pointer, struct hypervisor_job *job)
{
	struct xen_session *session = pointer;
	uint32_t domain = xen_find(session, job->domain, "");
	libxl_dominfo info;

	if (domain == XEN_NO_DOMAIN)
		return fail(&job->why, -ENOENT, "there is no domain '%s': see 'xl list'",
			    job->domain);
	libxl_dominfo_init(&info);
	if (!libxl_domain_info(session->libxl, &info, domain))
		snprintf(job->uuid, sizeof(job->uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(info.uuid));
	libxl_dominfo_dispose(&info);
	xen_watch_domain(job->uuid, domain, false);
	return describe(session, domain, job);
}

/** xen_describe - a job: describe a domain, by its name; during a migration the running one */
int xen_describe(void *pointer, struct hypervisor_job *job)
{
	struct xen_session *session = pointer;
	uint32_t domain = xen_find(session, job->domain, "");

	return describe(session, domain, job);
}

/* Return: whether the guest belongs to no agent, or to one that has ended; @agent is owned by the caller. */
static bool is_left(const char *guest, char **agent)
{
	*agent = domain_agent(guest, NULL);
	return !*agent || domain_is_orphan(*agent);
}

/** xen_claim - a job: destroy the domains of that name that are left from an agent that has ended */
int xen_claim(void *pointer, struct hypervisor_job *job)
{
	static const char *const suffixes[] = {"", XEN_INCOMING, XEN_LEFT};
	struct xen_session *session = pointer;
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(suffixes); i++) {
		uint32_t domain = xen_find(session, job->domain, suffixes[i]);
		__cleanup_free char *agent = NULL;

		if (domain == XEN_NO_DOMAIN)
			continue;
		error = is_left(job->guest, &agent)
				? xen_destroy(session, domain, &job->why)
				: fail(&job->why, -EEXIST,
				       "there is a domain '%s%s' already, of another agent (%s): "
				       "choose another name, or end it by 'xl destroy'",
				       job->domain, suffixes[i], agent);
	}
	return error;
}

/* Return: guest of a domain of brinell, also if that was renamed by a migration; @name is shortened to it. */
static const char *guest_of(char *name)
{
	char *suffix = strstr(name, "--");

	if (suffix)
		*suffix = '\0';
	return name + strlen(DOMAIN_PREFIX);
}

/** xen_sweep - destroy all domains left from agents that have ended, also paused or partly restored ones */
void xen_sweep(void)
{
	struct xen_session *session = xen_session_open(-1, NULL);
	libxl_dominfo *list = NULL;
	int count = 0;

	if (session)
		list = libxl_list_domain(session->libxl, &count);
	for (int i = 0; list && i < count; i++) {
		__cleanup_free char *name = libxl_domid_to_name(session->libxl, list[i].domid);
		__cleanup_free char *agent = NULL;

		if (name && strncmp(name, DOMAIN_PREFIX, strlen(DOMAIN_PREFIX)) == 0 &&
		    is_left(guest_of(name), &agent))
			(void)xen_destroy(session, list[i].domid, NULL);
	}
	if (list)
		libxl_dominfo_list_free(list, count);
	xen_session_close(session);
}

/* Detail of events and of the state of a domain that has shut down; see watch.c. */
static const char *shutdown_detail(const xc_domaininfo_t *info)
{
	unsigned int reason = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

	return reason == SHUTDOWN_crash	    ? "killed"
	       : reason == SHUTDOWN_suspend ? "saved"
					    : "shutdown";
}

/** xen_state - a job: "state" and "detail" of the domain */
int xen_state(void *pointer, struct hypervisor_job *job)
{
	struct xen_session *session = pointer;
	uint32_t domain = xen_find(session, job->domain, "");
	xc_domaininfo_t info;

	if (domain == XEN_NO_DOMAIN || xen_domain_info(session->control, domain, &info) ||
	    info.flags & XEN_DOMINF_dying)
		job->reply = json_pack("{s:s}", "state", "gone");
	else if (info.flags & XEN_DOMINF_shutdown)
		job->reply = json_pack("{s:s, s:s}", "state", "shutoff", "detail",
				       shutdown_detail(&info));
	else
		job->reply = json_pack("{s:s, s:s}", "state",
				       info.flags & XEN_DOMINF_paused ? "paused" : "running",
				       "detail", "");
	return 0;
}

/** xen_stop - a job: destroy a guest, and end its migration */
int xen_stop(void *pointer, struct hypervisor_job *job)
{
	static const char *const suffixes[] = {"", XEN_INCOMING, XEN_LEFT};
	struct xen_session *session = pointer;
	int error = 0;

	xen_await_end(job->uuid);
	xen_migrate_abandon(job->uuid);
	xen_watch_end(job->uuid);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		uint32_t domain = xen_find(session, job->domain, suffixes[i]);

		if (domain != XEN_NO_DOMAIN && !error)
			error = xen_destroy(session, domain, &job->why);
	}
	return error;
}
