# Runs groups of scenarios: the functions called t_GROUP_NAME in /xenios/xl/GROUP.sh, in the order
# in which they are written, each in a shell of its own that stops at the first command that
# fails. Prints "xl: GROUP begin COUNT", "ok GROUP-NAME SECONDS s" or "FAIL GROUP-NAME: reason",
# "xl: GROUP end". The word xenios.full on the kernel's command line asks for the long forms.
FULL=
grep -q '\bxenios\.full\b' /proc/cmdline && FULL=yes
export FULL

# The lines that explain a failure: the command that failed and what it said.
reason() { grep -v '^+* *\(sleep\|deadline=\|\[\|now\|sed s/\[\)' "$1" | tail -n "${2:-6}" | tr '\n' '|'; }

# A scenario's name, made of its function's.
title() { echo "$1" | sed 's/^t_//; s/_/-/g'; }

scenario() {
	began=$(now)
	name=$(title "$2")
	log=$LOGS/scenario-$name.log
	limit=$(sed -n "s/^$2() { *# *\([0-9]*\) s.*/\1/p" "/xenios/xl/$1.sh")
	# What it does is on the console too, so that a machine that hangs says where.
	{
		timeout -k 5 "${limit:-240}" sh -ec ". /xenios/guests.sh; . /xenios/xl/$1.sh; set -x; $2" < /dev/null 2>&1
		echo $? > /tmp/status
	} | tee "$log" | sed -u 's/^/    | /'
	status=$(cat /tmp/status)
	if [ $status -eq 0 ]; then
		echo "ok $name $(($(now) - began)) s"
		return
	fi
	[ $status -eq 124 ] && echo "not done in ${limit:-240} s" >> "$log"
	echo "FAIL $name: status $status: $(reason "$log")"
	# What the guests were at, for who looks for the cause: it goes where `xl dmesg` does.
	{
		xl vcpu-list
		xl debug-keys q
		xl debug-keys e
		xl debug-keys r
		for domain in $(xl list | awk 'NR > 2 { print $2 }'); do
			timeout 20 /usr/lib/xen-*/bin/xenctx -C -a "$domain" || true
		done
	} > "$log.state" 2>&1
	keep_logs
	# What it left half way must not fail those that follow.
	{
		reap
		losetup -D
		for pool in $(xl cpupool-list | awk 'NR > 1 && $1 != "Pool-0" { print $1 }'); do xl cpupool-destroy "$pool"; done
		xl cpupool-cpu-add Pool-0 all
	} > "$log.reap" 2>&1
}

scenarios() {
	guest_initrd
	examples
	for group in $(echo "$1" | tr , ' '); do
		script=/xenios/xl/$group.sh
		[ -e "$script" ] || return 1
		cases=$(sed -n 's/^\(t_[a-z0-9_]*\)() {.*/\1/p' "$script")
		only=$(sed -n 's/.*\bxenios\.only=\([^ ]*\).*/\1/p' /proc/cmdline)
		[ -z "$only" ] || cases=$(for case in $cases; do title "$case" | grep -qE -- "$only" && echo "$case"; done)
		echo "xl: $group begin $(echo "$cases" | wc -w)"
		for case in $cases; do scenario "$group" "$case"; done
		reap > $LOGS/reap.log 2>&1
		keep_logs
		echo "xl: $group end"
	done
}

# Leaves the logs on the second disk, where xtask takes them from.
keep_logs() {
	xl dmesg > $LOGS/xl-dmesg.log
	dmesg > $LOGS/dom0-dmesg.log
	# The disk for logs is the one that the root is not on: their names change places.
	case $(awk '$2 == "/" && /^\/dev/ { print $1 }' /proc/mounts | tail -n 1) in
	/dev/sda) disk=/dev/sdb ;;
	/dev/sdb) disk=/dev/sda ;;
	*) return ;;
	esac
	[ ! -b $disk ] || tar -C $LOGS -cf $disk .
}
