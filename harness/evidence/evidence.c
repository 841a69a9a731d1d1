// SPDX-License-Identifier: GPL-2.0-only
/*
 * The meaning of lines of the kernel's log. One table, each entry with the kernel file that prints the line, in the
 * wording of Linux 6.1 and later. Lines in which an injector only announces its work ("Injecting memory failure for
 * pfn", "Soft offlining pfn", "Triggering MCE exception on CPU") are left out: they prove nothing.
 */
#include <ctype.h>
#include <pthread.h>
#include <regex.h>
#include <string.h>

#include "harness/evidence/evidence.h"

/* Longer lines are cut before they are matched: the kernel's own limit is 1 KiB (LOG_LINE_MAX). */
#define LINE_LIMIT 2048
#define GROUPS 8

#define PFN "(0x[0-9a-f]+)"
#define HEX "([0-9a-f]+)"
/* The domains of VMD have five digits. */
#define DEVICE "([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])"
/* Two groups; Linux before 6.3 leaves out the domain of a function on VT-d. */
#define FUNCTION "(([0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])"
#define IOVA "(0?x?[0-9a-f]+)"

#define CORRECTED SEVERITY_CORRECTED
#define UNCORRECTED SEVERITY_UNCORRECTED

/**
 * struct line_kind - one kind of line
 * @has:        text that every line of this kind contains
 * @pattern:    POSIX extended regular expression that it matches, too, not anchored: a console shows a time before the
 *              line; NULL: @has is enough
 * @meaning:    of the line
 * @kinds, @severities: of the error that it reports; 0: the line leaves it open
 * @pfn:        number of the group that holds a page frame number, 0 for none
 * @physical:   of the group with a physical address
 * @status:     of the group with MCi_STATUS, which has the kind and the severity
 * @ipid:       of the group with MCA_IPID
 * @pid:        of the group with a process id
 * @address:    of the group with a virtual address
 * @device:     of the group with the PCI function that the error is of
 * @source:     of the group with the bus, device and function that stand in place of those of @device
 * @iova:       of the group with the address of a device's access
 * @cpu, @bank: of the groups with the processor and the bank of a machine check
 * @misc, @vendor, @mask: of the groups with MCi_MISC, the vendor of the processor, the bits of the address that are known
 * @grain:      of the group with the number of bytes in which the error can be
 * @zero_unknown: a page frame 0 means that the page is not known, the function 00:00.0 that the source of a message is not
 * @part:       of a report in several lines
 */
struct line_kind {
	const char *has, *pattern;
	enum meaning meaning;
	unsigned char kinds, severities;
	unsigned char pfn, physical, status, ipid, pid, address, device, source, iova, cpu, bank;
	unsigned char misc, vendor, mask, grain;
	bool zero_unknown;
	struct line_part part;
};

#define LINE(text, regex, what, ...)                                                               \
	{                                                                                          \
		.has = (text), .pattern = (regex), .meaning = (what), __VA_ARGS__                  \
	}

/* drivers/edac/mce_amd.c, decode_smca_error(): the name of the bank's type, then the error, in the wording of several kernels */
#define BANK "\\[Hardware Error\\]: "
#define DECODED_ERROR "((Ext\\.|Extended) Error Code|Error): "

/*
 * drivers/pci/pcie/aer.c: "Corrected error received: ", "Correctable error message received from ", "Uncorrectable (Fatal) Error
 * message received from ", "Multiple Correctable Error messages received, first one from "
 */
#define AER_DETAIL "[a-z]+( \\([A-Za-z-]+\\))? [Ee]rrors? (messages? )?received"
#define AER_SOURCE(severity)                                                                       \
	"AER: (Multiple )?" severity AER_DETAIL "(:| from|, first one from) " DEVICE

#define BUS_ERROR(bus, severity) DEVICE ": (AER: )?" bus " Bus Error: severity=" severity

/*
 * drivers/edac/edac_mc.c, edac_mc_printk(): before Linux 3.5 the count comes not at all, and "page 0x1, offset 0x0, grain 8".
 */
#define EDAC_PAGE(error)                                                                           \
	"EDAC MC[0-9]+: ([0-9]+ )?" error " .*page[: ]" PFN                                        \
	"(,? offset[: ]0x[0-9a-f]+,? grain[: ]([0-9]+))?"

#define SMMU "arm-smmu(-v3)? [^ ]+: "

/* Lines of the hypervisor Xen, on the console that it shares with the kernel, with the time or without. */
#define XEN "\\(XEN\\) (\\[[^]]*\\] ?)*"

/* Lines of reports that have several. */
#define PRINTED .part = {.block = BLOCK_PRINTED}
#define PRINTED_FIRST .part = {.block = BLOCK_PRINTED, .first = true}
#define DECODED .part = {.block = BLOCK_DECODED}
#define DECODED_FIRST .part = {.block = BLOCK_DECODED, .first = true}
#define CPER .part = {.block = BLOCK_CPER}
#define CPER_FIRST .part = {.block = BLOCK_CPER, .first = true}
#define CPER_SEVERITY .part = {.block = BLOCK_CPER, .severity = true}
#define CPER_SECTION .part = {.block = BLOCK_CPER, .severity = true, .section = true}
#define CPER_KIND .part = {.block = BLOCK_CPER, .kind = true}

static const struct line_kind line_kinds[] = {
	/* kernel/printk/printk.c, console_prepend_dropped() */
	LINE("printk messages dropped", NULL, MEANS_LOST),
	/*
	 * lib/ratelimit.c, ___ratelimit(), with the name of the function: the drivers of VT-d and AMD-Vi, then GHES, AER and
	 * all others that limit their rate
	 */
	LINE("callbacks suppressed", "dmar_fault: [0-9]+ callbacks suppressed",
	     MEANS_IOMMU_LIMITED),
	LINE("callbacks suppressed", "amd_iommu_[a-z_]*: [0-9]+ callbacks suppressed",
	     MEANS_IOMMU_LOST),
	/*
	 * net/core/utils.c, net_ratelimit(); kernel/audit.c: lines of the network and of programs; arch/x86/kvm: registers of
	 * guests that are not emulated. Each function only leaves out lines of its own.
	 */
	LINE("callbacks suppressed",
	     "(net_ratelimit|k?audit[a-z_]*_printk_skb|kvm_[a-z_]*msr[a-z_]*|report_ignored_msr): "
	     "[0-9]+ "
	     "callbacks suppressed",
	     MEANS_NOTHING),
	LINE("callbacks suppressed", "[0-9]+ callbacks suppressed", MEANS_LOST),
	/* drivers/iommu/amd/iommu.c, amd_iommu_handle_irq() */
	LINE("AMD-Vi: IOMMU ", "AMD-Vi: IOMMU ([Ee]vent|PPR|GA) [Ll]og (overflow|restarting)",
	     MEANS_IOMMU_LOST),
	/* drivers/iommu/intel/prq.c */
	LINE("PRQ overflow detected", NULL, MEANS_IOMMU_LOST),

	/* arch/x86/kernel/cpu/mce/genpool.c, mce_gen_pool_add(); mm/memory-failure.c, memory_failure_queue() */
	LINE("MCE records pool full", NULL, MEANS_LOST),
	LINE("buffer overflow when queuing memory failure", NULL, MEANS_LOST),
	/* drivers/edac/i7core_edac.c, sb_edac.c up to Linux 4.13 */
	LINE("EDAC ", "EDAC [a-z0-9_]+.*: Lost [0-9]+ memory errors", MEANS_LOST),
	/* drivers/pci/pcie/aer.c, aer_recover_queue(); drivers/acpi/apei/ghes.c: CXL records, and a pool without room */
	LINE("overflow when recovering AER", NULL, MEANS_LOST),
	LINE("AER: ", "AER: buffer overflow in recovery for ", MEANS_LOST),
	LINE("kfifo", "CPER CXL .*kfifo (full|overflow)|CXL.*kfifo (full|overflow)", MEANS_LOST),
	/* arch/x86/kernel/cpu/mce/threshold.c, intel.c: corrected errors are polled for from here on */
	LINE("CMCI storm detected", NULL, MEANS_LOST),

	/* mm/memory-failure.c, action_result(); drivers/edac/edac_mc.c, edac_ue_error() with panic_on_ue */
	LINE("Kernel panic - not syncing", "not syncing: Memory failure(: | on page )(0x)?" HEX,
	     MEANS_PANIC, KIND_MEMORY, UNCORRECTED, .pfn = 3),
	LINE("Kernel panic - not syncing", "not syncing: UE .*page:" PFN, MEANS_PANIC, KIND_MEMORY,
	     UNCORRECTED, .pfn = 1, .zero_unknown = true),
	/* kernel/exit.c, do_exit(): the first program was ended by SIGBUS or SIGKILL, as for broken memory */
	LINE("Kernel panic - not syncing",
	     "not syncing: Attempted to kill init! exitcode=0x000000[08][79]", MEANS_PANIC),
	/*
	 * kernel/panic.c. Causes that are no hardware error: arch/x86/kernel/dumpstack.c, oops_end(); arch/x86/kernel/traps.c;
	 * kernel/panic.c, check_panic_on_warn(), __stack_chk_fail(), add_taint(); kernel/exit.c, make_task_dead() and do_exit();
	 * mm/oom_kill.c, out_of_memory(); kernel/sched/core.c, schedule_debug(); drivers/tty/sysrq.c, sysrq_handle_crash();
	 * mm/kasan, mm/kfence, mm/kmsan, lib/ubsan.c; file systems; a kernel without root file system. All others may be.
	 */
	LINE("Kernel panic - not syncing",
	     "not syncing: (Fatal exception|.*panic_on_[a-z]+ (set|is enabled)|.*[Oo]ut of "
	     "memory|System is deadlocked on memory|stack-protector|corrupted "
	     "(stack end|shadow stack)|.*stack guard hit|Machine halted|cannot return from|"
	     "sysrq triggered crash|Aiee, killing|Attempted to kill|Oops(ed| failed)|.*warned too "
	     "often|"
	     "(kasan|kfence|kmsan)\\.|can't return from|VFS: |No (working )?init|Requested init|"
	     ".*-fs \\(device|BTRFS panic|audit: )",
	     MEANS_PANIC, KIND_OTHER),
	LINE("Kernel panic - not syncing", NULL, MEANS_PANIC),
	/* xen/drivers/char/console.c, panic(): of the hypervisor below the kernel */
	LINE("Panic on CPU ", "\\(XEN\\) .*Panic on CPU [0-9]+:", MEANS_PANIC),
	/*
	 * xen/arch/x86/traps.c, of an NMI or a machine check and of all other traps; xen/common/bug.c; xen/arch/x86/x86_64/traps.c;
	 * xen/arch/x86/nmi.c; xen/drivers/char/console.c, __printk_ratelimit()
	 */
	LINE("FATAL TRAP: vec", XEN "FATAL TRAP: vec(tor =)? (2|18)[ ,]", MEANS_NOTHING),
	LINE("(XEN) ",
	     XEN
	     "(FATAL TRAP: vec|FATAL PAGE FAULT|Xen BUG at |Assertion '|\\*\\*\\* DOUBLE FAULT)",
	     MEANS_OOPS),
	LINE("Watchdog timer detects that CPU",
	     XEN "Watchdog timer detects that CPU[0-9]+ is stuck", MEANS_STUCK),
	LINE(" messages suppressed", "printk: [0-9]+ messages suppressed", MEANS_LOST),
	/*
	 * xen/drivers/passthrough/vtd/iommu.c, iommu_page_fault_do_one(); xen/drivers/passthrough/amd/iommu_init.c,
	 * parse_event_log_entry()
	 */
	LINE("DMAR:[",
	     "\\[VT-D\\]DMAR:\\[DMA (Read|Write)\\] Request device \\[" DEVICE
	     "\\] fault addr " IOVA,
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 2, .iova = 3),
	LINE("AMD-Vi: ",
	     "AMD-Vi: (IO_PAGE_FAULT|INVALID_DEV_REQUEST|ILLEGAL_DEV_TABLE_ENTRY): " DEVICE
	     " d[0-9]+ addr " IOVA,
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 2, .iova = 3),
	LINE("AMD-Vi: ", XEN "AMD-Vi: [A-Z_]+_(HW_ERROR|COMMAND_ERROR|INV_TIMEOUT): ",
	     MEANS_IOMMU_FAILED),

	/* mm/oom_kill.c, __oom_kill_process(); arch/x86/mm/fault.c, show_signal_msg(); arch/x86/kernel/traps.c, show_signal() */
	LINE("Killed process ", "[Oo]ut of memory.*: Killed process ([0-9]+) \\(", MEANS_ENDED,
	     .pid = 1),
	/* Before Linux 5.1. */
	LINE("Killed process ", "(^|\\] )Killed process ([0-9]+) \\(.*\\) total-vm:", MEANS_ENDED,
	     .pid = 2),
	LINE("segfault at ", "\\[([0-9]+)\\]: segfault at [0-9a-f]+ ip ", MEANS_ENDED, .pid = 1),
	LINE("traps: ", "traps: .*\\[([0-9]+)\\] (general protection|trap |bad frame)", MEANS_ENDED,
	     .pid = 1),

	/* mm/memory-failure.c: action_result(), kill_proc(), kill_procs(), unpoison_memory() */
	LINE("recovery action for",
	     "(MCE|Memory failure:) " PFN
	     ": recovery action for .*: (Recovered|Ignored|Failed|Delayed)",
	     MEANS_PAGE_HANDLED, KIND_MEMORY, UNCORRECTED, .pfn = 2),
	/* Before Linux 4.13. */
	LINE(" recovery: ",
	     "(MCE|Memory failure:) " PFN ": .* recovery: (Recovered|Ignored|Failed|Delayed)",
	     MEANS_PAGE_HANDLED, KIND_MEMORY, UNCORRECTED, .pfn = 2),
	/* "Killing" before Linux 5.4, in spite of its word. */
	LINE(" due to hardware memory corruption",
	     "(MCE|Memory failure:) " PFN
	     ": (Sending SIGBUS to|Killing) .*:([0-9]+) due to hardware memory corruption",
	     MEANS_SIGBUS_SENT, KIND_MEMORY, UNCORRECTED, .pfn = 2, .pid = 4),
	/* drivers/acpi/apei/ghes.c, memory_failure_cb(): the number is that of a thread, the process is not named */
	LINE(" (SIGBUS)",
	     "GHES: .*:[0-9]+: (synchronous unrecoverable error|hardware memory corruption) "
	     "\\(SIGBUS\\)",
	     MEANS_SIGBUS_SENT, KIND_MACHINE_CHECK, UNCORRECTED),
	LINE("forcibly killing",
	     "Memory failure: " PFN ": forcibly killing .*:([0-9]+) because of failure to unmap",
	     MEANS_KILLED, KIND_MEMORY, UNCORRECTED, .pfn = 1, .pid = 2),
	LINE("npoison", "Unpoison: (Software-unpoisoned|Unpoisoned) (free )?page " PFN,
	     MEANS_PAGE_HANDLED, KIND_MEMORY, SEVERITY_REPAIRED, .pfn = 3),
	/* In Linux 7 the frame comes first. */
	LINE("npoison", "Unpoison: " PFN ": (software-)?unpoisoned (free )?page",
	     MEANS_PAGE_HANDLED, KIND_MEMORY, SEVERITY_REPAIRED, .pfn = 1),
	/* arch/x86/mm/fault.c, do_sigbus(). In spite of its text it sends SIGBUS BUS_MCEERR_AR, which can be handled. */
	LINE("MCE: Killing ",
	     "MCE: Killing .*:([0-9]+) due to hardware memory corruption fault at " HEX,
	     MEANS_SIGBUS_SENT, KIND_MEMORY, UNCORRECTED, .pid = 1, .address = 2),

	/* arch/x86/kernel/cpu/mce/core.c: kill_me_maybe(), kill_me_never(), print_mce(), mce_notify_irq() */
	LINE("Uncorrected hardware memory error in user-access",
	     "Uncorrected hardware memory error in user-access at " HEX, MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK, UNCORRECTED, .physical = 1),
	LINE("Kernel accessed poison in user space", "Kernel accessed poison in user space at " HEX,
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, UNCORRECTED, .physical = 1),
	LINE("Memory error not recovered", "mce: Memory error not recovered", MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK, UNCORRECTED),
	LINE("Uncorrected memory error in page ",
	     "mce: Uncorrected memory error in page " PFN " ignored", MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK, UNCORRECTED, .pfn = 1),
	LINE("Machine check events logged", "\\[Hardware Error\\]: Machine check events logged",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK),
	LINE(": Machine Check",
	     "\\[Hardware Error\\]: CPU ([0-9]+): Machine Check[^:]*: [0-9a-f]+ Bank "
	     "([0-9]+): " HEX,
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, .cpu = 1, .bank = 2, .status = 3,
	     PRINTED_FIRST),
	LINE(": Machine Check", "\\[Hardware Error\\]: CPU [0-9]+: Machine Check",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK),
	/* Each value has a blank behind it, which logs that were copied have lost at the end of the line. */
	LINE("TSC ",
	     "\\[Hardware Error\\]: TSC [0-9a-f]+( ADDR " HEX ")?( MISC " HEX ")?(.* IPID " HEX
	     ")?",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, .physical = 2, .misc = 4, .ipid = 6,
	     PRINTED),
	/*
	 * What is printed in pieces is so many records, if another processor prints in between (kernel/printk/printk.c, vprintk_store()).
	 */
	LINE("ADDR ", "^ADDR " HEX "( MISC " HEX ")?(.* IPID " HEX ")?", MEANS_NOTHING,
	     .physical = 1, .misc = 3, .ipid = 5, PRINTED),
	LINE("MISC ", "^MISC " HEX "( |$)", MEANS_NOTHING, .misc = 1, PRINTED),
	LINE("IPID ", "^((PPIN|SYND|SYND1|SYND2) [0-9a-f]+ |FRU .* )*IPID " HEX "( |$)",
	     MEANS_NOTHING, .ipid = 3, PRINTED),
	LINE("PROCESSOR ", "\\[Hardware Error\\]: PROCESSOR ([0-9]+):", MEANS_NOTHING, .vendor = 1,
	     PRINTED),
	LINE("Unexpected int18", "CPU#[0-9]+: Unexpected int18 \\(Machine Check\\)",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, UNCORRECTED),
	/* arch/x86/kernel/cpu/mce/severity.c, by way of print_mce() and mce_panic() */
	LINE("Machine check: ", "\\[Hardware Error\\]: Machine check: ", MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK),

	/*
	 * drivers/edac/mce_amd.c, amd_decode_mce(): the class of the error, the bank's registers and its decoded line. The
	 * address is a normalized one, and the error code does not name the part: the line of the bank type does.
	 */
	LINE("Corrected error, no action required",
	     "\\[Hardware Error\\]: (Error Status: )?Corrected error, no action required",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, CORRECTED, DECODED_FIRST),
	LINE("Deferred error, no action required",
	     "\\[Hardware Error\\]: (Error Status: )?Deferred error, no action required",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, UNCORRECTED, DECODED_FIRST),
	LINE("Uncorrected, software ",
	     "\\[Hardware Error\\]: (Error Status: )?Uncorrected, software "
	     "(containable|restartable) error",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, UNCORRECTED, DECODED_FIRST),
	LINE("System Fatal error", "\\[Hardware Error\\]: (Error Status: )?System Fatal error",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, UNCORRECTED, DECODED_FIRST),
	LINE("_STATUS[",
	     "\\[Hardware Error\\]: CPU:([0-9]+) .*MC([0-9]+)_STATUS\\[[^]]*\\]: 0x" HEX,
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, .cpu = 1, .bank = 2, .status = 3, DECODED),
	LINE("_STATUS[", "\\[Hardware Error\\]: CPU:[0-9]+ .*MC[0-9]+_STATUS\\[",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, DECODED),
	LINE("]: 0x", "^(\\|[-A-Za-z0-9]+)*\\]: 0x" HEX "$", MEANS_NOTHING, .status = 2, DECODED),
	LINE("Error Addr: 0x", "\\[Hardware Error\\]: Error Addr: 0x" HEX, MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK, .physical = 1, DECODED),
	LINE("IPID: 0x", "\\[Hardware Error\\]: (PPIN: 0x[0-9a-f]+, )?IPID: 0x" HEX,
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK, .ipid = 2, DECODED),
	/* The types of banks, of which those of a core and its fabric can report broken memory. */
	LINE("Unified Memory Controller", "\\[Hardware Error\\]: Unified Memory Controller",
	     MEANS_HARDWARE_ERROR, KIND_MEMORY, DECODED),
	LINE(" Error", BANK "(PCI Express|PCIe Link|NBIF|Northbridge IO) Unit " DECODED_ERROR,
	     MEANS_HARDWARE_ERROR, KIND_PCIE | KIND_OTHER, DECODED),
	LINE(" Error",
	     BANK "(System Management Unit|Microprocessor 5 Unit|M[A-Z0-9]+ Unit|Parameter Block|"
		  "Platform Security Processor|System Hub Unit|SATA Unit|USB Unit|"
		  "Die to Die Interconnect Unit|.* (PCS|PHY|CMN)( Unit)?) " DECODED_ERROR,
	     MEANS_HARDWARE_ERROR, KIND_OTHER, DECODED),
	LINE(" Error Code: ", BANK ".* (Ext\\.|Extended) Error Code: ", MEANS_HARDWARE_ERROR,
	     KIND_MACHINE_CHECK, DECODED),
	LINE("Northbridge Error", "\\[Hardware Error\\]: Northbridge Error .*DRAM ECC error",
	     MEANS_HARDWARE_ERROR, KIND_MEMORY, DECODED),
	LINE(" Error",
	     "\\[Hardware Error\\]: (MC[0-9] Error( \\(node [0-9]+\\))?: |Northbridge Error)",
	     MEANS_HARDWARE_ERROR, KIND_MACHINE_CHECK | KIND_OTHER, DECODED),

	/* drivers/acpi/apei/ghes.c, drivers/firmware/efi/cper.c, cper-x86.c, cper-arm.c, cper_cxl.c */
	LINE("Generic Hardware Error Source",
	     "\\[Hardware Error\\]: Hardware error from APEI Generic Hardware Error Source",
	     MEANS_HARDWARE_ERROR, CPER_FIRST),
	/* drivers/acpi/acpi_extlog.c */
	LINE("Hardware error detected on CPU",
	     "\\[Hardware Error\\]: Hardware error detected on CPU", MEANS_HARDWARE_ERROR,
	     CPER_FIRST),
	LINE("event severity: ", "\\[Hardware Error\\]: +event severity: corrected",
	     MEANS_HARDWARE_ERROR, .severities = CORRECTED, CPER_SEVERITY),
	LINE("event severity: ", "\\[Hardware Error\\]: +event severity: (recoverable|fatal)",
	     MEANS_HARDWARE_ERROR, .severities = UNCORRECTED, CPER_SEVERITY),
	/* "info" */
	LINE("event severity: ", "\\[Hardware Error\\]: +event severity: ", MEANS_NOTHING,
	     CPER_SEVERITY),
	LINE(", type: ", "\\[Hardware Error\\]: +Error [0-9]+, type: corrected", MEANS_NOTHING,
	     .severities = CORRECTED, CPER_SECTION),
	LINE(", type: ", "\\[Hardware Error\\]: +Error [0-9]+, type: (recoverable|fatal)",
	     MEANS_NOTHING, .severities = UNCORRECTED, CPER_SECTION),
	LINE(", type: ", "\\[Hardware Error\\]: +Error [0-9]+, type: ", MEANS_NOTHING,
	     CPER_SECTION),
	LINE("section_type: ", "\\[Hardware Error\\]: +section_type: memory error",
	     MEANS_HARDWARE_ERROR, KIND_MEMORY, CPER_KIND),
	LINE("section_type: ", "\\[Hardware Error\\]: +section_type: PCIe error",
	     MEANS_HARDWARE_ERROR, KIND_PCIE, CPER_KIND),
	LINE("section_type: ", "\\[Hardware Error\\]: +section_type: .*processor error",
	     MEANS_HARDWARE_ERROR, KIND_PROCESSOR, CPER_KIND),
	LINE("section_type: ", "\\[Hardware Error\\]: +section_type: CXL", MEANS_HARDWARE_ERROR,
	     KIND_CXL, CPER_KIND),
	/* A section without decoder; UEFI specification 2.10, appendix N.2.2, table N.5: its type. */
	LINE("9876ccad-b447-4bdb-b65e-16f193c4f3db", NULL, MEANS_HARDWARE_ERROR, KIND_PROCESSOR,
	     CPER_KIND),
	LINE("dc3ea0b0-a144-4797-b95b-53fa242b6e1d", NULL, MEANS_HARDWARE_ERROR, KIND_PROCESSOR,
	     CPER_KIND),
	LINE("e19e3d16-bc11-11e4-9caa-c2051d5d46b0", NULL, MEANS_HARDWARE_ERROR, KIND_PROCESSOR,
	     CPER_KIND),
	LINE("a5bc1114-6f64-4ede-b863-3e83ed7c83b1", NULL, MEANS_HARDWARE_ERROR, KIND_MEMORY,
	     CPER_KIND),
	LINE("61ec04fc-48e6-d813-25c9-8daa44750b12", NULL, MEANS_HARDWARE_ERROR, KIND_MEMORY,
	     CPER_KIND),
	LINE("d995e954-bbc1-430f-ad91-b44dcb3c6f35", NULL, MEANS_HARDWARE_ERROR, KIND_PCIE,
	     CPER_KIND),
	/* include/linux/cper.h: protocol errors of CXL, its media and DRAM, and its memory modules */
	LINE("80b9efb4-52b5-4de3-a777-68784b771048", NULL, MEANS_HARDWARE_ERROR, KIND_CXL,
	     CPER_KIND),
	LINE("fbcd0a77-c260-417f-85a9-088b1621eba6", NULL, MEANS_HARDWARE_ERROR,
	     KIND_CXL | KIND_MEMORY, CPER_KIND),
	LINE("601dcbb3-9c06-4eab-b8af-4e9bfb5c9624", NULL, MEANS_HARDWARE_ERROR,
	     KIND_CXL | KIND_MEMORY, CPER_KIND),
	LINE("fe927475-dd59-4339-a586-79bab113b774", NULL, MEANS_HARDWARE_ERROR, KIND_CXL,
	     CPER_KIND),
	LINE("section", "\\[Hardware Error\\]: +section[_ ]type: ", MEANS_HARDWARE_ERROR,
	     KIND_OTHER, CPER_KIND),
	LINE("physical_address: 0x", "\\[Hardware Error\\]: +physical_address: 0x" HEX,
	     MEANS_HARDWARE_ERROR, KIND_MEMORY, .physical = 1, CPER),
	LINE("physical_address_mask: 0x", "\\[Hardware Error\\]: +physical_address_mask: 0x" HEX,
	     MEANS_NOTHING, .mask = 1, CPER),
	LINE("device_id: ", "\\[Hardware Error\\]: +device_id: " DEVICE, MEANS_HARDWARE_ERROR,
	     KIND_PCIE, .device = 1, CPER),
	/* drivers/acpi/apei/bert.c */
	LINE("Error records from previous boot", "BERT: .*Error records from previous boot",
	     MEANS_HARDWARE_ERROR, CPER_FIRST),

	/* drivers/edac/edac_mc.c, edac_device.c, edac_pci.c, and the handlers of the drivers for Intel */
	/* A count of 0 is no error. */
	LINE("EDAC MC", "EDAC MC[0-9]+: 0 [CU]E ", MEANS_NOTHING),
	LINE("EDAC MC", EDAC_PAGE("CE"), MEANS_HARDWARE_ERROR, KIND_MEMORY, CORRECTED, .pfn = 2,
	     .grain = 4, .zero_unknown = true),
	LINE("EDAC MC", EDAC_PAGE("UE"), MEANS_HARDWARE_ERROR, KIND_MEMORY, UNCORRECTED, .pfn = 2,
	     .grain = 4, .zero_unknown = true),
	LINE("EDAC MC", "EDAC MC[0-9]+: (UE|[0-9]+ UE)", MEANS_HARDWARE_ERROR, KIND_MEMORY,
	     UNCORRECTED),
	LINE("EDAC MC", "EDAC MC[0-9]+: (CE|[0-9]+ CE)", MEANS_HARDWARE_ERROR, KIND_MEMORY,
	     CORRECTED),
	LINE("HANDLING ", "EDAC [a-z0-9]+ MC[0-9]+: HANDLING [A-Z]+ MEMORY ERROR",
	     MEANS_HARDWARE_ERROR, KIND_MEMORY),
	LINE("EDAC DEVICE", "EDAC DEVICE[0-9]+: CE: ", MEANS_HARDWARE_ERROR, KIND_OTHER, CORRECTED),
	LINE("EDAC DEVICE", "EDAC DEVICE[0-9]+: UE: ", MEANS_HARDWARE_ERROR, KIND_OTHER,
	     UNCORRECTED),
	/* edac_pci_sysfs.c, edac_pci_dev_parity_test(); edac_pci.c: a controller that drivers watch reports (Non-)Parity Error */
	LINE("EDAC PCI: ", "EDAC PCI: (Bridge )?(Signaled|Master|Detected) .* on " DEVICE,
	     MEANS_HARDWARE_ERROR, KIND_PCIE, .device = 3),
	LINE("EDAC PCI", "EDAC PCI[0-9]+: (Non-)?Parity Error ", MEANS_HARDWARE_ERROR, KIND_PCIE),

	/* drivers/pci/pcie/aer.c: aer_print_port_info(), aer_print_error(); dpc.c, dpc_process_error() */
	LINE("AER: ", AER_SOURCE("Correct"), MEANS_HARDWARE_ERROR, KIND_PCIE, CORRECTED,
	     .device = 5, .zero_unknown = true),
	LINE("AER: ", AER_SOURCE("Uncorrect"), MEANS_HARDWARE_ERROR, KIND_PCIE, UNCORRECTED,
	     .device = 5, .zero_unknown = true),
	LINE("AER: ", "AER: .*rrors? (messages? )?received", MEANS_HARDWARE_ERROR, KIND_PCIE),
	/* Since Linux 7 the bus can be CXL. */
	LINE(" Bus Error: severity=", BUS_ERROR("PCIe", "Correct"), MEANS_HARDWARE_ERROR, KIND_PCIE,
	     CORRECTED, .device = 1),
	LINE(" Bus Error: severity=", BUS_ERROR("PCIe", "Uncorrect"), MEANS_HARDWARE_ERROR,
	     KIND_PCIE, UNCORRECTED, .device = 1),
	LINE(" Bus Error: severity=", BUS_ERROR("CXL", "Correct"), MEANS_HARDWARE_ERROR,
	     KIND_PCIE | KIND_CXL, CORRECTED, .device = 1),
	LINE(" Bus Error: severity=", BUS_ERROR("CXL", "Uncorrect"), MEANS_HARDWARE_ERROR,
	     KIND_PCIE | KIND_CXL, UNCORRECTED, .device = 1),
	LINE(" Bus Error: severity=", "(PCIe|CXL) Bus Error: severity=", MEANS_HARDWARE_ERROR,
	     KIND_PCIE | KIND_CXL),
	/*
	 * The port is not what sent the message. Up to Linux 6.15 the source has a meaning only with the reasons 1 and 2 in bits 2:1 of
	 * the status; later the line names it or has none.
	 */
	LINE("DPC: containment event",
	     DEVICE ": DPC: containment event, status:0x[0-9a-f]*[2-5a-d] source:0x" HEX,
	     MEANS_HARDWARE_ERROR, KIND_PCIE, UNCORRECTED, .device = 1, .source = 2),
	LINE("DPC: containment event", DEVICE ": DPC: containment event, .* received from " DEVICE,
	     MEANS_HARDWARE_ERROR, KIND_PCIE, UNCORRECTED, .device = 2),
	LINE("DPC: containment event", DEVICE ": DPC: containment event", MEANS_HARDWARE_ERROR,
	     KIND_PCIE, UNCORRECTED, .device = 1),

	/*
	 * drivers/iommu/intel/dmar.c: dmar_fault_do_one(), dmar_fault(). Bit 0 of the fault status register, PFO: a fault found
	 * no free record (VT-d specification, 11.4.8.1).
	 */
	LINE("Request device [",
	     "DMAR: ?\\[DMA (Read|Write).*\\] Request device \\[" FUNCTION "\\] .*fault addr " IOVA,
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 2, .iova = 4),
	LINE("Request device [", "DMAR: ?\\[.*\\] Request device \\[" FUNCTION "\\] .*fault index",
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 1),
	LINE("Request device [", "DMAR: ?\\[.*\\] Request device \\[.*\\] .*fault (addr|index)",
	     MEANS_IOMMU_FAULT, KIND_IOMMU),
	LINE("DRHD: handling fault status reg", "fault status reg [0-9a-f]*[13579bdf] *$",
	     MEANS_IOMMU_LOST),
	LINE("DRHD: handling fault status reg", NULL, MEANS_IOMMU_NOTICE),
	/* drivers/iommu/intel/dmar.c and prq.c: the invalidation queue and the page requests */
	LINE("VT-d detected Invalidation",
	     "VT-d detected Invalidation (Queue|Time-out|Completion) Error", MEANS_IOMMU_FAILED),
	LINE("Invalidation ", "Invalidation (Queue|Time-out|Completion) Error \\((IQE|ITE|ICE)\\)",
	     MEANS_IOMMU_FAILED),
	LINE("QI ", "DMAR: QI (HEAD|PRIOR): ", MEANS_IOMMU_FAILED),
	LINE(": dmar",
	     "IOMMU: dmar[0-9]+: (Page request (without PASID|in Privilege Mode)|Address is not "
	     "canonical|Execution request not supported)",
	     MEANS_IOMMU_FAULT, KIND_IOMMU),
	LINE("nvalid page request", "(DMAR: .*|dmar[0-9]+: )[Ii]nvalid page request",
	     MEANS_IOMMU_FAULT, KIND_IOMMU),
	/*
	 * drivers/iommu/amd/iommu.c, iommu_print_event() and amd_iommu_report_page_fault(). The IOMMU's own errors:
	 * DEV_TAB_HARDWARE_ERROR, PAGE_TAB_HARDWARE_ERROR, ILLEGAL_COMMAND_ERROR, COMMAND_HARDWARE_ERROR, IOTLB_INV_TIMEOUT,
	 * RMP_HW_ERROR, UNKNOWN. All others are refused accesses.
	 */
	LINE("Event logged [",
	     "Event logged "
	     "\\[((DEV|PAGE)_TAB_HARDWARE|ILLEGAL_COMMAND|COMMAND_HARDWARE|IOTLB_INV|RMP_HW|"
	     "UNKNOWN)",
	     MEANS_IOMMU_FAILED),
	LINE("Event logged [",
	     "Event logged \\[[A-Z_]+ device=" FUNCTION ",? .*(address|gpa)=" IOVA,
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 1, .iova = 4),
	LINE("Event logged [", DEVICE ": AMD-Vi: Event logged \\[[A-Z_]+ .*(address|gpa)=" IOVA,
	     MEANS_IOMMU_FAULT, KIND_IOMMU, .device = 1, .iova = 3),
	LINE("Event logged [", "(AMD-Vi|iommu|ivhd).*Event logged \\[", MEANS_IOMMU_FAULT,
	     KIND_IOMMU),
	LINE("AMD-Vi: ",
	     "AMD-Vi: (IOMMU [0-9a-f:.]+: )?(Completion-Wait loop timed out|Command buffer "
	     "timeout|Unknown PPR "
	     "request|GA "
	     "log notifier failed)",
	     MEANS_IOMMU_FAILED),

	/*
	 * drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_dump_raw_event(), arm_smmu_dump_event(), evtq_thread(),
	 * gerror_handler(); arm-smmu/arm-smmu.c; drivers/iommu/virtio-iommu.c, viommu_fault_handler()
	 */
	LINE(" client: ", SMMU "event: [A-Z_]+ client: " DEVICE " .*iova: " IOVA, MEANS_IOMMU_FAULT,
	     KIND_IOMMU, .device = 2, .iova = 3),
	LINE("smmu", SMMU "event(: [A-Z_]+ client: | 0x[0-9a-f]+ received)", MEANS_IOMMU_FAULT,
	     KIND_IOMMU),
	LINE("smmu", SMMU "Unhandled context fault: .*iova=" IOVA, MEANS_IOMMU_FAULT, KIND_IOMMU,
	     .iova = 2),
	LINE("smmu", SMMU "Blocked unknown Stream ID ", MEANS_IOMMU_FAULT, KIND_IOMMU),
	LINE("smmu", SMMU "(EVTQ|PRIQ) (overflow detected|write aborted)", MEANS_IOMMU_LOST),
	LINE("smmu",
	     SMMU "(CMDQ error|CMD_SYNC timeout|CMDQ timeout|device has entered Service Failure|"
		  "unexpected global error|Unexpected global fault|TLB sync timed out)",
	     MEANS_IOMMU_FAILED),
	LINE("virtio_iommu ", "virtio_iommu [a-z0-9]+: [a-z]+ fault from EP [0-9]+",
	     MEANS_IOMMU_FAULT, KIND_IOMMU),

	/* kernel/watchdog.c, kernel/watchdog_perf.c */
	LINE("BUG: soft lockup", NULL, MEANS_STUCK),
	LINE("hard LOCKUP", "etected hard LOCKUP", MEANS_STUCK),
	/* kernel/workqueue.c, wq_watchdog_timer_fn() */
	LINE("BUG: workqueue lockup", NULL, MEANS_STUCK),
	/* kernel/hung_task.c, check_hung_task() */
	LINE("INFO: task ",
	     "INFO: task .*:[0-9]+ (<.*> )?(is )?blocked .*for more than [0-9]+ seconds",
	     MEANS_STUCK),
	/* kernel/rcu/tree_stall.h, tree_exp.h, tasks.h, srcutree.c */
	LINE("stall", "(rcu|srcu|RCU)[^ ]*.*(self-detected stall|detected (expedited )?stalls?)",
	     MEANS_STUCK),
	LINE("kthread starved for", NULL, MEANS_STUCK),
	LINE("kthread timer wakeup didn't happen for", NULL, MEANS_STUCK),
	/* kernel/smp.c, csd_lock_wait_toolong() */
	LINE("CSD lock (#", "[Dd]etected non-responsive CSD lock", MEANS_STUCK),
	/* kernel/locking/spinlock_debug.c, rtmutex: a lock that is never released */
	LINE("lockup suspected on CPU", NULL, MEANS_STUCK),
	/* drivers/watchdog: softdog.c, softdog_fire(); pretimeout_noop.c */
	LINE("softdog: ", "softdog: (Initiating|Triggered)", MEANS_STUCK),
	LINE(": pretimeout event", "watchdog[0-9]+: pretimeout event", MEANS_STUCK),
	/* kernel/sched/debug.c, resched_latency_warn() */
	LINE("need_resched set for > ", "CPU [0-9]+ need_resched set for > ", MEANS_STUCK),
	/* arch/x86/kernel/nmi.c: pci_serr_error(), io_check_error(), unknown_nmi_error() */
	LINE("NMI: PCI system error (SERR)", NULL, MEANS_HARDWARE_ERROR, KIND_PCIE | KIND_MEMORY,
	     UNCORRECTED),
	LINE("NMI: IOCK error", NULL, MEANS_HARDWARE_ERROR, KIND_OTHER, UNCORRECTED),
	LINE("NMI received for unknown reason", NULL, MEANS_WARNING),
	/* net/sched/sch_generic.c, dev_watchdog() */
	LINE("NETDEV WATCHDOG: ", NULL, MEANS_WARNING),

	/* arch/x86/kernel/dumpstack.c, __die_header(): every trap of the kernel ends so; "[#1]" counts the dies */
	LINE("[#", ": [0-9a-f]{4,16} \\[#[0-9]+\\]", MEANS_OOPS),
	/* arch/x86/kernel/traps.c, arch/x86/mm/fault.c, lib/bug.c, kernel/exit.c */
	LINE("general protection fault, ", NULL, MEANS_OOPS),
	LINE("general protection fault: ", NULL, MEANS_OOPS),
	LINE("ernel BUG at ", "[Kk]ernel BUG at ", MEANS_OOPS),
	LINE("Oops: ", NULL, MEANS_OOPS),
	LINE("nable to handle ", "[Uu]nable to handle (page fault|kernel|paging request)",
	     MEANS_OOPS),
	LINE("PANIC: ", "PANIC: (double fault|early exception)", MEANS_OOPS),
	LINE("stack guard page was hit", NULL, MEANS_OOPS),
	LINE("Fixing recursive fault but reboot is needed", NULL, MEANS_OOPS),
	/*
	 * kernel/locking/lockdep.c, print_lockdep_off(): its tables are full, and it is off from here on. Else "BUG: " begins the
	 * reports of mm/kasan/report.c, mm/kfence/report.c, kernel/kcsan/report.c, mm/kmsan/report.c,
	 * mm/memory.c (Bad page map), mm/page_alloc.c (Bad page state), kernel/fork.c (Bad rss-counter state),
	 * kernel/sched/core.c (scheduling while atomic, sleeping function), kernel/locking/spinlock_debug.c, arch/x86/mm/fault.c.
	 */
	LINE("BUG: MAX_", "BUG: MAX_[A-Z_]+ too low!", MEANS_NOTHING),
	LINE("BUG: ", "(^|[^A-Z_])BUG: ", MEANS_OOPS),
	/* mm/slub.c, slab_bug() */
	LINE("BUG ", "(^|[^A-Z_])BUG [^ ]+ \\(.*\\): ", MEANS_OOPS),
	/* lib/ubsan.c, ubsan_prologue() */
	LINE("UBSAN: ", NULL, MEANS_OOPS),
	/* lib/list_debug.c, lib/plist.c; mm/usercopy.c, usercopy_abort() */
	LINE("corruption",
	     "(list_add|list_del|list_add_rcu|list_del_rcu|hlist|plist)[^ ]* corruption",
	     MEANS_OOPS),
	LINE("usercopy: Kernel memory ", NULL, MEANS_OOPS),
	/* mm/swapfile.c: _swap_info_get(), get_swap_device() */
	LINE("Bad swap ", "(swap_[a-z]+|_*swap_info_get|get_swap_device): Bad swap ", MEANS_OOPS),
	/* include/linux/pgtable.h, pmd_clear_bad(): its page tables are gone */
	LINE(": bad p", "[a-z0-9_/-]+\\.[ch]:[0-9]+: bad p[gmu4]d [0-9a-f(]", MEANS_OOPS),
	/* kernel/softirq.c, handle_softirqs() */
	LINE("huh, entered softirq", NULL, MEANS_OOPS),
	/* arch/x86/kernel/check.c; mm/slab.c before Linux 6.8; lib/string_helpers.c before 6.9 */
	LINE("Corrupted low memory at ", NULL, MEANS_OOPS),
	LINE("Slab corruption ", NULL, MEANS_OOPS),
	LINE("slab error in ", NULL, MEANS_OOPS),
	LINE("detected buffer overflow", NULL, MEANS_OOPS),
	/* kernel/cfi.c, report_cfi_failure(); lib/debugobjects.c, debug_print_object(); mm/kmemleak.c */
	LINE("CFI failure at ", NULL, MEANS_OOPS),
	LINE("ODEBUG: ", NULL, MEANS_WARNING),
	LINE("new suspected memory leaks", NULL, MEANS_WARNING),
	/* include/linux/fortify-string.h; lib/kobject.c, kobject_init(); kernel/locking/lockdep.c, register_lock_class() */
	LINE("detected field-spanning write", NULL, MEANS_WARNING),
	LINE("something is seriously wrong", NULL, MEANS_WARNING),
	LINE("INFO: trying to register non-static key", NULL, MEANS_WARNING),
	/* kernel/irq/spurious.c, __report_bad_irq(); arch/x86/kernel/irq.c, common_interrupt() */
	LINE(": nobody cared", "irq [0-9]+: nobody cared", MEANS_WARNING),
	LINE("No irq handler for ", "No irq handler for (vector|[0-9]+\\.[0-9]+)", MEANS_WARNING),
	/* kernel/rcu/tasks.h: rcu_tasks_wait_gp(), warn_rcu_tasks() */
	LINE("rcu_tasks",
	     "rcu_tasks.* grace period number [0-9]+ \\(since boot\\) is [0-9]+ jiffies old",
	     MEANS_STUCK),
	/*
	 * Data or devices that were lost: fs/ext4/super.c, fs/xfs/xfs_message.c and xfs_error.c, fs/btrfs/messages.c,
	 * block/blk-core.c, fs/buffer.c, drivers/nvme/host/pci.c
	 */
	LINE("EXT4-fs ", "EXT4-fs (error|\\(.*\\): Remounting filesystem read-only)",
	     MEANS_WARNING),
	LINE("XFS (",
	     "XFS \\(.*\\): (Corruption|Internal error|Metadata (CRC "
	     "error|corruption)|(log|metadata) I/O "
	     "error|Filesystem has been shut down|.*Shutting down filesystem)",
	     MEANS_WARNING),
	LINE("BTRFS", "BTRFS:? (error|critical) ", MEANS_WARNING),
	LINE("I/O error ", "ext4_end_bio:[0-9]+: I/O error ", MEANS_WARNING),
	LINE("EXT4-fs ",
	     "EXT4-fs \\(.*\\): (This should not happen!! +Data will be lost|.*potential data "
	     "loss)",
	     MEANS_WARNING),
	LINE("JBD2: Detected IO errors while flushing file data", NULL, MEANS_WARNING),
	LINE("Aborting journal on device ", NULL, MEANS_WARNING),
	LINE("error, dev ", "(I/O|critical [a-z]+|[a-z ]+) error, dev [^ ]+, sector ",
	     MEANS_WARNING),
	LINE("Buffer I/O error on dev", NULL, MEANS_WARNING),
	/* mm/page_io.c */
	LINE("-error on swap-device", "(Read|Write)-error on swap-device", MEANS_WARNING),
	LINE("controller is down; will reset", NULL, MEANS_WARNING),
	/* arch/x86/mm/extable.c */
	LINE("unchecked MSR access error", NULL, MEANS_WARNING),
	/* lib/refcount.c */
	LINE("refcount_t: ", NULL, MEANS_WARNING),
	/* kernel/panic.c, __warn(): "CPU: 1 PID: 2 at" to Linux 6.16, "FILE:LINE at" from 6.17 */
	LINE("WARNING: ",
	     "WARNING: (CPU: [0-9]+ PID: [0-9]+ at |(\\[.*\\] )?[^ ]+:[0-9]+ at |at .*, "
	     "CPU#[0-9]+: )",
	     MEANS_WARNING),
	/* kernel/locking/lockdep.c, kernel/rcu/update.c */
	LINE("WARNING: ",
	     "WARNING: (possible |suspicious |bad unlock|bad contention|inconsistent lock|"
	     "held lock freed|lock held when|.*still has locks held|Nested lock|.*-unsafe lock "
	     "order)",
	     MEANS_WARNING),
};

/*
 * What may stand before a report of an error, behind colours of a terminal: the time on a console, the number of a CPER record, the name of the
 * driver, with its device or without. What stands behind other text is the text of others: kernel lines quote process names,
 * USB strings, labels, the command line and messages of audit.
 */
#define PREFIX                                                                                     \
	"^(<[0-9]+>)?(\\[ *[0-9]+\\.[0-9]+\\])?(\\[ "                                              \
	"*[TC][0-9]+\\])? *(\\(XEN\\) (\\[[^]]*\\] "                                               \
	")*)?"                                                                                     \
	"(\\{[0-9]+\\}|(mce|BERT|GHES|DMAR|AMD-Vi|iommu ivhd[0-9]+|EDAC [A-Za-z0-9_]+( "           \
	"MC[0-9]+)?|acpi [A-Z0-9]+:[0-9a-f]+|"                                                     \
	"[A-Za-z0-9_-]+ " FUNCTION "): |AER: |\\[Hardware Error\\]:.*)*"

/*
 * Lines of the kernel about a process, a group or a file, whose names are the text of others: mm/oom_kill.c,
 * mm/page_alloc.c, lib/dump_stack.c, kernel/sched/core.c, kernel/exit.c, fs/drop_caches.c, fs/coredump.c, and the arguments of the
 * first program in init/main.c. They are no reports, whatever the names are.
 */
#define NAMES                                                                                      \
	"^(CPU: [0-9]+ .*PID: |oom-kill:|oom_reaper: |Memory cgroup stats for |Tasks in "          \
	"|task:|note: "                                                                            \
	"|coredump: |"                                                                             \
	"Modules linked in: |warning: `|\\[ *[0-9]+\\] +[0-9]+ +[0-9]+ |    )|"                    \
	" invoked oom-killer: |: page allocation failure: order:| used greatest stack depth: |"    \
	"\\([0-9]+\\): drop_caches: | took a (split|bus)_lock trap at | locks? held by "

/* @prefix, and the same before the name of a driver that the function follows */
static regex_t compiled[ARRAY_SIZE(line_kinds)], prefix, driver, names;
static pthread_once_t compile_once = PTHREAD_ONCE_INIT;

static void compile_kinds(void)
{
	if (regcomp(&prefix, PREFIX "$", REG_EXTENDED | REG_NOSUB) != 0 ||
	    regcomp(&driver, PREFIX "[A-Za-z0-9_-]+ $", REG_EXTENDED | REG_NOSUB) != 0 ||
	    regcomp(&names, NAMES, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(line_kinds); i++)
		if (line_kinds[i].pattern &&
		    regcomp(&compiled[i], line_kinds[i].pattern, REG_EXTENDED) != 0)
			abort();
}

/* Return: false when the group is none of this kind of line or matched nothing. */
static bool group_number(const char *line, const regmatch_t *groups, unsigned char group, int base,
			 uint64_t *number)
{
	const regmatch_t *match = &groups[group];
	char digits[32] = "";

	*number = 0;
	if (!group || match->rm_so < 0 || match->rm_eo - match->rm_so >= (int)sizeof(digits))
		return false;
	memcpy(digits, line + match->rm_so, (size_t)(match->rm_eo - match->rm_so));
	*number = strtoull(digits, NULL, base);
	return true;
}

/* Whether the function 00:00.0 stands for an unknown one, and not for the port that reports an error of its own. */
static bool is_zero(const char *line, const regmatch_t *match)
{
	static const char zero[] = ":00:00.0";
	const char *function = line + match->rm_so, *end = line + match->rm_eo;

	return end - function > (int)strlen(zero) &&
	       strncmp(end - strlen(zero), zero, strlen(zero)) == 0 &&
	       !memmem(line, (size_t)match->rm_so, function, (size_t)(end - function));
}

static void read_device(const struct line_kind *kind, const char *line, struct kernel_line *read,
			const regmatch_t *match)
{
	int length = match->rm_eo - match->rm_so;

	if (kind->zero_unknown && is_zero(line, match))
		return;
	snprintf(read->device, sizeof(read->device), "%s%.*s",
		 length < (int)strlen("0000:00:00.0") ? "0000:" : "", length, line + match->rm_so);
}

/* "{12}[Hardware Error]: ..." */
static uint64_t record_number(const char *line)
{
	const char *end = strstr(line, "}[Hardware Error]"), *begin = end;

	while (begin && begin > line && begin[-1] != '{')
		begin--;
	return end ? strtoull(begin, NULL, 10) : 0;
}

/* The registers of a machine check that this line shows; where the status is in another line, an address may be a normalized one. */
static void read_check(const struct line_kind *kind, const char *line, const regmatch_t *groups,
		       struct kernel_line *read)
{
	struct machine_check *check = &read->part.check;
	uint64_t vendor;

	check->vendor = kind->part.block == BLOCK_DECODED ? MACHINE_CHECK_VENDOR_AMD
							  : MACHINE_CHECK_VENDOR_UNKNOWN;
	if (group_number(line, groups, kind->vendor, 10, &vendor))
		check->vendor = (int64_t)vendor;
	check->has_address = group_number(line, groups, kind->physical, 16, &check->address);
	check->has_misc = group_number(line, groups, kind->misc, 16, &check->misc);
	if (group_number(line, groups, kind->status, 16, &check->status) ||
	    (group_number(line, groups, kind->ipid, 16, &check->ipid) && check->ipid))
		read->nature = nature_of_machine_check(check);
	read->has_pfn = kind->part.block != BLOCK_DECODED && machine_check_has_page(check);
	read->pfn = check->address >> 12;
}

static void read_groups(const struct line_kind *kind, const char *line, const regmatch_t *groups,
			struct kernel_line *read)
{
	uint64_t number;

	read_check(kind, line, groups, read);
	if (group_number(line, groups, kind->pfn, 16, &number)) {
		read->has_pfn = number || !kind->zero_unknown;
		read->pfn = number;
	}
	if (group_number(line, groups, kind->grain, 10, &number))
		read->pages = number >> 12;
	(void)group_number(line, groups, kind->mask, 16, &read->part.mask);
	read->has_pid = group_number(line, groups, kind->pid, 10, &number);
	read->pid = (int64_t)number;
	read->has_address = group_number(line, groups, kind->address, 16, &read->address);
	read->has_iova = group_number(line, groups, kind->iova, 16, &read->iova);
	read->has_bank = group_number(line, groups, kind->cpu, 10, &read->cpu) &&
			 group_number(line, groups, kind->bank, 10, &read->bank);
	if (kind->device && groups[kind->device].rm_so >= 0)
		read_device(kind, line, read, &groups[kind->device]);
	if (group_number(line, groups, kind->source, 16, &number))
		snprintf(read->device + strcspn(read->device, ":"), sizeof(":00:00.0"),
			 ":%02x:%02x.%x", (unsigned int)(number >> 8 & 0xff),
			 (unsigned int)(number >> 3 & 0x1f), (unsigned int)(number & 7));
}

/* Colours and modes that a program has set, as consoles are recorded: "\\x1b[0;32m", or without the escape. */
static const char *skip_colours(const char *text)
{
	static const char escape[] = "\\x1b";

	for (;;) {
		const char *at = text;
		size_t numbers;

		at += strncmp(at, escape, strlen(escape)) == 0 ? strlen(escape) : 0;
		numbers = *at == '[' ? strspn(at + 1, "?0123456789;") : 0;
		if (!numbers || !isalpha((unsigned char)at[1 + numbers]))
			return text;
		text = at + 2 + numbers;
	}
}

/* Whether a report begins where the kernel begins one. The name of a driver alone stands only before a PCI function. */
static bool begins_well(char *line, size_t at)
{
	size_t digits = strspn(line + at, "0123456789abcdef");
	bool device = digits >= 4 && digits <= 8 && line[at + digits] == ':';
	char first = line[at];
	const char *before;
	bool well;

	line[at] = '\0';
	before = skip_colours(line);
	well = !at || regexec(&prefix, before, 0, NULL, 0) == 0 ||
	       (device && regexec(&driver, before, 0, NULL, 0) == 0);
	line[at] = first;
	return well;
}

/** kernel_line_is_error - whether a line of the kernel's log reports a hardware error or its handling */
bool kernel_line_is_error(enum meaning meaning)
{
	return meaning == MEANS_HARDWARE_ERROR || meaning == MEANS_PAGE_HANDLED ||
	       meaning == MEANS_SIGBUS_SENT || meaning == MEANS_KILLED;
}

/** kernel_message - a line without what a console shows before it: level, time, and the processor or the thread that wrote it */
const char *kernel_message(const char *text)
{
	size_t digits;

	text = skip_colours(text);
	if (text[0] == '<') {
		digits = strspn(text + 1, "0123456789");
		text += digits && text[digits + 1] == '>' ? digits + 2 : 0;
	}
	while (text[0] == '[') {
		const char *at = text + 1 + strspn(text + 1, " ");
		bool caller = *at == 'T' || *at == 'C';

		at += caller;
		digits = strspn(at, "0123456789.");
		/* A time has a point; the table of tasks has plain numbers. */
		if (!digits || at[digits] != ']' || !(caller || memchr(at, '.', digits)))
			break;
		text = at + digits + 1;
		text += *text == ' ';
	}
	return text;
}

static bool is_harm(enum meaning meaning)
{
	return meaning == MEANS_PANIC || meaning == MEANS_STUCK || meaning == MEANS_OOPS ||
	       meaning == MEANS_WARNING;
}

/**
 * kernel_line_read - the meaning of a line of the kernel's log
 * @text: message, with or without the time that a console shows before it
 *
 * Return: its meaning, the nature of the error, and the page, process, address and device that it names.
 */
struct kernel_line kernel_line_read(const char *text)
{
	struct kernel_line read = {.meaning = MEANS_NOTHING};
	regmatch_t groups[GROUPS];
	char line[LINE_LIMIT];

	pthread_once(&compile_once, compile_kinds);
	snprintf(line, sizeof(line), "%s", text);
	for (size_t i = 0; i < ARRAY_SIZE(line_kinds); i++) {
		const struct line_kind *kind = &line_kinds[i];
		const char *has = strstr(line, kind->has);

		if (!has || (kind->pattern && regexec(&compiled[i], line, GROUPS, groups, 0) != 0))
			continue;
		if ((kernel_line_is_error(kind->meaning) || kind->meaning == MEANS_IOMMU_FAULT) &&
		    !begins_well(line,
				 kind->pattern ? (size_t)groups[0].rm_so : (size_t)(has - line)))
			continue;
		if (is_harm(kind->meaning) &&
		    regexec(&names, kernel_message(line), 0, NULL, 0) == 0)
			continue;
		read.meaning = kind->meaning;
		read.nature = (struct nature){kind->kinds, kind->severities};
		read.part = kind->part;
		if (read.part.block == BLOCK_CPER)
			read.part.number = record_number(line);
		if (kind->pattern)
			read_groups(kind, line, groups, &read);
		break;
	}
	return read;
}
