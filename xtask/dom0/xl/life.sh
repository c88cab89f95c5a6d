# The life of guests: what xl shows of them, and does to them as a whole. A comment after a
# function's brace is its time limit.

t_life_info() {
	xl info -n > /tmp/info
	grep '^xen_version .*: 4.20' /tmp/info
	grep '^xen_caps .*xen-3.0-x86_64' /tmp/info
	grep '^xen_scheduler .*: credit2' /tmp/info
	grep '^xen_commandline .*dom0_mem=' /tmp/info
	grep '^nr_cpus .*: 2' /tmp/info
	grep '^virt_caps .*pv' /tmp/info
	grep -A 3 '^cpu_topology' /tmp/info | grep '^ *1:'
	grep -A 3 '^numa_info' /tmp/info | grep '^ *0:'
	[ "$(sed -n 's/^total_memory *: //p' /tmp/info)" -gt 4000 ]
	[ "$(free_memory)" -gt 2800 ]
}

t_life_create() { # 300 s
	up pv
	xl list pv | grep '^pv  *[0-9]*  *128  *1 '
	[ "$(xl domname "$(xl domid pv)")" = pv ]
}

t_life_list() {
	need pv
	xl list -v | grep '^pv .*-[a-z0-9]*$'
	xl list -l | python3 -c 'import json, sys; d = json.load(sys.stdin); print([x["domid"] for x in d]); assert any(x["config"]["c_info"].get("name") == "pv" for x in d)'
	xl list -n pv
	xl list -Z pv
	xl vm-list | grep ' pv *$'
	xl vcpu-list pv | grep '^pv .* 0 '
	xl uptime pv | grep '^pv '
	xl network-list pv | grep -i 00:16:3e:77:00:0a
	xl block-list pv | grep 51712
	xl claims | grep '^pv '
	xl sharing | grep -i name
}

t_life_console() {
	need pv
	in_guest pv 'echo one plus one is $((1 + 1))' | grep 'is 2'
	# A terminal of its own: typed, answered, left with Ctrl-].
	(sleep 2; printf 'hello\r'; sleep 3; printf '\035') | timeout 20 script -qec "xl console pv" /tmp/console || true
	grep -a 'guest: type sh for a shell' /tmp/console
}

t_life_create_c() { # 300 s
	config auto - "extra = 'console=hvc0 quiet auto=echo,said,by,the,guest'"
	mkfifo /tmp/keys
	sleep 200 > /tmp/keys &
	timeout 200 script -qec "xl create -c /etc/xen/auto.cfg" /tmp/console < /tmp/keys || true
	kill $!
	rm /tmp/keys
	grep -a 'said by the guest' /tmp/console
	gone auto
}

t_life_pause() {
	need pv
	answers 10
	xl pause pv
	state pv | grep p
	! ping -c 2 -W 1 $NET.10
	xl unpause pv
	answers 10
}

t_life_rename() {
	need pv
	id=$(xl domid pv)
	xl rename pv other
	[ "$(xl domid other)" = "$id" ]
	! xl domid pv
	xl rename other pv
	[ "$(xl domid pv)" = "$id" ]
}

t_life_dmesg() {
	xl dmesg | grep -i xen
	# What a key shows is the hypervisor's own business; that it was pressed is said by all.
	for key in h q; do
		xl debug-keys $key
		until_true 10 sh -c "xl dmesg | grep \"'$key' pressed\""
	done
	xl dmesg -c > /dev/null
}

t_life_top() {
	need pv
	xentop -b -i 2 -d 1 > /tmp/top
	grep ' pv ' /tmp/top
	grep ' Domain-0 ' /tmp/top
	xentop -b -i 1 -v -n -x > /tmp/top
	grep -i 'VBD BlkBack' /tmp/top
}

t_life_trigger() {
	need pv
	xl trigger pv nmi 0
	in_guest pv 'echo alive' | grep alive
	! xl trigger pv nonsense
}

t_life_sysrq() {
	need pv
	from=$(stat -c %s "$(console_log pv)")
	in_guest pv 'echo 7 > /proc/sys/kernel/printk; echo 1 > /proc/sys/kernel/sysrq'
	xl sysrq pv h
	seen pv 'sysrq: HELP' 20 "$from"
	in_guest pv 'echo 1 > /proc/sys/kernel/printk'
}

t_life_dump_core() {
	need pv
	xl dump-core pv /var/tmp/core
	head -c 4 /var/tmp/core | grep -a ELF
	grep -qa xen_pages /var/tmp/core
	[ "$(stat -c %s /var/tmp/core)" -gt 100000000 ]
	rm /var/tmp/core
	answers 10
}

t_life_reboot() { # 300 s
	need pv
	id=$(xl domid pv)
	from=$(stat -c %s "$(console_log pv)")
	xl reboot pv
	seen pv GUEST-READY 300 "$from"
	[ "$(xl domid pv)" != "$id" ]
	answers 10
}

t_life_shutdown() {
	need pv
	xl shutdown -w pv
	gone pv
	no_loops
}

t_life_destroy() { # 300 s
	need pv
	id=$(xl domid pv)
	timeout 60 xenstore-watch -n 3 @releaseDomain > /tmp/releases 2> /dev/null &
	sleep 1
	xl destroy pv
	gone pv
	until_true 10 sh -c '[ "$(wc -l < /tmp/releases)" -ge 2 ]'
	! xenstore-read "/local/domain/$id/name"
	! xenstore-ls "/local/domain/0/backend/vbd/$id"
	! xenstore-ls "/local/domain/0/backend/vif/$id"
	no_loops
	[ ! -e "/sys/class/net/vif$id.0" ]
}

t_life_paused_at_birth() { # 300 s
	xl create -p /etc/xen/pv-nodev.cfg
	state pv-nodev | grep p
	sleep 2
	xl list pv-nodev | awk 'NR == 2 { exit $6 + 0 > 0.1 }'
	xl unpause pv-nodev
	seen pv-nodev GUEST-READY 300
	xl destroy pv-nodev
	gone pv-nodev
}

t_life_on_poweroff() { # 300 s
	config auto - "extra = 'console=hvc0 quiet auto=true'" "on_poweroff = 'preserve'"
	xl create /etc/xen/auto.cfg
	until_true 150 sh -c 'xl list auto | grep -- "..-s--"'
	xl destroy auto
	gone auto
}

t_life_on_reboot() { # 300 s
	config auto - "extra = 'console=hvc0 quiet auto=reboot,-f'" "on_reboot = 'destroy'"
	xl create /etc/xen/auto.cfg
	gone auto 200
}

t_life_on_crash() { # 480 s
	crash='extra = "console=hvc0 quiet auto=echo,c,>,/proc/sysrq-trigger"'
	config auto - "$crash" "on_crash = 'preserve'"
	xl create /etc/xen/auto.cfg
	until_true 150 sh -c 'xl list auto | grep -- " .\{4\}c. "'
	xl destroy auto
	gone auto
	config auto - "$crash" "on_crash = 'restart'"
	xl create /etc/xen/auto.cfg
	id=$(xl domid auto)
	until_true 200 sh -c "xl domid auto && [ \"\$(xl domid auto)\" -gt $id ]"
	until_true 60 xl destroy auto
	gone auto
	config auto - "$crash" "on_crash = 'coredump-destroy'"
	xl create /etc/xen/auto.cfg
	gone auto 200
	ls -l /var/lib/xen/dump
	rm /var/lib/xen/dump/*auto*
}

t_life_vcpus() { # 480 s
	config smp - "vcpus = 8" "memory = 256"
	up smp
	in_guest smp 'grep -c ^processor /proc/cpuinfo' | grep '^8$'
	[ "$(xl vcpu-list smp | grep -c '^smp ')" = 8 ]
	xl destroy smp
	gone smp
	config smp - "vcpus = 2" "memory = 128"
	up smp
	in_guest smp 'grep -c ^processor /proc/cpuinfo' | grep '^2$'
	xl shutdown -w smp
	gone smp
}

t_life_memory() { # 480 s
	config small - "memory = 80"
	up small
	in_guest small 'free -m'
	xl destroy small
	gone small
	config big - "memory = $(($(free_memory) - 64))"
	before=$(free_memory)
	up big
	in_guest big 'free -m'
	xl destroy big
	gone big
	[ "$(free_memory)" = "$before" ]
	config toobig - "memory = $(($(free_memory) + 64))"
	! xl create /etc/xen/toobig.cfg
	gone toobig
	[ "$(free_memory)" = "$before" ]
}
