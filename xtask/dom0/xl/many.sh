# Thirty guests at once, of 64 MiB each. Debian's kernels with an initrd fit into no less than
# 72 MiB when they are loaded (xl itself says so), so each begins with 80 and is brought down.

shown() { xl list | awk '$1 ~ /^many-/ && $3 == 64' | wc -l; }
all_small() { [ "$(shown)" = 30 ]; }

t_many() { # 3000 s
	before=$(free_memory)
	for n in $(seq 30); do
		config "many-$n" $((100 + n)) "memory = 80"
		xl create -q "/etc/xen/many-$n.cfg"
	done
	for n in $(seq 30); do answers $((100 + n)) 300; done
	for n in $(seq 30); do xl mem-set "many-$n" 64; done
	until_true 300 all_small
	xl list
	# Now that all of them are up, and small.
	for n in $(seq 30); do answers $((100 + n)) 10; done
	for n in $(seq 30); do xl destroy "many-$n"; done
	for n in $(seq 30); do gone "many-$n"; done
	[ "$(free_memory)" = "$before" ]
}
