# Guests that try what they may not: the test kernels of the workspace, booted as guests.

# kernel NAME [CASE ...]: boots it; every case but those named must pass.
kernel() {
	kernel=$1
	shift
	[ -e "/xenios/$kernel" ] || { echo "no kernel /xenios/$kernel: cargo xtask build"; return 1; }
	{
		echo "name = '$kernel'"
		echo "kernel = '/xenios/$kernel'"
		echo "memory = 256"
		echo "vcpus = 2"
		# xl's own limit is 1023: the kernels look for the interface's.
		echo "max_event_channels = 4096"
		echo "extra = 'cmdline-of-guest'"
		echo "on_crash = 'preserve'"
	} > "/etc/xen/$kernel.cfg"
	from=$(stat -c %s "$(console_log "$kernel")" 2>/dev/null || echo 0)
	xl create "/etc/xen/$kernel.cfg"
	seen "$kernel" GUEST-END 200 "$from"
	tail -c "+$((from + 1))" "$(console_log "$kernel")" | tr -d '\r' > /tmp/cases
	gone "$kernel" || { xl list; xl destroy "$kernel"; return 1; }
	for case; do echo "FAIL $case:"; done > /tmp/expected
	passed=$(grep -c '^PASS' /tmp/cases)
	echo "$passed cases passed"
	[ "$passed" -gt 10 ]
	! grep '^FAIL' /tmp/cases | grep -vFf /tmp/expected
}

t_protect_domu() { kernel pv-domu; }

# Left out: what only a control domain has or may do, on the real Xen as well. It is told so and
# shown the hypervisor's command line, uses the hypervisor's console, sees the machine's memory and
# CPUs, and has the devices' interrupts, ports and clock. That guests are refused all of it is what
# pv-domu checks.
t_protect_basic() {
	kernel pv-basic start-info version-features version-strings console-write console-read \
		memory-machine-map platform-cpuinfo pirq-map-bind io-ports rtc
}

t_protect_hostile() { kernel pv-hostile; }

# dom0 and the hypervisor have come through, and nothing of the guests is left.
t_protect_end() {
	[ "$(xl list | wc -l)" = 2 ]
	xl info > /dev/null
	! dmesg | grep -e 'BUG:' -e 'WARNING: CPU' -e 'Oops'
}
