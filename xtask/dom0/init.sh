#!/bin/sh
# First process of the dom0 that xtask boots. The word xenios=MODE on the kernel's command line
# says what to do: shell, demo, demo-xl, boot, reboot, dmesg, oslat. Every mode but shell ends
# with one line "XENIOS-DEMO: PASS" or "XENIOS-DEMO: FAIL reason" and powers off or reboots.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-linux}

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

toolstack() {
	for m in xen-blkback xen-netback; do modprobe "$m" 2>/dev/null; done
	mkdir -p /var/run/xen /var/lib/xenstored /var/log/xen/console /var/lib/xen
	export PATH=$PATH:/usr/lib/xen-4.20/bin
	oxenstored --pid-file /var/run/xen/xenstored.pid || return 1
	xenstore-write /local/domain/0/name Domain-0 || return 1
	xen-init-dom0 || return 1
	xenconsoled --pid-file=/var/run/xen/xenconsoled.pid
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

case "$mode" in
shell)
	xen_modules
	network || say "no network interface"
	echo "dom0 of $(cat /sys/hypervisor/type 2>/dev/null || echo no hypervisor); 'poweroff' ends."
	printf '#!/bin/sh\nsync\nexec busybox poweroff -f\n' > /usr/local/sbin/poweroff
	printf '#!/bin/sh\nsync\nexec busybox reboot -f\n' > /usr/local/sbin/reboot
	chmod +x /usr/local/sbin/poweroff /usr/local/sbin/reboot
	export PATH=/usr/local/sbin:$PATH
	cd /root
	setsid busybox cttyhack /bin/bash -i
	off
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
