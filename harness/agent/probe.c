// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this machine can inject and witness: findings in the order in which things fail on metal, so that the first one
 * that is missing is the one to mend first.
 */
#include <string.h>
#include <sys/utsname.h>

#include "harness/agent/probe.h"
#include "harness/witness/witness.h"
#include "inject/injector.h"
#include "workloads/workload.h"

/* Injectors in the order in which people reach for them; one that is not named comes after these. */
static const char *const injector_order[] = {"einj", "mce-inject", "hwpoison", NULL};

static const struct {
	const char *option, *purpose;
} kernel_options[] = {
	{"CONFIG_MEMORY_FAILURE", "recovery from memory errors"},
	{"CONFIG_X86_MCE", "machine checks"},
	{"CONFIG_ACPI_APEI_EINJ", "the einj injector"},
	{"CONFIG_ACPI_APEI_GHES", "errors that firmware reports"},
	{"CONFIG_X86_MCE_INJECT", "the mce-inject injector"},
	{"CONFIG_HWPOISON_INJECT", "the hwpoison injector"},
	{"CONFIG_RAS", "the ras trace events"},
};

static void probe_root(json_t *findings)
{
	struct reason why = {0};

	finding_add(findings, "root", geteuid() == 0, "the agent does not run as root",
		    "run brinell as root, or let the bench reach the host as root");
	finding_add(findings, "expendable", machine_is_expendable(&why) == 0, why.text,
		    "if this machine may be broken: mkdir -p /etc/brinell && hostname > "
		    "/etc/brinell/expendable");
}

/* Return: the kernel's configuration as text, or NULL where the distribution keeps it elsewhere. */
static char *read_kernel_config(void)
{
	static const char *const places[] = {"/boot/config-%s", "/lib/modules/%s/config",
					     "/usr/lib/modules/%s/config"};
	struct utsname name;
	char *text;

	uname(&name);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char place[512], path[4096];

		snprintf(place, sizeof(place), places[i], name.release);
		if (read_small_file(system_path(path, place), &text, NULL) == 0)
			return text;
	}
	return NULL;
}

static void probe_kernel_config(json_t *findings)
{
	__cleanup_free char *config = read_kernel_config();

	finding_add(findings, "kernel:config", config != NULL,
		    "the kernel's configuration is in none of the usual places",
		    "not needed by itself; it shows which parts the kernel lacks");
	for (size_t i = 0; config && i < ARRAY_SIZE(kernel_options); i++) {
		const char *option = kernel_options[i].option;
		__cleanup_free char *name = format_text("kernel:%s", option);
		__cleanup_free char *built_in = format_text("\n%s=y", option);
		__cleanup_free char *module = format_text("\n%s=m", option);
		__cleanup_free char *reason =
			format_text("this kernel was built without %s", kernel_options[i].purpose);
		__cleanup_free char *remedy = format_text(
			"boot a kernel with %s (Debian's stock kernels have it)", option);

		finding_add(findings, name, strstr(config, built_in) || strstr(config, module),
			    reason, remedy);
	}
}

static void probe_iommu(json_t *findings)
{
	char path[4096];
	__cleanup_directory DIR *directory = opendir(system_path(path, "/sys/class/iommu"));
	struct dirent *entry;
	bool found = false;

	while (directory && (entry = readdir(directory)))
		found = found || entry->d_name[0] != '.';
	finding_add(findings, "iommu", found,
		    "no IOMMU is in use: a stray DMA would not be noticed",
		    "enable VT-d or AMD-Vi in the firmware, and boot with intel_iommu=on");
}

/**
 * probe_machine - probe this machine
 *
 * On an expendable machine injectors load their modules, which stay: only so it shows whether they work. Elsewhere nothing is
 * changed.
 *
 * Return: array of {"name", "ok", "reason", "remedy"}; owned by the caller.
 */
json_t *probe_machine(void)
{
	json_t *findings = json_array();

	probe_root(findings);
	probe_kernel_config(findings);
	for (const char *const *name = injector_order; *name; name++)
		if (injector_find(*name))
			injector_find(*name)->probe(findings);
	for (size_t i = 0; i < injector_count(); i++)
		if (!text_among(injector_at(i)->name, injector_order))
			injector_at(i)->probe(findings);
	for (size_t i = 0; i < witness_count(); i++)
		witness_at(i)->probe(findings);
	for (size_t i = 0; i < workload_count(); i++)
		if (workload_at(i)->probe)
			workload_at(i)->probe(findings);
	probe_iommu(findings);
	return findings;
}
