/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_HYPERVISOR_LIBVIRT_H
#define BRINELL_HYPERVISOR_LIBVIRT_H

#include <libvirt/libvirt.h>

#include "harness/hypervisor/hypervisor.h"

/* Where libvirt keeps the log of QEMU of each domain. */
#define DOMAIN_LOG_BEGIN "/var/log/libvirt/qemu/"

int virt_fail(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
void virt_watch_events(virConnectPtr connection);
void virt_unwatch_events(virConnectPtr connection);
const char *virt_name(const char *const *names, size_t count, int index);
#define NAME_AT(names, index) virt_name(names, ARRAY_SIZE(names), index)
json_t *virt_statistics(const virTypedParameter *parameters, int count);
static inline void cleanup_free_domain(virDomainPtr *domain)
{
	if (*domain)
		virDomainFree(*domain);
}

#define __cleanup_domain __attribute__((cleanup(cleanup_free_domain)))

virDomainPtr domain_of_job(void *connection, struct hypervisor_job *job);

/* The operations of struct hypervisor. */
hypervisor_work virt_make, virt_find, virt_describe, virt_claim, virt_state, virt_destroy,
	virt_balloon, virt_command, virt_address, virt_migrate, virt_control;

int qemu_find(const char *domain, const char *uuid, pid_t *pid, struct reason *why);
int monitor_take_hva(const char *text, uint64_t gpa, uint64_t *hva, struct reason *why);

char *domain_make_xml(const struct domain_plan *plan);
unsigned int domain_cid(const char *xml);
char *domain_serial_socket(const char *xml, const char *port);

#endif
