#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The scripts that make what an emulated host boots, with doubles of apt and dpkg: no network, and no rig.

setup() {
	scripts=$(cd "$BATS_TEST_DIRNAME/../../harness/rig/image" && pwd)
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	export release packages=$BATS_TEST_TMPDIR/packages PATH=$BATS_TEST_TMPDIR/bin:$PATH
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/cache/work" "$packages"
	cd "$BATS_TEST_TMPDIR/cache/work" || return 1
	# The dollars are those of the doubles.
	# shellcheck disable=SC2016
	double apt-get 'case $1 in
		indextargets) echo "http://mirror other main"; echo "http://mirror $release main" ;;
		update) ! grep -q "${offline:-nothing}" "${APT_CONFIG%/*}/etc/sources.list" || { echo "E: no network" >&2; exit 100; } ;;
		install) cat "$packages/uris" ;;
		download) shift 4; echo "dlstatus:1:50.5000:x"; for name; do tar -C "$packages/$name" -cf "${name}_1.deb" .; done ;;
		esac'
	double apt-config 'echo "Acquire::http::Proxy \"http://proxy\";"'
	# shellcheck disable=SC2016
	double apt-cache 'cat "$packages/$3.control" || exit 100'
	# shellcheck disable=SC2016
	double dpkg-deb 'mkdir -p "$3"; tar -C "$3" -xf "$2"'
	# shellcheck disable=SC2016
	double modinfo 'sed -n "s/^depends //p" "$3"'
}

double() { # NAME BODY
	printf '#!/bin/bash\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

make() { # SCRIPT VERB: what it prints is in ./progress
	run bash -c '"$0" "$1" "$2" >>progress' "$scripts/make-$1" "$2" "$PWD"
}

control() { # NAME VERSION DEPENDS
	printf 'Package: %s\nVersion: %s\nSize: 1500000\nDepends: %s\n' "$1" "$2" "$3" >"$packages/$1.control"
}

kernel_packages() { # VERSION: image, split-off modules and configuration, and a tool that is not wanted
	control linux-image-amd64 "$1" "linux-image-k (= $1)"
	control linux-image-k "$1" "kmod, linux-base (>= 4) | linux-initramfs-tool, linux-base-k (= $1), linux-modules-k (= $1)"
	control linux-modules-k "$1" linux-base-k
	control linux-base-k "$1" ''
	mkdir -p "$packages"/linux-image-k/boot "$packages"/linux-modules-k/usr/lib/modules/k-amd64/kernel/a
	echo kernel >"$packages/linux-image-k/boot/vmlinuz-k"
	mkdir -p "$packages/linux-base-k/usr/lib/modules/k-amd64"
	echo CONFIG_X=y >"$packages/linux-base-k/usr/lib/modules/k-amd64/config"
	module "$packages/linux-modules-k/usr/lib/modules/k-amd64/kernel/a"
}

module() { # DIRECTORY: three modules, one of them compressed
	printf 'depends low,base-b\n' >"$1/top-a.ko"
	printf 'depends base_b\n' | xz >"$1/low.ko.xz"
	printf 'depends \n' >"$1/base-b.ko"
}

@test "the newest kernel is found, fetched and unpacked with the modules that are wanted" {
	kernel_packages 6.18.1-1~bpo13+1
	printf '%s\n' 'module top-a' 'module built_in' 'guest-module base_b' >request
	# shellcheck disable=SC2016
	double modinfo 'case $3 in *.xz) xz -dc "$3" ;; *) cat "$3" ;; esac | sed -n "s/^depends //p"'
	make kernel find
	[ "$status" -eq 0 ]
	[ "$(cat facts.json)" = '{"version": "6.18.1-1~bpo13+1"}' ]
	[ "$(paste -sd ' ' packages)" = 'linux-image-k linux-base-k linux-modules-k' ]
	grep -q 'http://mirror trixie-backports main' ../apt/etc/sources.list
	grep -q proxy ../apt/apt.conf
	make kernel fetch
	[ "$status" -eq 0 ]
	[ "$(cat facts.json)" = '{"release": "k-amd64", "version": "6.18.1-1~bpo13+1"}' ]
	[ "$(cat ready/vmlinuz)" = kernel ]
	[ "$(cat ready/config)" = CONFIG_X=y ]
	[ "$(paste -sd ' ' ready/brinell.load)" = 'base_b.ko low.ko top_a.ko' ]
	[ "$(cat ready/brinell.guest)" = base_b.ko ]
	[ "$(cat ready/low.ko)" = 'depends base_b' ]
	grep -q '^progress 0.411988 downloading 6.18.1-1~bpo13+1, 2 of 4 MB$' progress
	grep -q '^progress 0.93 picking modules$' progress
}

@test "an old kernel of backports gives way to the release's, with a warning" {
	kernel_packages 6.12.9-1
	make kernel find
	[ "$status" -eq 0 ]
	grep -q "^warning no kernel of trixie-backports can be had (it is too old); taking 6.12.9-1 of Debian $release, which does not know EINJv2" progress
}

@test "without backports the warning holds apt's reason" {
	kernel_packages 6.19-1
	offline=trixie-backports make kernel find
	[ "$status" -eq 0 ]
	grep -q "^warning .*(apt-get update failed (status 100): E: no network.*which knows EINJv2" progress
}

@test "without a network the error holds apt's reason and a way out" {
	offline=mirror make kernel find
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == "error: no kernel can be fetched from http://mirror: apt-get update failed (status 100): E: no network"*--kernel ]]
	[ ! -e facts.json ]
}

@test "a metapackage without a kernel is an error" {
	control linux-image-amd64 6.18-1 'linux-base'
	make kernel find
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == "error: "*"leads to no kernel"* ]]
}

@test "the configuration of a kernel that is one package is in /boot" {
	kernel_packages 6.18-1
	rm "$packages/linux-base-k/usr/lib/modules/k-amd64/config"
	echo CONFIG_O=y >"$packages/linux-image-k/boot/config-k-amd64"
	make kernel find
	make kernel fetch
	[ "$status" -eq 0 ]
	[ "$(cat ready/config)" = CONFIG_O=y ]
}

@test "packages without modules are an error" {
	kernel_packages 6.18-1
	rm -r "$packages/linux-modules-k/usr"
	rm -r "$packages/linux-base-k/usr"
	make kernel find
	make kernel fetch
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = 'error: the packages of 6.18-1 contain no modules' ]
}

@test "a full disk is noticed before the download" {
	kernel_packages 6.18-1
	make kernel find
	double df 'echo Avail; echo 5242880'
	make kernel fetch
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == "error: fetching the kernel needs 11 MiB free in $BATS_TEST_TMPDIR/cache, there are 5 MiB; make room, or set XDG_CACHE_HOME"* ]]
	[ ! -e root ]
}

@test "modules are picked from the build tree of a user" {
	mkdir -p tree/drivers
	module tree/drivers
	rm tree/drivers/low.ko.xz
	echo CONFIG_Y=y >tree/.config
	printf '%s\n' 'module top-a' "tree $PWD/tree" >request
	make kernel modules
	[ "$status" -eq 0 ]
	[ "$(paste -sd ' ' ready/brinell.load)" = 'base_b.ko top_a.ko' ]
	[ "$(cat ready/config)" = CONFIG_Y=y ]
	sed -i 's/^tree.*/tree nowhere/' request
	make kernel modules
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == 'error: find nowhere failed'*'No such file'* ]]
}

system_request() {
	printf '%s\n' 'suite trixie' 'package qemu' 'unused mesa' "busybox $(command -v busybox)" 'keep etc/conf' 'keep usr/bin/tool' >request
	printf '%s\n' "'http://x/a' qemu_1_amd64.deb 1000000 SHA256:x" "'http://x/b' mesa-dri_2_amd64.deb 9000000 x" \
		"'http://x/c' libs_3_amd64.deb 1000000 x" >"$packages/uris"
	# The tool is a program of this machine; its library leads to another one.
	mkdir -p "$packages/qemu/usr/bin" "$packages/qemu/etc/conf" "$packages/libs/usr/lib/x86_64-linux-gnu"
	cp "$(command -v readelf)" "$packages/qemu/usr/bin/tool"
	echo text >"$packages/qemu/etc/conf/file"
	local library
	for library in $(ldd "$(command -v readelf)" | awk '{ print $3 ? $3 : $1 }' | grep ^/); do
		cp -L "$library" "$packages/libs/usr/lib/x86_64-linux-gnu"
	done
	cp -L /lib64/ld-linux-x86-64.so.2 "$packages/libs/usr/lib/x86_64-linux-gnu"
	echo unused >"$packages/libs/usr/lib/x86_64-linux-gnu/libunused.so"
}

@test "the disk holds what is kept, with the libraries it is linked with" {
	system_request
	make system find
	[ "$status" -eq 0 ]
	[ "$(cat facts.json)" = '{"suite": "trixie", "packages": ["qemu_1_amd64.deb","libs_3_amd64.deb"]}' ]
	[ "$(paste -sd ' ' packages)" = 'qemu libs' ]
	make system fetch
	[ "$status" -eq 0 ]
	[ -s ready/root.erofs ]
	[ "$(cat tree/etc/conf/file)" = text ]
	[ -x tree/usr/bin/tool ]
	[ -f tree/usr/lib/x86_64-linux-gnu/libc.so.6 ]
	[ ! -e tree/usr/lib/x86_64-linux-gnu/libunused.so ]
	[ "$(readlink tree/usr/bin/sh tree/usr/bin/modprobe tree/bin | paste -sd ' ')" = 'dash kmod usr/bin' ]
	[ tree/usr/bin/mount -ef tree/usr/bin/busybox ]
	grep -q '^progress 0.85 making' progress
	cp ready/root.erofs first
	rm -r ready root tree
	make system fetch
	cmp first ready/root.erofs
}

@test "a path or a library that the packages lack is an error" {
	system_request
	make system find
	rm "$packages/libs/usr/lib/x86_64-linux-gnu/libc.so.6"
	make system fetch
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == 'error: the packages of trixie have no usr/lib/x86_64-linux-gnu/libc.so.6, which the host needs'* ]]
	rm -r root tree
	rm "$packages/qemu/usr/bin/tool"
	make system fetch
	[[ ${lines[-1]} == 'error: the packages of trixie have no usr/bin/tool,'* ]]
}

@test "hypervisor and sysroot are kept beside the disk" {
	system_request
	printf '%s\n' 'hypervisor boot/xen.gz' 'sysroot usr/include' >>request
	mkdir -p "$packages/qemu/boot" "$packages/qemu/usr/include"
	echo multiboot | gzip >"$packages/qemu/boot/xen.gz"
	echo '#define X' >"$packages/qemu/usr/include/x.h"
	make system find
	make system fetch
	[ "$status" -eq 0 ]
	[ "$(cat ready/hypervisor)" = multiboot ]
	[ "$(tar -tf ready/sysroot.tar | grep -v '/$')" = usr/include/x.h ]
	rm -r root tree ready
	rm "$packages/qemu/boot/xen.gz"
	make system fetch
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == 'error: gzip -dc failed'*'boot/xen.gz'* ]]
}

@test "what runs on this machine is in one directory, with its libraries and a loader" {
	system_request
	printf '%s\n' 'here yes' 'keep usr/lib/grub/i386-pc' >>request
	sed -i 's|keep etc/conf|keep usr/bin/grub-mkimage|' request
	mkdir -p "$packages/qemu/usr/lib/grub/i386-pc"
	printf boot- >"$packages/qemu/usr/lib/grub/i386-pc/boot.img"
	echo program >"$packages/qemu/usr/bin/grub-mkimage"
	# Every program is started by the dynamic loader of the packages.
	cat >"$packages/libs/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" <<-'END'
		#!/bin/sh
		[ "$1 $2 $3" = '--library-path ready ready/grub-mkimage' ] && cat menu >core.img
	END
	chmod +x "$packages/libs/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
	make system find
	make system fetch
	[ "$status" -eq 0 ]
	[ "$(cat ready/loader)" = 'boot-configfile (hd0)1024+8' ]
	[ -x ready/tool ] && [ -f ready/libc.so.6 ] && [ -f ready/grub-mkimage ]
	[ ! -e ready/root.erofs ] && [ ! -e ready/libunused.so ] && [ ! -e tree ]
}

@test "an agent is built with the sysroot, and an error of the compiler is named" {
	mkdir -p sysroot/usr/lib64 source
	tar -cf sysroot.tar -C sysroot usr
	: >source/part.c
	printf '%s\n' 'name agent-x' "object $PWD/rest.o" "top $PWD" "source $PWD/source" "sysroot $PWD/sysroot.tar" \
		'library one' 'library two' >request
	# shellcheck disable=SC2016
	double gcc 'echo "$*" >arguments; while [ "$1" != -o ]; do shift; done; echo program >"$2"'
	make agent build
	[ "$status" -eq 0 ]
	[ "$(cat ready/agent-x)" = program ]
	grep -q -- "--sysroot=$PWD/root .* -I$PWD .*$PWD/rest.o $PWD/source/part.c .*-lone -ltwo$" arguments
	[ "$(cat facts.json)" = '{"agent": "agent-x"}' ]
	rm -r root ready
	double gcc 'echo "part.c:1: error: no xenctrl.h" >&2; exit 1'
	make agent build
	[ "$status" -ne 0 ]
	[[ ${lines[-1]} == 'error: gcc --sysroot='*'part.c:1: error: no xenctrl.h' ]]
}

archive_request() { # further lines
	printf '%s\n' "busybox $(command -v busybox)" "agent $scripts/make-common" "init $scripts/init" 'profile intel' 'release k' "$@" >request
}

archive_files() { cpio --quiet -tv <ready/initramfs | awk '{ print $1, $3 ":" $4, $9 }'; }

@test "the archive of a host in memory belongs to root" {
	mkdir modules
	module modules
	rm modules/low.ko.xz
	echo base-b.ko >modules/brinell.load
	echo CONFIG_Z=y >modules/config
	double depmod ':'
	archive_request "modules $PWD/modules"
	make archive make
	[ "$status" -eq 0 ]
	[ "$(cat facts.json)" = '{"profile": "intel", "release": "k"}' ]
	archive_files | grep -qx -- '-rwxr-xr-x root:root init'
	[ "$(cat tree/lib/modules/k/config)" = CONFIG_Z=y ]
	archive_files | grep -q 'bin/brinell-agent'
	archive_files | grep -q 'lib/modules/k/brinell.load'
	[ "$(archive_files | grep -cv root:root)" -eq 0 ]
	[ "$(cat tree/etc/brinell/expendable tree/etc/brinell/rig | paste -sd ' ')" = 'rig-intel intel' ]
}

@test "the archive of a host with a disk has what is laid over the disk in host/" {
	touch brinell-guest brinell-guest-xen
	archive_request 'disk yes' "guest $PWD/brinell-guest" "guest $PWD/brinell-guest-xen" "start $scripts/start-libvirt" "kernel $scripts/init"
	make archive make
	[ "$status" -eq 0 ]
	for file in init host/init host/usr/bin/brinell-agent host/usr/bin/brinell-guest host/usr/bin/brinell-guest-xen host/etc/brinell/start host/boot/vmlinuz bin/mount; do
		archive_files | grep -q " $file$"
	done
	[ "$(readlink tree/lib)" = host/usr/lib ]
	[ "$(archive_files | grep -c host/etc/passwd)" -eq 0 ]
}

@test "a tool that fails is named with its last message, and a missing one with ./setup" {
	archive_request
	double cpio 'echo first >&2; echo broken pipe >&2; exit 3'
	make archive make
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = 'error: cpio --quiet failed (status 3): first;broken pipe' ]
	mkdir few
	for tool in bash df find install ln mkdir sed setpriv sort tail tee tr; do
		ln -s "$(PATH=/usr/bin:/bin command -v "$tool")" few
	done
	rm -r tree ready
	PATH=$PWD/few make archive make
	[ "${lines[-1]}" = 'error: cpio is not installed: ./setup installs it' ]
}

@test "where no namespace can be made, KVM is not built, and nothing is fetched" {
	printf '%s\n' 'release k-amd64' 'version 6.18.1-1~bpo13+1' >request
	# shellcheck disable=SC2016
	double unshare 'echo "unshare failed: Operation not permitted, $*" >&2; exit 1'
	for user in 0 1000; do
		double id "echo $user"
		make kvm build
		[ "$status" -eq 1 ]
		[[ $output == "error: building KVM needs mounts of its own, and 'unshare --mount"*"Operation not permitted"* ]]
		[[ $user -eq 0 || $output == *"'unshare --mount --map-root-user' is refused"* ]]
		[ ! -e packages ] && [ ! -s progress ]
	done
}
