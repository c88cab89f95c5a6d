# PVH guests: Debian's kernel in a virtual machine without a device model.

# pvh NAME ADDRESS [line ...]: as config, for a PVH guest.
pvh() {
	name=$1
	addr=$2
	shift 2
	config "$name" "$addr" "type = 'pvh'" "$@"
}

t_pvh_info() {
	xl info > /tmp/info
	grep '^virt_caps .*pv.*hvm.*hap' /tmp/info
	grep '^xen_caps .*hvm-3.0-x86_64' /tmp/info
}

t_pvh_create() { # 300 s
	pvh vm 20 "disk = [ '$GUESTS/vm.img,raw,xvda,w' ]"
	disk vm 64
	up vm
	xl list vm | grep '^vm  *[0-9]*  *128  *1 '
	xl list -l vm | grep '"type": "pvh"'
	answers 20
}
