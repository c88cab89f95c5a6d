# Shares of a CPU: weights, caps, what a fork bomb and load do to others; with guests that never
# stop counting, all on CPU 1.

hogs() {
	for guest in hog-a hog-b; do
		config $guest - "cpus = '1'"
		xl domid $guest > /dev/null 2>&1 && continue
		up $guest
		in_guest $guest '(while :; do :; done) > /dev/null 2>&1 &'
	done
	# dom0's own work does not count against them.
	xl vcpu-pin 0 all 0
}

# The CPU time of hog-a and hog-b so far, and the time of day, in ms; all at one moment.
used() {
	xl list > /tmp/list
	awk '{ print int($1 * 1000) }' /proc/uptime > /tmp/when
	awk '$1 == "hog-a" { a = $6 } $1 == "hog-b" { b = $6 } END { printf "%d %d ", a * 1000, b * 1000 }' /tmp/list
	cat /tmp/when
}

# over SECONDS: the milliseconds each used meanwhile, in $a and $b, and how long it was, in $t.
over() {
	before=$(used)
	sleep "$1"
	set -- $before $(used)
	a=$(($4 - $1))
	b=$(($5 - $2))
	t=$(($6 - $3))
	echo "hog-a $a ms, hog-b $b ms in $t ms"
}

t_cpu_equal() { # 480 s
	hogs
	over 10
	[ $((a * 100 / (a + b))) -ge 47 ]
	[ $((a * 100 / (a + b))) -le 53 ]
}

t_cpu_weights() { # 480 s
	hogs
	xl sched-credit2 -d hog-b -w 512
	sleep 2
	over 10
	xl sched-credit2 -d hog-b -w 256
	# A third and two thirds, within 5 %.
	[ $((a * 1000 / (a + b))) -ge 316 ]
	[ $((a * 1000 / (a + b))) -le 350 ]
}

t_cpu_cap() { # 480 s
	hogs
	xl pause hog-b
	xl sched-credit2 -d hog-a -c 50
	sleep 2
	over 10
	xl sched-credit2 -d hog-a -c 0
	xl unpause hog-b
	# Half a CPU, within 5 % of one.
	[ $((a * 1000 / t)) -ge 450 ]
	[ $((a * 1000 / t)) -le 550 ]
}

# A mostly idle guest is woken at once, however busy its CPU is.
t_cpu_wakeup() { # 480 s
	hogs
	config idle 61 "cpus = '1'"
	up idle
	answers 61
	ping -c 100 -i 0.1 -W 5 -q $NET.61 > /tmp/pings
	tail -n 2 /tmp/pings
	grep ' 0% packet loss' /tmp/pings
	# min/avg/max in ms: on average no more than a few ms, and never a second.
	sed -n 's,^rtt .* = [0-9.]*/\([0-9]*\)\.[0-9]*/\([0-9]*\)\..*,\1 \2,p' /tmp/pings | awk '{ ok = $1 < 20 && $2 < 1000 } END { exit !ok }'
	xl destroy idle
	gone idle
}

# A guest that forks as fast as it can beside its hog takes nothing from another.
t_cpu_bomb() { # 480 s
	hogs
	in_guest hog-a 'echo 400 > /proc/sys/kernel/threads-max; (while :; do sh -c "b() { b | b & b; }; b"; done) > /dev/null 2>&1 &'
	sleep 5
	over 20
	[ $((b * 100 / (a + b))) -ge 47 ]
	in_guest hog-b 'echo still here' | grep 'still here'
	xl list hog-a
	xl destroy hog-a
	gone hog-a
}

t_cpu_end() {
	xl vcpu-pin 0 all all
	reap
}
