#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# usage: hand.sh prepare | hand.sh start
# Runs on a rig host: a guest started by hand, with the kernel, the QEMU and the devices of a micro guest, and
# busybox, the first act of which is a hello on the console. `start` prints the time of it in seconds, and ends the guest.
set -eu

directory=/run/bench-hand

prepare() {
	mkdir -p "$directory/root/bin" "$directory/root/dev"
	cp /bin/busybox "$directory/root/bin/"
	printf '#!/bin/busybox sh\necho bench: hello\nexec /bin/busybox sh\n' >"$directory/root/init"
	chmod 755 "$directory/root/init"
	mknod "$directory/root/dev/console" c 5 1
	(cd "$directory/root" && find . | cpio -o -H newc 2>/dev/null) >"$directory/initramfs"
	mkfifo "$directory/console"
}

start() {
	read -r began _ </proc/uptime
	qemu-system-x86_64 -accel kvm -machine q35 -cpu host,-tsc-deadline -m 256 -smp 1 \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel /boot/vmlinuz -initrd "$directory/initramfs" -append "console=ttyS0 loglevel=4 panic=-1" \
		-serial stdio -device vhost-vsock-pci,guest-cid=4711 -device virtio-balloon-pci -device pvpanic \
		</dev/null >"$directory/console" 2>"$directory/err" &
	qemu=$!
	said=
	while read -r line; do
		case $line in
		*"bench: hello"*)
			said=yes
			break
			;;
		esac
	done <"$directory/console"
	read -r ended _ </proc/uptime
	kill -9 $qemu
	wait $qemu || :
	[ "$said" ] || {
		echo "the guest ended before its hello: $(tail -n 3 "$directory/err")" >&2
		exit 1
	}
	echo "$began $ended"
}

"$1"
