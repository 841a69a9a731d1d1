#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Runs on a rig host: starts a small guest through libvirt some times in a row, and waits each time for the guest's own
# end. Usage: guest.sh TIMES. Prints a line for each, and fails with the first guest that does not do what it should.
set -eu

mkdir -p /run/guest/root/bin
cd /run/guest
cp /bin/busybox root/bin/
modules=/lib/modules/$(uname -r)
: >root/load
[ ! -f "$modules/brinell.guest" ] || while read -r module; do
	cp "$modules/$module" root/
	echo "$module" >>root/load
done <"$modules/brinell.guest"
cat >root/init <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t sysfs sys /sys
while read -r module; do
	/bin/busybox insmod "/$module"
done </load
# The file /dev/vsock is there with the module; a device that is driven is there with the device alone.
for device in /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio*; do
	[ -e "$device" ] && vsock=vsock
done
read -r seconds idle </proc/uptime
echo "guest: up after $seconds s with ${vsock:-no vsock}, $(/bin/busybox grep -c ^processor /proc/cpuinfo) processors"
/bin/busybox poweroff -f
END
chmod 755 root/init
(cd root && find . | cpio -o -H newc 2>/dev/null) >initramfs
cat >guest.xml <<'END'
<domain type='kvm'>
  <name>guest-NUMBER</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/boot/vmlinuz</kernel>
    <initrd>/run/guest/initramfs</initrd>
    <cmdline>console=ttyS0 loglevel=4 panic=-1</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough'><feature policy='disable' name='tsc-deadline'/></cpu>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='pipe'><source path='/run/guest/console'/></serial>
    <vsock><cid auto='yes'/></vsock>
    <memballoon model='none'/>
  </devices>
</domain>
END
mkfifo console.in console.out

round=0
while [ $round -lt "$1" ]; do
	round=$((round + 1))
	# QEMU's end, however it comes, is the end of this file.
	timeout 120 cat console.out >console.log &
	reader=$!
	read -r before _ </proc/uptime
	sed "s/NUMBER/$round/" guest.xml >domain.xml
	virsh -q create domain.xml >/dev/null
	if ! wait $reader; then
		echo "guest $round hangs: $(virsh domstate "guest-$round") $(tail -n 3 console.log)"
		exit 1
	fi
	read -r after _ </proc/uptime
	tr -d '\r' <console.log | grep -a '^guest: up .* with vsock' || {
		echo "guest $round did not come up with a vsock: $(tail -n 3 console.log)"
		exit 1
	}
	echo "guest $round ended after $before to $after"
done
