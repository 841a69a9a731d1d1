// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds of emulated hosts. A new one is a new struct in this file.
 */
#include <string.h>

#include "harness/rig/profile.h"

static const char *const host_modules[] = {
	"virtio_pci", "virtio_console", "einj", "mce-inject", "hwpoison-inject",
	"loop",	      "ext4",		"nvme", "vfio-pci",   "vfio_iommu_type1",
	NULL};

/*
 * The severity grading of Linux and the broadcast of QEMU's mce command both need an Intel processor
 * (arch/x86/kernel/cpu/mce/severity.c; target/i386/helper.c). 6/106/6 is an Ice Lake server.
 */
static const char *const intel_devices[] = {
	"-device", "intel-iommu,intremap=on,caching-mode=on",
	"-device", "nvme,serial=RIG0,drive=scratch,addr=4",
	"-device", "edu,addr=5",
	NULL,
};

/*
 * One thread: QEMU crashes or hangs at times when a device changes hands while another processor executes (docs/rig.md, Limits).
 */
static const struct rig_profile intel = {
	.name = "intel",
	.summary = "Intel server with EINJ firmware, machine checks, IOMMU (DMAR), and two devices "
		   "for DMA: NVMe, edu",
	.processors = 2,
	.memory_mib = 2048,
	.processor = "max,vendor=GenuineIntel,family=6,model=106,stepping=6",
	.modules = host_modules,
	.arguments = "intel_iommu=on",
	.devices = intel_devices,
	.hosts = 1,
	.one_thread = true,
};

/* A KVM host. Its guests boot the kernel of the host. */
static const char *const kvm_modules[] = {
	"virtio_blk",	  "erofs", "overlay",	 "virtio_pci",
	"virtio_console", "einj",  "mce-inject", "hwpoison-inject",
	"loop",		  "ext4",  "kvm-amd",	 "vhost_vsock",
	"virtio_net",	  "tun",   "bridge",	 NULL};
static const char *const kvm_guest_modules[] = {
	"virtio_pci",	"virtio_console", "virtio_net",
	"virtio_blk",	"virtio_balloon", "vmw_vsock_virtio_transport",
	"pvpanic-mmio", "loop",		  NULL};

static const char *const kvm_packages[] = {"qemu-system-x86",
					   "libvirt-daemon",
					   "libvirt-daemon-driver-qemu",
					   "libvirt-clients",
					   "stress-ng",
					   "linux-perf",
					   "iproute2",
					   "kmod",
					   "util-linux",
					   "dash",
					   NULL};

/*
 * Half of the download, and no kept program is linked with it: compilers of OpenGL, the service manager, and interpreters for
 * scripts of perf.
 */
static const char *const kvm_unused[] = {"libegl-mesa", "libllvm",     "libz3-",
					 "mesa-",	"systemd",     "libsystemd-shared",
					 "libx11-data", "passwd",      "perl",
					 "python3",	"libpython3-", "libpython3.13-",
					 NULL};

static const char *const kvm_keep[] = {
	"etc/libvirt",
	"usr/bin/dash",
	"usr/bin/flock",
	"usr/bin/kmod",
	"usr/bin/perf",
	"usr/bin/qemu-system-x86_64",
	"usr/bin/ss",
	"usr/bin/stress-ng",
	"usr/bin/virsh",
	"usr/bin/ip",
	"usr/lib/libvirt/libvirt_iohelper",
	"usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
	"usr/lib64/ld-linux-x86-64.so.2",
	"usr/sbin/bridge",
	"usr/sbin/dmidecode",
	"usr/sbin/libvirtd",
	"usr/sbin/tc",
	"usr/share/libvirt/cpu_map",
	"usr/share/libvirt/schemas",
	"usr/share/qemu/efi-virtio.rom",
	"usr/share/qemu/keymaps/en-us",
	"usr/share/qemu/kvmvapic.bin",
	"usr/share/qemu/linuxboot_dma.bin",
	"usr/share/seabios/bios-256k.bin",
	"usr/share/seabios/vgabios-stdvga.bin",
	"usr/share/seabios/vgabios-virtio.bin",
	NULL,
};

static const struct rig_system kvm_system = {
	.name = "kvm",
	.suite = "trixie",
	.packages = kvm_packages,
	.unused = kvm_unused,
	.keep = kvm_keep,
};

static const char *const libvirt_ready[] = {
	"flock", "-s", "/run/brinell/starting", "test", "-e", "/run/brinell/libvirt.ready", NULL};

/*
 * KVM under software emulation needs nested paging of kvm_amd, and so a processor of AMD. TCG does not offer SUCCOR and
 * OVERFLOW_RECOV, although these depend only on the raised error. Without them the kernel panics at every uncorrected error
 * (arch/x86/kernel/cpu/mce/severity.c). QEMU has their names since 9.1.
 */
#define KVM_PROCESSOR                                                                              \
	"max,vendor=AuthenticAMD,+svm,+npt,+succor,+overflow-recov,x-force-features=on"

/*
 * A periodic tick. VMRUN and #VMEXIT in QEMU change the pending interrupts of a processor without the lock that other threads
 * hold for it (cs->interrupt_request in target/i386/tcg/system/svm_helper.c, QEMU 10.0), so that an interrupt is lost
 * occasionally. If a one-shot timer loses its interrupt, the processor stays in its guest for ever. A periodic timer recovers
 * with the next interrupt.
 */
#define KVM_ARGUMENTS "intel_iommu=on nohz=off highres=off"

static const char *const kvm_guests[] = {"brinell-guest", NULL};

#define KVM_PROFILE(with)                                                                          \
	.processor = KVM_PROCESSOR, .modules = with, .arguments = KVM_ARGUMENTS,                   \
	.devices = intel_devices, .system = &kvm_system, .guest_modules = kvm_guest_modules,       \
	.start = "start-libvirt", .ready = libvirt_ready, .agent = "brinell-agent-kvm",            \
	.guests = kvm_guests, .qemu_least = 901

static const struct rig_profile kvm = {
	.name = "kvm",
	.summary = "AMD server that runs KVM guests with libvirt and vsock; EINJ, IOMMU, NVMe",
	.processors = 2,
	.memory_mib = 2560,
	.hosts = 1,
	KVM_PROFILE(kvm_modules),
};

static const struct rig_profile kvm_pair = {
	.name = "kvm-pair",
	.summary = "two kvm hosts with a network between them, for live migration",
	.processors = 1,
	.memory_mib = 2048,
	.hosts = 2,
	KVM_PROFILE(kvm_modules),
};

/* A Xen host: its Linux kernel is the first domain. */
static const char *const xen_modules[] = {"virtio_blk", "virtio_net", "erofs",	      "overlay",
					  "loop",	"ext4",	      "xenfs",	      "xen_privcmd",
					  "xen_evtchn", "xen_gntdev", "xen_gntalloc", NULL};

#define XEN_PACKAGES                                                                               \
	"xen-hypervisor-4.20-amd64", "xen-utils-4.20", "xenstore-utils", "libxen-dev",             \
		"libjansson-dev", "libc6-dev", "kmod", "util-linux", "dash", "dropbear-bin"
static const char *const xen_packages[] = {XEN_PACKAGES, "qemu-system-xen", NULL};
static const char *const xen_ept_packages[] = {XEN_PACKAGES, NULL};

/* No kept program is linked with these. */
static const char *const xen_unused[] = {"python3",	      "libpython3", "perl",	 "systemd",
					 "libsystemd-shared", "udev",	    "tzdata",	 "procps",
					 "openssl",	      "libsqlite3", "libdb5",	 "dpkg",
					 "iproute2",	      "tar_",	    "iso-codes", "ipxe-",
					 "libdrm-",	      NULL};

#define XEN_BIN "usr/lib/xen-4.20/bin/"
/* pthread_cancel() in libxl loads libgcc_s.so.1 at run time; no program is linked with it. */
#define XEN_KEEP                                                                                   \
	XEN_BIN "libxl-save-helper", XEN_BIN "xen-hvmctx", XEN_BIN "xen-init-dom0",                \
		XEN_BIN "xen-mceinj", XEN_BIN "xenconsole", XEN_BIN "xenconsoled",                 \
		XEN_BIN "xenctx", XEN_BIN "xenstored", XEN_BIN "xl", "usr/bin/dash",               \
		"usr/bin/dbclient", "usr/bin/flock", "usr/bin/kmod", "usr/bin/xenstore-ls",        \
		"usr/bin/xenstore-read", "usr/bin/xenstore-write",                                 \
		"usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "usr/lib64/ld-linux-x86-64.so.2",        \
		"usr/sbin/dropbear"
static const char *const xen_ept_keep[] = {XEN_KEEP, NULL};

/* For HVM guests: the device model, and the firmware that starts the kernel of the device model's command line. */
static const char *const xen_keep[] = {
	XEN_KEEP,
	"usr/lib/xen-4.20/boot/hvmloader",
	"usr/libexec/xen-qemu-system-i386",
	"usr/share/qemu/keymaps/en-us",
	"usr/share/qemu/pvh.bin",
	"usr/share/seabios/bios-256k.bin",
	"usr/share/seabios/vgabios-stdvga.bin",
	NULL,
};

static const char *const xen_sysroot[] = {"usr/include", "usr/lib/linux",
					  "usr/lib/x86_64-linux-gnu", "usr/lib64", NULL};

#define XEN_SYSTEM                                                                                 \
	.suite = "trixie", .unused = xen_unused, .hypervisor = "boot/xen-4.20-amd64.gz",           \
	.sysroot = xen_sysroot

static const struct rig_system xen_system = {
	.name = "xen",
	.packages = xen_packages,
	.keep = xen_keep,
	XEN_SYSTEM,
};

/* The unikernel, and the program of guests with the kernel of the host. */
static const char *const xen_guests[] = {"brinell-guest-xen", "brinell-guest", NULL};
static const char *const xen_guest_modules[] = {"loop", NULL};

/* Without a device model: Bochs is slow, and has the whole disk in memory. */
static const struct rig_system xen_ept_system = {
	.name = "ept",
	.packages = xen_ept_packages,
	.keep = xen_ept_keep,
	XEN_SYSTEM,
};

static const char *const xen_agent_sources[] = {"inject/xen", "harness/hypervisor/xen", NULL};

static const char *const xen_agent_libraries[] = {"xenlight",	    "xenctrl",
						  "xenguest",	    "xenstore",
						  "xentoollog",	    "xenforeignmemory",
						  "xendevicemodel", NULL};

static const char *const xen_ready[] = {
	"flock", "-s", "/run/brinell/starting", "test", "-e", "/run/brinell/xen.ready", NULL};

#define XEN_TOOLS                                                                                  \
	.start = "start-xen", .ready = xen_ready, .agent = "brinell-agent-xen",                    \
	.agent_sources = xen_agent_sources, .agent_libraries = xen_agent_libraries

/*
 * Xen selects Intel's machine check path by the vendor of the processor, and SVM by the feature bit. MWAIT is masked because
 * Xen's idle loop executes it outside of any guest, where TCG raises #GP (target/i386/tcg).
 */
#define XEN_PROFILE                                                                                \
	.processors = 1, .memory_mib = 2048,                                                       \
	.processor = "Nehalem-v1,+svm,+npt,xlevel=0x8000000A,-monitor", .modules = xen_modules,    \
	.arguments = "", .system = &xen_system,                                                    \
	.hypervisor_arguments =                                                                    \
		"console=com1 com1=115200,8n1 dom0_mem=768M,max:768M loglvl=all guest_loglvl=all " \
		"mce_verbosity=verbose",                                                           \
	.guests = xen_guests, .guest_modules = xen_guest_modules, .qemu_least = 901, XEN_TOOLS

static const struct rig_profile xen = {
	.name = "xen",
	.summary = "Xen on an Intel processor model with SVM: PVH and HVM guests that migrate to "
		   "the same host",
	.hosts = 1,
	.snapshot = true,
	.local_migration = true,
	XEN_PROFILE,
};

static const struct rig_profile xen_pair = {
	.name = "xen-pair",
	.summary = "two xen hosts with a network between them, for live migration",
	.hosts = 2,
	XEN_PROFILE,
};

static const char *const bochs_packages[] = {"bochs",	    "bochs-term",  "bochsbios", "vgabios",
					     "grub-common", "grub-pc-bin", NULL};

/* Data of desktop libraries that Bochs is linked with. */
static const char *const bochs_unused[] = {"adwaita-",
					   "bochs-wx",
					   "dbus",
					   "debconf",
					   "fonts-",
					   "gtk-update",
					   "hicolor-",
					   "libgtk-3-common",
					   "liblocale",
					   "libpam",
					   "libwx",
					   "mount_",
					   "openssl",
					   "passwd",
					   "perl",
					   "procps",
					   "shared-mime",
					   "systemd",
					   "libsystemd-shared",
					   "tar_",
					   "ucf",
					   "x11-common",
					   "xkb-data",
					   NULL};

/* The plugins that Bochs loads for any PC, whatever its configuration. */
#define BOCHS_PLUGIN "usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_"
static const char *const bochs_keep[] = {
	"usr/bin/bochs-bin",
	"usr/bin/grub-mkimage",
	BOCHS_PLUGIN "acpi.so",
	BOCHS_PLUGIN "biosdev.so",
	BOCHS_PLUGIN "cmos.so",
	BOCHS_PLUGIN "dma.so",
	BOCHS_PLUGIN "extfpuirq.so",
	BOCHS_PLUGIN "floppy.so",
	BOCHS_PLUGIN "gameport.so",
	BOCHS_PLUGIN "harddrv.so",
	BOCHS_PLUGIN "hpet.so",
	BOCHS_PLUGIN "ioapic.so",
	BOCHS_PLUGIN "iodebug.so",
	BOCHS_PLUGIN "keyboard.so",
	BOCHS_PLUGIN "parallel.so",
	BOCHS_PLUGIN "pci.so",
	BOCHS_PLUGIN "pci2isa.so",
	BOCHS_PLUGIN "pci_ide.so",
	BOCHS_PLUGIN "pic.so",
	BOCHS_PLUGIN "pit.so",
	BOCHS_PLUGIN "serial.so",
	BOCHS_PLUGIN "sounddummy.so",
	BOCHS_PLUGIN "speaker.so",
	BOCHS_PLUGIN "term_gui.so",
	BOCHS_PLUGIN "textconfig.so",
	BOCHS_PLUGIN "unmapped.so",
	BOCHS_PLUGIN "usb_uhci.so",
	BOCHS_PLUGIN "vga.so",
	"usr/lib/grub/i386-pc",
	"usr/lib64/ld-linux-x86-64.so.2",
	"usr/share/bochs/BIOS-bochs-latest",
	"usr/share/vgabios/vgabios.bin",
	NULL,
};

static const struct rig_system bochs_system = {
	.name = "bochs",
	.suite = "trixie",
	.packages = bochs_packages,
	.unused = bochs_unused,
	.keep = bochs_keep,
	.here = true,
};

/* The disk is in the archive: QEMU and Bochs have no disk controller in common that the kernel has a driver for. */
static const char *const xen_ept_modules[] = {"loop",	    "erofs",	    "overlay",
					      "xenfs",	    "xen_privcmd",  "xen_evtchn",
					      "xen_gntdev", "xen_gntalloc", NULL};

/*
 * EPT entries keep the type of a page that is not present, and only Bochs emulates EPT. With "reboot=t" Xen ends by a triple
 * fault, at which Bochs ends, instead of a reset.
 */
static const struct rig_profile xen_ept = {
	.name = "xen-ept",
	.summary = "Xen on an Intel processor model with VMX and EPT, in the emulator Bochs: slow",
	.processors = 1,
	.memory_mib = 1536,
	.processor = "corei7_sandy_bridge_2600k",
	.modules = xen_ept_modules,
	.arguments = "brinell.port=/dev/ttyS1",
	.system = &xen_ept_system,
	.bochs = &bochs_system,
	.guests = xen_guests,
	.guest_modules = xen_guest_modules,
	XEN_TOOLS,
	.hypervisor_arguments =
		"console=com1 com1=115200,8n1 dom0_mem=512M,max:512M loglvl=all guest_loglvl=all "
		"mce_verbosity=verbose bootscrub=false reboot=t",
	.hosts = 1,
	.local_migration = true,
	.slowness = 10,
	.boot_s = 100,
};

/* The modules of a KVM host, and VFIO for DMA to guest memory. */
static const char *const gmem_modules[] = {
	"virtio_blk",	  "erofs", "overlay",	 "virtio_pci",
	"virtio_console", "einj",  "mce-inject", "hwpoison-inject",
	"loop",		  "ext4",  "kvm-amd",	 "vhost_vsock",
	"virtio_net",	  "tun",   "bridge",	 "vfio_iommu_type1",
	"vfio-pci",	  "nvme",  NULL};

static const struct rig_profile gmem = {
	.name = "gmem",
	.summary = "AMD server whose KVM has VMs with private memory on any processor",
	.processors = 2,
	.memory_mib = 2560,
	.hosts = 1,
	.private_vms = true,
	KVM_PROFILE(gmem_modules),
};

static const struct rig_profile gmem_pair = {
	.name = "gmem-pair",
	.summary = "two gmem hosts with a network between them, for live migration",
	.processors = 1,
	.memory_mib = 2048,
	.hosts = 2,
	.private_vms = true,
	KVM_PROFILE(gmem_modules),
};

const struct rig_profile *const rig_profiles[] = {&intel,   &kvm,  &kvm_pair,  &xen, &xen_pair,
						  &xen_ept, &gmem, &gmem_pair, NULL};

/**
 * rig_profile_find - find a profile by its name
 * @name: NULL: the default, "intel"
 *
 * Return: the profile, or NULL.
 */
const struct rig_profile *rig_profile_find(const char *name)
{
	if (!name)
		return rig_profiles[0];
	for (const struct rig_profile *const *profile = rig_profiles; *profile; profile++)
		if (strcmp((*profile)->name, name) == 0)
			return *profile;
	return NULL;
}
