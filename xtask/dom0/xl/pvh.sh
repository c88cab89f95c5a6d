# PVH guests: Debian's kernel in a virtual machine without a device model.

# pvh NAME ADDRESS [line ...]: as config, for a PVH guest.
pvh() {
	name=$1
	addr=$2
	shift 2
	config "$name" "$addr" "type = 'pvh'" "$@"
}

# The guest of this group. It begins with all its vCPUs: one that the MADT calls disabled has no
# APIC ID in Linux from 6.9 on ("invalid APIC ID ffff"), on any hypervisor.
vm() {
	[ -e $GUESTS/vm.img ] || disk vm 64
	pvh vm 20 "memory = 192" "vcpus = 4" "disk = [ '$GUESTS/vm.img,raw,xvda,w' ]"
	xl domid vm > /dev/null 2>&1 || up vm
}

t_pvh_info() {
	xl info > /tmp/info
	grep '^virt_caps .*pv.*hvm.*hap' /tmp/info
	grep '^xen_caps .*hvm-3.0-x86_64' /tmp/info
}

t_pvh_create() { # 300 s
	vm
	xl list vm | grep '^vm  *[0-9]*  *19[12]  *4 '
	xl list -l vm | grep '"type": "pvh"'
	in_guest vm 'cat /sys/hypervisor/guest_type; dmesg | grep -i "hypervisor detected"' | grep -i pvh
	answers 20
}

t_pvh_disk() {
	vm
	in_guest vm 'dd if=/dev/zero of=/dev/xvda bs=1M count=16 conv=fsync 2>&1; echo written by a virtual machine | dd of=/dev/xvda conv=fsync,notrunc 2>/dev/null'
	head -n 1 $GUESTS/vm.img | grep -a 'written by a virtual machine'
	in_guest vm 'dd if=/dev/xvda bs=1M iflag=direct 2>/dev/null | sha256sum' | cut -d ' ' -f 1 > /tmp/sum
	sha256sum < $GUESTS/vm.img | grep "$(cat /tmp/sum)"
}

t_pvh_network() {
	vm
	ping -c 20 -i 0.2 -s 1400 -W 5 $NET.20
	in_guest vm "ping -c 5 -W 5 $NET.1"
	in_guest vm 'dd if=/dev/zero bs=1M count=8 2>/dev/null | nc -l -p 5001 -w 30 > /dev/null 2>&1 &'
	sleep 1
	# An end that closes its half first would end the other.
	[ "$(sleep 20 | busybox nc -w 20 $NET.20 5001 | wc -c)" = 8388608 ]
}

t_pvh_console() {
	vm
	in_guest vm 'echo one plus one is $((1 + 1))' | grep 'is 2'
	(sleep 2; printf 'hello\r'; sleep 3; printf '\035') | timeout 20 script -qec "xl console vm" /tmp/console || true
	grep -a 'guest: type sh for a shell' /tmp/console
}

t_pvh_clock() {
	vm
	in_guest vm 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource' | grep -E 'xen|tsc'
	a=$(in_guest vm 'date +%s')
	sleep 5
	b=$(in_guest vm 'date +%s')
	[ $((b - a)) -ge 5 ]
	[ $((b - a)) -le 30 ]
	d=$(($(date +%s) - b))
	[ "${d#-}" -le 10 ]
}

t_pvh_pause() {
	vm
	answers 20
	xl pause vm
	state vm | grep p
	! ping -c 2 -W 1 $NET.20
	xl unpause vm
	answers 20
}

t_pvh_vcpus() { # 600 s
	vm
	for n in $(seq "$(reps 2 50)"); do
		xl vcpu-set --ignore-host vm 1
		until_true 60 vcpus_are vm 1
		xl vcpu-set --ignore-host vm 4
		until_true 60 vcpus_are vm 4
	done
	xl vcpu-set --ignore-host vm 2
	until_true 60 vcpus_are vm 2
	answers 20
}

t_pvh_pin() {
	vm
	for cpu in 1 0; do
		xl vcpu-pin vm all $cpu
		in_guest vm 'sleep 0.3; echo alive' | grep alive
		xl vcpu-list vm | awk -v c=$cpu 'NR > 1 && $3 <= 1 && $4 != c { bad = 1 } END { exit bad }'
	done
	xl vcpu-pin vm all all
}

t_pvh_memory() { # 600 s
	vm
	for n in $(seq "$(reps 2 50)"); do
		xl mem-set vm 144
		until_true 60 sh -c "xl list vm | grep '^vm *[0-9]*  *144 '"
		xl mem-set vm 192
		until_true 60 sh -c "xl list vm | grep '^vm *[0-9]*  *19[12] '"
	done
	in_guest vm 'free -m'
	answers 20
}

t_pvh_block() { # 600 s
	vm
	disk more 8
	echo a further disk > /tmp/words
	dd if=/tmp/words of=$GUESTS/more.img conv=notrunc
	for n in $(seq "$(reps 2 50)"); do
		xl block-attach vm "$GUESTS/more.img,raw,xvdd,w"
		in_guest vm 'n=0; while [ ! -b /dev/xvdd ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; head -n 1 /dev/xvdd' | grep 'a further disk'
		xl block-detach vm xvdd
		in_guest vm 'n=0; while [ -b /dev/xvdd ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; [ ! -b /dev/xvdd ]'
	done
	[ "$(losetup -a | wc -l)" = 1 ]
}

t_pvh_interface() { # 600 s
	vm
	for n in $(seq "$(reps 2 50)"); do
		xl network-attach vm mac="$(mac 22)" bridge=$BRIDGE
		in_guest vm "n=0; while [ ! -e /sys/class/net/eth1 ] && [ \$n -lt 100 ]; do n=\$((n + 1)); sleep 0.1; done; ip link set eth1 up; ip addr add $NET.22/24 dev eth1; ip route del $NET.0/24 dev eth1; cat /sys/class/net/eth1/address" | grep "$(mac 22)"
		answers 22
		xl network-detach vm 1
		in_guest vm 'n=0; while [ -e /sys/class/net/eth1 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; [ ! -e /sys/class/net/eth1 ]'
	done
	answers 20
}

t_pvh_trigger() {
	vm
	xl trigger vm nmi 0
	in_guest vm 'echo alive' | grep alive
	# There is no button, and pressing it does nothing.
	xl trigger vm power
	in_guest vm 'echo alive' | grep alive
}

t_pvh_sysrq() {
	vm
	from=$(stat -c %s "$(console_log vm)")
	in_guest vm 'echo 7 > /proc/sys/kernel/printk; echo 1 > /proc/sys/kernel/sysrq'
	xl sysrq vm h
	seen vm 'sysrq: HELP' 20 "$from"
	in_guest vm 'echo 1 > /proc/sys/kernel/printk'
}

t_pvh_reboot() { # 300 s
	vm
	id=$(xl domid vm)
	from=$(stat -c %s "$(console_log vm)")
	xl reboot vm
	seen vm GUEST-READY 300 "$from"
	[ "$(xl domid vm)" != "$id" ]
	answers 20
}

t_pvh_shutdown() {
	vm
	xl shutdown -w vm
	gone vm
	no_loops
}

t_pvh_smp() { # 600 s
	for n in 1 8; do
		pvh smp - "vcpus = $n" "memory = 256"
		up smp
		in_guest smp 'grep -c ^processor /proc/cpuinfo' | grep "^$n\$"
		[ "$(xl vcpu-list smp | grep -c '^smp ')" = "$n" ]
		in_guest smp 'for n in 1 2 3 4 5 6 7 8; do (i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done) & done; wait; echo all done' 120 | grep 'all done'
		xl shutdown -w smp
		gone smp
	done
}

t_pvh_on_reboot() { # 300 s
	pvh auto - "extra = 'console=hvc0 quiet auto=reboot,-f'" "on_reboot = 'destroy'"
	xl create /etc/xen/auto.cfg
	gone auto 200
}

t_pvh_on_crash() { # 480 s
	crash='extra = "console=hvc0 quiet auto=echo,c,>,/proc/sysrq-trigger"'
	pvh auto - "$crash" "on_crash = 'preserve'"
	xl create /etc/xen/auto.cfg
	until_true 150 sh -c 'xl list auto | grep -- " .\{4\}c. "'
	xl destroy auto
	gone auto
	pvh auto - "$crash" "on_crash = 'restart'"
	xl create /etc/xen/auto.cfg
	id=$(xl domid auto)
	until_true 200 sh -c "xl domid auto && [ \"\$(xl domid auto)\" -gt $id ]"
	until_true 60 xl destroy auto
	gone auto
}

t_pvh_large() { # 480 s
	pvh large - "memory = $(($(free_memory) - 96))"
	before=$(free_memory)
	up large
	in_guest large 'free -m'
	xl destroy large
	gone large
	[ "$(free_memory)" = "$before" ]
}

t_pvh_cycles() { # 2400 s
	disk cycle 8
	pvh cycle 23 "disk = [ '$GUESTS/cycle.img,raw,xvda,w' ]"
	cycles cycle "$(reps 10 100)"
	rm $GUESTS/cycle.img
}
