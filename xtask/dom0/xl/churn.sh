# Guests made and ended again and again leave nothing behind.

cycle() {
	xl create /etc/xen/churn.cfg
	if [ $(($1 % 5)) = 0 ]; then
		seen churn GUEST-READY 300 "$2"
	fi
	xl destroy churn
	gone churn
}

t_churn() { # 2400 s
	disk churn 8
	config churn 41 "disk = [ '$GUESTS/churn.img,raw,xvda,w' ]"
	# What the first guest leaves in caches does not count.
	cycle 1 0
	before=$(free_memory)
	nodes=$(xenstore-ls / | wc -l)
	for n in $(seq "$(reps 10 200)"); do
		cycle "$n" "$(stat -c %s "$(console_log churn)")"
	done
	[ "$(free_memory)" = "$before" ]
	no_loops
	[ "$(xl list | wc -l)" = 2 ]
	left=$(xenstore-ls / | wc -l)
	echo "$nodes nodes before, $left after"
	[ "$left" -le $((nodes + 2)) ]
	rm $GUESTS/churn.img
}
