#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's own test of conversions, private_mem_conversions_test, from Debian's source of the kernel of the rig: a measure,
# and no part of brinell.
#
#   make_peer.sh build DIRECTORY   DIRECTORY/ready gets the program, linked statically
#
# Request: release RELEASE of the kernel.
# shellcheck source=harness/rig/image/make-common
. "${BASH_SOURCE%/*}/../../harness/rig/image/make-common"

release=$(values release)
[[ $release =~ ^([0-9]+\.[0-9]+) ]] || die "the request names no release of a kernel: '$release'"
package=linux-source-${BASH_REMATCH[1]}

apt_open apt
apt_update trixie-backports
paragraph=$(apt-cache show --no-all-versions "$package" 2>/dev/null) ||
	die "trixie-backports has no $package: the kernel of the rig, $release, is older; 'brinell rig build --refresh' fetches a newer one"
need_space 2500000000 "the kernel's own tests"
echo "$package" >packages
apt_fetch 3 40 'the source of the kernel' "$(sed -n 's/^Size: //p' <<<"$paragraph")"
archive=$(find root/usr/src -name 'linux-source-*.tar.*' -print -quit)
[ "$archive" ] || die "$package holds no archive of the source"
mkdir source headers ready built
run tar -C source --strip-components=1 -xf "$archive"
run make -s -C source O="$work/headers" headers
run make -s -C source/tools/testing/selftests/kvm OUTPUT="$work/built" ARCH=x86 LDFLAGS=-static \
	KHDR_INCLUDES="-isystem $work/headers/usr/include" "$work/built/x86/private_mem_conversions_test"
mv built/x86/private_mem_conversions_test ready/
