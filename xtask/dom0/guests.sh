# What dom0 needs to have guests: daemons, network, the guests' initrd, disks, configurations.
# Sourced by init.sh and by the scenarios.
GUESTS=/var/lib/xenios
LOGS=/var/log/xen
BRIDGE=xenbr0
NET=10.77.0
export PATH=$PATH:/usr/lib/xen-4.20/bin

# The daemons and modules of a dom0, started as Debian's xen-utils would.
toolstack() {
	for m in xen-blkback xen-netback bridge loop; do
		modprobe "$m" 2>/dev/null || echo "module $m does not load"
	done
	mkdir -p /var/run/xen /run/lock /var/lib/xenstored $LOGS/console /var/lib/xen/dump
	rm -f $LOGS/console/* /var/lib/xenstored/*
	oxenstored --pid-file /var/run/xen/xenstored.pid || return 1
	xenstore-write /local/domain/0/name Domain-0 || return 1
	xen-init-dom0 || return 1
	xenconsoled --log=guest --timestamp=none --pid-file=/var/run/xen/xenconsoled.pid || return 1
	ip link set lo up
	ip link add name $BRIDGE type bridge stp_state 0 forward_delay 0
	ip addr add $NET.1/24 dev $BRIDGE
	ip link set $BRIDGE up
}

# guest_tree DIR: the content of a guest's initrd but its drivers: a static busybox, our init.
guest_tree() {
	rm -rf "$1"
	mkdir -p "$1/bin" "$1/dev" "$1/proc" "$1/sys" "$1/modules"
	cp "$(command -v busybox)" "$1/bin/busybox"
	cp /xenios/guest-init "$1/init"
	chmod +x "$1/init"
}

# pack DIR FILE: makes the initrd.
pack() {
	(cd "$1" && find . | busybox cpio -o -H newc) > "$2" 2>/dev/null
	rm -rf "$1"
}

# The initrd of guests with dom0's kernel, and that kernel.
guest_initrd() {
	mkdir -p $GUESTS
	guest_tree /tmp/guest
	n=0
	for name in xen-blkfront xen-netfront; do
		for file in $(modprobe -D $name | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
			n=$((n + 1))
			to=/tmp/guest/modules/$(printf %02d $n)-$(basename "${file%.xz}")
			case "$file" in
			*.xz) busybox unxz -c "$file" > "$to" ;;
			*) cp "$file" "$to" ;;
			esac
		done
	done
	pack /tmp/guest $GUESTS/guest.img
	ln -sf "$(ls /boot/vmlinuz-* | tail -n 1)" $GUESTS/vmlinuz
}

# An empty disk of so many MiB.
disk() {
	truncate -s "$2M" "$GUESTS/$1.img"
}

# config NAME ADDRESS [line ...]: writes /etc/xen/NAME.cfg, a guest with our initrd, a PV one unless
# a line says otherwise. The lines come last and win over what is here.
config() {
	name=$1
	addr=$2
	shift 2
	{
		echo "# A guest: Debian's kernel, an initrd with busybox. xl create -c /etc/xen/$name.cfg"
		echo "name = '$name'"
		echo "kernel = '$GUESTS/vmlinuz'"
		echo "ramdisk = '$GUESTS/guest.img'"
		echo "memory = 128"
		echo "vcpus = 1"
		if [ "$addr" = - ]; then
			echo "extra = 'console=hvc0 quiet'"
		else
			echo "extra = 'console=hvc0 quiet addr=$NET.$addr'"
			echo "vif = [ 'mac=$(mac "$addr"),bridge=$BRIDGE' ]"
		fi
		for line; do echo "$line"; done
	} > "/etc/xen/$name.cfg"
}

mac() { printf '00:16:3e:77:00:%02x' "$1"; }

# The examples that stay in dom0.
examples() {
	mkdir -p /etc/xen
	disk pv 64
	config pv 10 "disk = [ '$GUESTS/pv.img,raw,xvda,w' ]"
	config pv-nodev -
	config pv-smp 11 "vcpus = 2" "memory = 192"
	disk pvh 64
	config pvh 12 "type = 'pvh'" "vcpus = 2" "disk = [ '$GUESTS/pvh.img,raw,xvda,w' ]"
}

# Where a guest's console is logged; xenconsoled reopens it when the guest is made again.
console_log() { echo "$LOGS/console/guest-$1.log"; }

# Seconds since dom0's start.
now() { sed 's/[. ].*//' /proc/uptime; }

# seen NAME TEXT [SECONDS] [FROM]: waits until the guest's console shows TEXT after FROM bytes.
seen() {
	deadline=$(($(now) + ${3:-60}))
	while [ "$(now)" -lt $deadline ]; do
		tail -c "+$((${4:-0} + 1))" "$(console_log "$1")" 2>/dev/null | grep -qa -- "$2" && return 0
		sleep 0.2
	done
	echo "guest $1 did not print '$2' in ${3:-60} s; its end:"
	tail -n 5 "$(console_log "$1")"
	return 1
}

# Creates a guest and waits until it is up. More words go to xl create.
up() {
	guest=$1
	shift
	start=$(stat -c %s "$(console_log "$guest")" 2>/dev/null || echo 0)
	xl create "/etc/xen/$guest.cfg" "$@" || return 1
	seen "$guest" GUEST-READY 300 "$start"
}

# in_guest NAME COMMAND: runs it in the guest over its console; its output, its status.
in_guest() {
	id=@$$-$(date +%s%N)
	tty=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty") || return 1
	from=$(stat -c %s "$(console_log "$1")")
	echo "$id $2" > "$tty"
	seen "$1" "^$id-END" "${3:-60}" "$from" >&2 || return 1
	tail -c "+$((from + 1))" "$(console_log "$1")" | tr -d '\r' > /tmp/said.$$
	sed "/^$id-END/,\$d" /tmp/said.$$
	return "$(sed -n "s/^$id-END //p" /tmp/said.$$)"
}

# gone NAME [SECONDS]: waits until no domain has that name, nor is dying nameless.
gone() {
	deadline=$(($(now) + ${2:-60}))
	while [ "$(now)" -lt $deadline ]; do
		xl list | awk -v n="$1" 'NR > 1 && ($1 == n || $1 == "(null)") { found = 1 } END { exit !found }' || return 0
		sleep 0.2
	done
	echo "domain $1 is still there:"
	xl list
	return 1
}

# Waits until the guest answers a ping.
answers() {
	n=0
	while [ $n -lt "${2:-20}" ]; do
		ping -c 1 -W 1 "$NET.$1" > /dev/null && return 0
		n=$((n + 1))
	done
	echo "$NET.$1 does not answer"
	return 1
}

# Ends every guest there is.
reap() {
	for id in $(xl list | awk 'NR > 1 && $2 != 0 { print $2 }'); do xl destroy "$id"; done
	n=0
	while [ "$(xl list | wc -l)" -gt 2 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.2; done
}

# need NAME: a running guest of that configuration, made now if there is none.
need() {
	xl domid "$1" > /dev/null 2>&1 || up "$1"
}

# state NAME: its six letters in xl list.
state() { xl list "$1" | awk 'NR == 2 { print $5 }'; }

# until_true SECONDS COMMAND ...: tries it again and again.
until_true() {
	# A name of its own: what is tried has deadlines too.
	tried_until=$(($(now) + $1))
	shift
	while [ "$(now)" -lt $tried_until ]; do
		"$@" > /dev/null 2>&1 && return 0
		sleep 0.2
	done
	echo "still not: $*"
	return 1
}

# vcpus_are NAME COUNT: switches on the CPUs that a guest has been given, which its udev does
# where there is one, and whether it has so many then.
vcpus_are() {
	[ "$(in_guest "$1" 'for c in /sys/devices/system/cpu/cpu*/online; do [ "$(cat $c)" = 1 ] || echo 1 > $c; done 2>/dev/null; grep -c ^processor /proc/cpuinfo')" = "$2" ]
}

# cycles NAME COUNT: makes a configured guest and ends it again, as often; each fifth time it
# comes up. Free memory, loop devices, domains and xenstore are as before.
cycles() {
	# What the first guest leaves in caches does not count.
	cycle "$1" 1
	before=$(free_memory)
	nodes=$(xenstore-ls / | wc -l)
	for n in $(seq "$2"); do cycle "$1" "$n"; done
	[ "$(free_memory)" = "$before" ]
	no_loops
	[ "$(xl list | wc -l)" = 2 ]
	left=$(xenstore-ls / | wc -l)
	echo "$nodes nodes before, $left after"
	[ "$left" -le $((nodes + 2)) ]
}

# One of them, the Nth.
cycle() {
	from=$(stat -c %s "$(console_log "$1")" 2> /dev/null || echo 0)
	xl create "/etc/xen/$1.cfg"
	[ $(($2 % 5)) != 0 ] || seen "$1" GUEST-READY 300 "$from"
	xl destroy "$1"
	gone "$1"
}

# Free memory as xl shows it, MiB.
free_memory() { xl info | sed -n 's/^free_memory *: //p'; }

# reps SHORT LONG: the number of repetitions in this run.
reps() { if [ -n "$FULL" ]; then echo "$2"; else echo "$1"; fi; }

# Waits until no loop device is left: xl lets go of a disk after its domain is gone.
no_loops() { until_true 30 sh -c '[ -z "$(losetup -a)" ]'; }
