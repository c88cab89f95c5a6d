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

# used NAME: its CPU time so far, ms.
used() { xl list "$1" | awk 'NR == 2 { printf "%d", $6 * 1000 }'; }

# over SECONDS: the milliseconds each used meanwhile, in $a and $b.
over() {
	a=$(used hog-a)
	b=$(used hog-b)
	sleep "$1"
	b=$(($(used hog-b) - b))
	a=$(($(used hog-a) - a))
	echo "hog-a $a ms, hog-b $b ms in $1 s"
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
	[ "$a" -ge 4500 ]
	[ "$a" -le 5500 ]
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
