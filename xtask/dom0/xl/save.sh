# Guests that leave memory and come back: saved to a file and restored, checkpointed, moved to
# another domain on the same machine.
STATE=/var/lib/xenios/state

# Something in the guest's memory that it must find again, and a process that counts.
remember() {
	in_guest "$1" 'dd if=/dev/urandom of=/tmp/memory bs=1M count=24 2>/dev/null; sha256sum < /tmp/memory > /tmp/sum'
	in_guest "$1" '(while :; do echo . >> /tmp/count; sleep 0.1; done) < /dev/null > /dev/null 2>&1 &'
}

# It is what it was, its process counts, its disk and network work.
remembers() {
	in_guest "$1" 'sha256sum < /tmp/memory | cmp - /tmp/sum && echo same' 120 | grep same
	before=$(in_guest "$1" 'wc -l < /tmp/count')
	sleep 2
	[ "$(in_guest "$1" 'wc -l < /tmp/count')" -gt "$before" ]
	answers "$2" 60
	in_guest "$1" "echo $3 | dd of=/dev/xvda conv=fsync 2>/dev/null"
	head -c ${#3} "$GUESTS/$1.img" | grep "$3"
}

t_save_restore() { # 600 s
	free=$(free_memory)
	up pv
	remember pv
	id=$(xl domid pv)
	xl save pv $STATE
	gone pv
	until_true 20 sh -c "[ \"\$(xl info | sed -n 's/^free_memory *: //p')\" = $free ]"
	xl restore $STATE
	[ "$(xl domid pv)" -gt "$id" ]
	remembers pv 10 restored
	rm $STATE
}

t_save_again() { # 600 s
	need pv
	remember pv
	for n in $(seq "$(reps 1 5)"); do
		xl save pv $STATE
		xl restore $STATE
		rm $STATE
		remembers pv 10 "again $n"
	done
}

t_save_checkpoint() { # 600 s
	need pv
	remember pv
	id=$(xl domid pv)
	xl save -c pv $STATE
	[ "$(xl domid pv)" = "$id" ]
	remembers pv 10 checkpoint
	xl save -p pv $STATE
	state pv | grep p
	xl unpause pv
	remembers pv 10 unpaused
	rm $STATE
	xl shutdown -w pv
	gone pv
}

t_save_smp() { # 600 s
	config pv-save 12 "vcpus = 3" "disk = [ '$GUESTS/pv-save.img,raw,xvda,w' ]"
	disk pv-save 16
	up pv-save
	remember pv-save
	xl vcpu-set --ignore-host pv-save 2
	until_true 30 vcpus_are pv-save 2
	xl save pv-save $STATE
	xl restore -p $STATE
	state pv-save | grep p
	xl unpause pv-save
	remembers pv-save 12 smp
	in_guest pv-save '[ $(grep -c ^processor /proc/cpuinfo) = 2 ]'
	xl vcpu-set --ignore-host pv-save 3
	until_true 30 vcpus_are pv-save 3
	rm $STATE
	xl destroy pv-save
	gone pv-save
}

t_save_migrate() { # 900 s
	up pv
	remember pv
	id=$(xl domid pv)
	xl migrate -s '' pv 'xl migrate-receive'
	[ "$(xl domid pv)" -gt "$id" ]
	# xenconsoled goes on with the name that it had while it arrived.
	console_log() { echo "$LOGS/console/guest-$1--incoming.log"; }
	touch "$(console_log pv)"
	remembers pv 10 moved
	xl destroy pv
	gone pv
}

# A state that was cut short is refused, and nothing is left of the attempt.
t_save_damaged() { # 300 s
	up pv
	xl save pv $STATE
	free=$(free_memory)
	truncate -s 3M $STATE
	! xl restore $STATE
	gone pv
	until_true 20 sh -c "[ \"\$(xl info | sed -n 's/^free_memory *: //p')\" = $free ]"
	rm $STATE
}
