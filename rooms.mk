# SPDX-License-Identifier: GPL-2.0-only
#
# The rooms of the house, from the foundation up: a room may include the headers of those that its line names, and of those
# that they name. Each is linked as one unit. `make check-fast` compares this table with the #include lines.

$(call room, harness/lib)
$(call room, harness/host, harness/lib)
$(call room, harness/journal, harness/lib)
$(call room, harness/evidence, harness/lib)
$(call room, harness/witness, harness/host)
$(call room, workloads, harness/host)
$(call room, inject, harness/host)
$(call room, harness/agent, harness/witness workloads inject)
$(call room, harness/link, harness/agent)
$(call room, harness/guestd, harness/agent)
$(call room, harness/hypervisor, harness/link)
$(call room, harness/hypervisor/libvirt, harness/hypervisor)
$(call room, harness/rig, harness/lib)
$(call room, harness/rig/firmware, harness/rig)
$(call room, harness/rig/image, harness/rig)
$(call room, harness/rig/host, harness/rig/firmware harness/rig/image)
$(call room, harness/bench, harness/rig/host harness/witness harness/evidence)
$(call room, harness/scenario, harness/rig harness/witness workloads inject harness/evidence)
$(call room, harness/judge/read, harness/journal harness/evidence)
$(call room, harness/judge/axes, harness/judge/read)
$(call room, harness/judge/expect, harness/judge/axes)
$(call room, harness/judge, harness/judge/expect)
$(call room, reports, harness/lib)
$(call room, reports/html, reports)
$(call room, harness/store, harness/journal reports)
$(call room, harness/trial, harness/bench harness/scenario harness/judge harness/store)
$(call room, harness/commands, harness/trial harness/agent)

# The programs: the rooms that are in them, and their main function in harness/programs.
$(call program, brinell, harness/commands harness/link reports/html, brinell.c)
$(call program, brinell-agent, harness/link, brinell-agent.c)
$(call program, brinell-agent-kvm, harness/hypervisor/libvirt, brinell-agent.c)
$(call program, brinell-guest, harness/guestd, brinell-guest.c)
