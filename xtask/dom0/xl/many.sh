# Thirty guests at once.

t_many() { # 3000 s
	before=$(free_memory)
	for n in $(seq 30); do
		config "many-$n" $((100 + n)) "memory = 64"
		xl create -q "/etc/xen/many-$n.cfg"
	done
	xl list
	[ "$(xl list | wc -l)" = 32 ]
	for n in $(seq 30); do answers $((100 + n)) 300; done
	for n in $(seq 30); do xl destroy "many-$n"; done
	for n in $(seq 30); do gone "many-$n"; done
	[ "$(free_memory)" = "$before" ]
}
