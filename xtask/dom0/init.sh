#!/bin/sh
# First process of the dom0 that xtask boots. The word xenios=MODE on the kernel's command line
# says what to do: shell, demo, demo-xl, demo-guest, xl:GROUP,GROUP..., boot, reboot, dmesg, oslat.
# Every mode but shell ends with one line "XENIOS-DEMO: PASS" or "XENIOS-DEMO: FAIL reason" and
# powers off or reboots.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-linux}
. /xenios/guests.sh

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mountpoint -q /run || mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
hostname dom0
printf '6\n' > /proc/sys/kernel/printk

mode=$(sed -n 's/.*\bxenios=\([^ ]*\).*/\1/p' /proc/cmdline)
say() { echo "demo: $*"; }
off() {
	sync
	mount -o remount,ro / 2>/dev/null
	busybox poweroff -f
	sleep 60
}
pass() { echo "XENIOS-DEMO: PASS"; off; }
fail() { echo "XENIOS-DEMO: FAIL $*"; off; }

xen_modules() {
	for m in xenfs xen-evtchn xen-gntdev xen-gntalloc xen-privcmd; do
		modprobe "$m" 2>/dev/null || say "module $m does not load"
	done
	mountpoint -q /proc/xen || mount -t xenfs xenfs /proc/xen
}

network() {
	modprobe e1000e 2>/dev/null
	modprobe virtio_net 2>/dev/null
	n=0
	while [ $n -lt 20 ]; do
		for i in /sys/class/net/*; do
			[ -e "$i/device" ] && { nic=${i##*/}; break 2; }
		done
		n=$((n + 1))
		sleep 0.5
	done
	[ -n "$nic" ] || return 1
	ip link set lo up
	ip link set "$nic" up
	ip addr add 10.0.2.15/24 dev "$nic"
	ip route add default via 10.0.2.2
}

demo() {
	uname -a
	say "cpus: $(grep -c ^processor /proc/cpuinfo)"
	say "memory: $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
	xen_modules
	say "capabilities: $(cat /proc/xen/capabilities)"
	say "hypervisor: $(cat /sys/hypervisor/type) $(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)$(cat /sys/hypervisor/version/extra)"
	say "devices:" /dev/xen/*
	[ "$(cat /sys/hypervisor/type)" = xen ] || fail "/sys/hypervisor/type is not xen"
	grep -q control_d /proc/xen/capabilities || fail "/proc/xen/capabilities has no control_d"
	for d in evtchn gntdev privcmd xenbus; do
		[ -e /dev/xen/$d ] || fail "/dev/xen/$d is missing"
	done

	# The kernel's file, past the cache, must be what the host has.
	dd if="$(ls /boot/vmlinuz-* | tail -n 1)" of=/tmp/file bs=1M iflag=direct 2>/tmp/dd || fail "the disk does not read: $(cat /tmp/dd)"
	sum=$(sha256sum < /tmp/file | cut -d ' ' -f 1)
	rm /tmp/file
	say "disk: $(tail -n 1 /tmp/dd), sha256 $sum"
	[ "$sum" = "$(cat /xenios/sum)" ] || fail "the disk does not read back what was written: want $(cat /xenios/sum)"

	network || fail "no network interface"
	say "network: $nic $(ip -4 -o addr show dev "$nic" | awk '{print $4}')"
	ping -c 3 -W 5 10.0.2.2 || fail "the gateway 10.0.2.2 does not answer"
	say "clock: $(date -u '+%Y-%m-%d %H:%M:%S'), source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	say "interrupts:"
	awk 'NR == 1 || /ahci|eth|enp|timer|resched|call/' /proc/interrupts
}

# Guests with a disk and a network card, from xl create to xl shutdown: a PV one, and one in a
# virtual machine where the processor can.
demo_guest() {
	guest_initrd
	examples
	demo_one pv 10
	xl info | grep '^virt_caps' | grep -q hvm || { say "no hardware virtualisation"; return; }
	demo_one pvh 12
}

# demo_one NAME ADDRESS
demo_one() {
	say "a guest: xl create /etc/xen/$1.cfg"
	sed 's/^/    /' "/etc/xen/$1.cfg"
	start=$(now)
	up "$1" || fail "xl create $1.cfg"
	say "it is up after $(($(now) - start)) s; its console:"
	tr -d '\r' < "$(console_log "$1")" | sed 's/^/    /'
	xl list
	ping -c 3 -W 5 "$NET.$2" || fail "the guest does not answer a ping"
	in_guest "$1" "dd if=/dev/zero of=/dev/xvda bs=1M count=8 conv=fsync 2>&1 && echo hello from the $1 guest | dd of=/dev/xvda conv=fsync 2>/dev/null" || fail "the guest cannot write its disk"
	said=$(head -n 1 "$GUESTS/$1.img" | tr -d '\0')
	say "its disk, read by dom0: $said"
	[ "$said" = "hello from the $1 guest" ] || fail "the guest's disk does not hold what it wrote"
	say "xl shutdown $1"
	xl shutdown -w "$1" || fail "xl shutdown"
	gone "$1" || fail "the guest stays"
	xl list
}

# What guests cost: with icount a nanosecond is an instruction. Memory is in KiB, as exact as
# xl info shows it.
bench_xl() {
	guest_initrd
	examples
	total=$(xl info | sed -n 's/^total_memory *: //p')
	mine=$(xl list 0 | awk 'NR == 2 { print $3 }')
	echo "XLBENCH hypervisor_KiB $(((total - $(free_memory) - mine) * 1024))"
	# The first guest waits for the disk, as long as the machine below takes; the next one finds
	# in memory what is read.
	up pv -q || fail "xl create"
	xl destroy pv
	gone pv
	: > "$(console_log pv)"
	start=$(date +%s%N)
	xl create -q /etc/xen/pv.cfg || fail "xl create"
	created=$(date +%s%N)
	tail -c +1 -f "$(console_log pv)" | grep -q -m 1 'guest: first process'
	echo "XLBENCH xl_create_Minsn $(((created - start) / 1000000))"
	echo "XLBENCH xl_create_to_first_process_Minsn $((($(date +%s%N) - start) / 1000000))"
	start=$(date +%s%N)
	xl destroy pv
	echo "XLBENCH xl_destroy_Minsn $((($(date +%s%N) - start) / 1000000))"
	gone pv
	before=$(free_memory)
	for n in 1 2 3 4; do
		config "small-$n" - "memory = 96"
		xl create -q -p "/etc/xen/small-$n.cfg" || fail "xl create -p"
	done
	echo "XLBENCH domain_overhead_KiB $(((before - $(free_memory) - 4 * 96) * 256))"
	echo "XLBENCH-END"
}

# In the background of an interactive dom0: what makes `xl create -c /etc/xen/pv.cfg` work.
prepare() {
	toolstack
	guest_initrd
	examples
}

case "$mode" in
shell)
	xen_modules
	network || say "no network interface"
	prepare > /var/log/xenios.log 2>&1 || say "the toolstack's daemons do not start: see /var/log/xenios.log"
	echo "dom0 of $(cat /sys/hypervisor/type 2>/dev/null || echo no hypervisor); 'poweroff' ends."
	echo "A guest: xl create -c /etc/xen/pv.cfg ('poweroff' ends it too, Ctrl-] leaves its console)."
	printf '#!/bin/sh\nsync\nexec busybox poweroff -f\n' > /usr/local/sbin/poweroff
	printf '#!/bin/sh\nsync\nexec busybox reboot -f\n' > /usr/local/sbin/reboot
	chmod +x /usr/local/sbin/poweroff /usr/local/sbin/reboot
	export PATH=/usr/local/sbin:$PATH
	cd /root
	setsid busybox cttyhack /bin/bash -i
	off
	;;
bench-xl)
	xen_modules
	toolstack || fail "the toolstack's daemons do not start"
	bench_xl
	pass
	;;
reboot)
	uname -a
	say "cpus: $(grep -c ^processor /proc/cpuinfo)"
	echo "XENIOS-DEMO: PASS"
	sync
	busybox reboot -f
	sleep 60
	;;
boot)
	uname -a
	say "cpus: $(grep -c ^processor /proc/cpuinfo)"
	pass
	;;
demo)
	demo
	pass
	;;
demo-xl)
	demo
	toolstack || fail "the toolstack's daemons do not start"
	xl info || fail "xl info"
	xl list || fail "xl list"
	pass
	;;
demo-guest)
	demo
	toolstack || fail "the toolstack's daemons do not start"
	demo_guest
	pass
	;;
xl:*)
	echo 3 > /proc/sys/kernel/printk
	xen_modules
	toolstack || fail "the toolstack's daemons do not start"
	. /xenios/scenarios.sh
	scenarios "${mode#xl:}" || fail "the scenarios did not run"
	pass
	;;
dmesg)
	xen_modules
	network
	echo "DMESG-BEGIN"
	dmesg
	echo "DMESG-END"
	pass
	;;
oslat)
	exec 2>&1
	/xenios/oslat || fail "oslat"
	pass
	;;
*)
	fail "unknown mode '$mode'"
	;;
esac
