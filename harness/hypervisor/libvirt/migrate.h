/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BRINELL_GUEST_DOMAIN_MIGRATE_H
#define BRINELL_GUEST_DOMAIN_MIGRATE_H

#include "harness/hypervisor/libvirt/libvirt.h"

/* Work of jobs; @job->request has the arguments of the call. */
int domain_work_migrate(virConnectPtr connection, struct virt_job *job);
int domain_work_control(virConnectPtr connection, struct virt_job *job);

#endif
