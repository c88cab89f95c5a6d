# What is changed while a guest runs and reads its disk: devices, vCPUs, memory, scheduling, pools.

# The guest of this group: up to four vCPUs, two at first, busy with its disk.
busy() {
	[ -e $GUESTS/busy.img ] || disk busy 64
	config busy 31 "memory = 192" "maxmem = 256" "maxvcpus = 4" "vcpus = 2" "disk = [ '$GUESTS/busy.img,raw,xvda,w' ]"
	xl domid busy > /dev/null 2>&1 && return
	up busy
	in_guest busy '(while :; do dd if=/dev/xvda of=/dev/null bs=256k count=16 iflag=direct 2>/dev/null; sleep 0.1; done) > /dev/null 2>&1 &'
}

# Still answering, still reading.
well() {
	answers 31
	in_guest busy 'a=$(awk "{print \$1}" /sys/block/xvda/stat); sleep 1; b=$(awk "{print \$1}" /sys/block/xvda/stat); [ $b -gt $a ]'
}

t_change_block() { # 1200 s
	busy
	disk more 8
	echo a further disk > /tmp/words
	dd if=/tmp/words of=$GUESTS/more.img conv=notrunc
	for n in $(seq "$(reps 3 50)"); do
		xl block-attach busy "$GUESTS/more.img,raw,xvdd,w"
		in_guest busy 'n=0; while [ ! -b /dev/xvdd ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; head -n 1 /dev/xvdd' | grep 'a further disk'
		xl block-list busy | grep "^51760"
		xl block-detach busy xvdd
		in_guest busy 'n=0; while [ -b /dev/xvdd ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; [ ! -b /dev/xvdd ]'
	done
	[ "$(losetup -a | wc -l)" = 1 ]
	well
}

t_change_network() { # 1200 s
	busy
	for n in $(seq "$(reps 3 50)"); do
		xl network-attach busy mac="$(mac 32)" bridge=$BRIDGE
		in_guest busy "n=0; while [ ! -e /sys/class/net/eth1 ] && [ \$n -lt 100 ]; do n=\$((n + 1)); sleep 0.1; done; ip link set eth1 up; ip addr add $NET.32/24 dev eth1; ip route del $NET.0/24 dev eth1; cat /sys/class/net/eth1/address" | grep "$(mac 32)"
		answers 32
		xl network-detach busy 1
		in_guest busy 'n=0; while [ -e /sys/class/net/eth1 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done; [ ! -e /sys/class/net/eth1 ]'
	done
	xl network-list busy
	[ "$(xl network-list busy | wc -l)" = 2 ]
	well
}

t_change_vcpus() { # 1800 s
	busy
	for n in $(seq "$(reps 2 50)"); do
		xl vcpu-set --ignore-host busy 4
		until_true 60 vcpus_are busy 4
		xl vcpu-set --ignore-host busy 1
		until_true 60 vcpus_are busy 1
	done
	xl vcpu-set --ignore-host busy 2
	until_true 60 vcpus_are busy 2
	well
}

t_change_pin() { # 600 s
	busy
	for n in $(seq "$(reps 2 50)"); do
		for cpu in 1 0; do
			xl vcpu-pin busy all $cpu
			xl vcpu-list busy | awk -v c=$cpu 'NR > 1 && $3 <= 1 { split($7, a, "/"); print $0; if ($7 != c) bad = 1 } END { exit bad }'
			in_guest busy 'sleep 0.3; echo alive' | grep alive
			xl vcpu-list busy | awk -v c=$cpu 'NR > 1 && $3 <= 1 && $4 != c { bad = 1 } END { exit bad }'
		done
		xl vcpu-pin busy all all
		xl vcpu-pin busy 0 - 1
		xl vcpu-list busy | awk 'NR > 1 && $3 == 0 { ok = $7 == "all" && $9 == "1" } END { exit !ok }'
		xl vcpu-pin busy all - all
	done
	well
}

t_change_memory() { # 1800 s
	busy
	for n in $(seq "$(reps 2 50)"); do
		xl mem-set busy 144
		until_true 60 sh -c "xl list busy | grep '^busy *[0-9]*  *144 '"
		xl mem-set busy 192
		until_true 60 sh -c "xl list busy | grep '^busy *[0-9]*  *192 '"
	done
	xl mem-max busy 224
	xentop -b -i 1 | awk '$1 == "busy" { print; ok = $7 >= 229376 && $7 < 240000 } END { exit !ok }'
	well
}

t_change_credit2() {
	busy
	xl sched-credit2 -s | grep -i ratelimit
	for n in $(seq "$(reps 3 50)"); do
		xl sched-credit2 -d busy -w 512 -c 50
		xl sched-credit2 -d busy | grep '^busy  *[0-9]*  *512  *50$'
		xl sched-credit2 -d busy -w 256 -c 0
		xl sched-credit2 -d busy | grep '^busy  *[0-9]*  *256  *0$'
	done
	! xl sched-credit2 -d busy -w 70000
	well
}

t_change_pools() { # 1200 s
	busy
	xl cpupool-list -c | grep '^Pool-0 .*0,1'
	for n in $(seq "$(reps 2 50)"); do
		xl cpupool-cpu-remove Pool-0 1
		xl cpupool-create name=\"second\" sched=\"credit2\" cpus=\"1\"
		xl cpupool-list | grep '^second .*credit2'
		xl cpupool-migrate busy second
		xl list -c busy | grep second
		well
		xl cpupool-migrate busy Pool-0
		xl cpupool-destroy second
		xl cpupool-cpu-add Pool-0 1
	done
	xl cpupool-list -c | grep '^Pool-0 .*0,1'
	well
}

# PV guests have no drive that opens: xl says so, and the guest goes on.
t_change_cd() {
	busy
	disk cd 1
	! xl cd-insert busy xvda $GUESTS/cd.img > /tmp/said 2>&1
	grep -i 'requires an HVM domain' /tmp/said
	! xl cd-eject busy xvda > /tmp/said 2>&1
	grep -i 'requires an HVM domain' /tmp/said
	rm $GUESTS/cd.img
	well
}

# One pool for each node of memory: there is one, and it has everybody.
t_change_split() {
	busy
	xl cpupool-numa-split
	xl cpupool-list -c | grep '^Pool-node0 .*0,1'
	xl list -c busy | grep Pool-node0
	xl cpupool-rename Pool-node0 Pool-0
	xl cpupool-list -c | grep '^Pool-0 .*0,1'
	well
}

# A guest goes on in pools with other schedulers.
t_change_schedulers() { # 600 s
	need pv-nodev
	xl cpupool-cpu-remove Pool-0 1
	for kind in null rtds; do
		xl cpupool-create name=\"$kind\" sched=\"$kind\" cpus=\"1\"
		xl cpupool-list | grep "^$kind .* $kind "
		xl cpupool-migrate pv-nodev $kind
		in_guest pv-nodev 'sleep 1; echo alive' | grep alive
		if [ $kind = rtds ]; then
			xl sched-rtds -d pv-nodev -v all -p 20000 -b 10000 -e 1
			xl sched-rtds -d pv-nodev -v 0 | grep '^pv-nodev .* 20000  *10000'
			in_guest pv-nodev 'sleep 1; echo alive' | grep alive
		fi
		xl cpupool-migrate pv-nodev Pool-0
		xl cpupool-destroy $kind
	done
	xl cpupool-cpu-add Pool-0 1
	xl cpupool-list -c | grep '^Pool-0 .*0,1'
	xl destroy pv-nodev
	gone pv-nodev
}

t_change_end() {
	busy
	xl shutdown -w busy
	gone busy
	no_loops
	rm -f $GUESTS/busy.img $GUESTS/more.img
}
