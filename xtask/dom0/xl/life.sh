# The life of guests: what xl shows of them and does to them as a whole.

t_life_info() {
	xl info | grep -q '^xen_version .*: 4.20'
}
