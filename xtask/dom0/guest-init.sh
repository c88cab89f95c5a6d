#!/bin/busybox sh
# First process of the PV guests that dom0 makes: brings up disks and eth0, then obeys lines that
# come from its console: "@ID COMMAND" is run by a shell, and "@ID-END STATUS" follows its output.
# Words on the kernel's command line: addr=A.B.C.D (eth0's address), auto=COMMAND,with,commas
# (run first; then the guest powers off).
/bin/busybox mount -t devtmpfs devtmpfs /dev && echo "guest: first process" > /dev/hvc0
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /tmp
mount -t devpts devpts /dev/pts
echo 1 > /proc/sys/kernel/printk
for m in /modules/*.ko; do insmod "$m"; done

word() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
ip link set lo up
addr=$(word addr)
if [ -n "$addr" ]; then
	n=0
	while [ ! -e /sys/class/net/eth0 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
	ip link set eth0 up
	ip addr add "$addr/24" dev eth0
fi

# What `xl shutdown`, `xl reboot` and `xl sysrq` ask for arrives as a call of these.
mkdir -p /sbin
for how in poweroff reboot; do
	printf '#!/bin/sh\necho guest: %s\nexec busybox %s -f\n' $how $how > /sbin/$how
	chmod +x /sbin/$how
done
ln -s poweroff /sbin/shutdown

exec < /dev/hvc0 > /dev/hvc0 2>&1
stty -echo
echo
echo "guest: Linux $(uname -r), $(grep -c ^processor /proc/cpuinfo) vCPUs, $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
echo "guest: disks: $(cd /sys/block && echo xvd*) network: $(ip -4 -o addr show dev eth0 2>/dev/null | awk '{print $4}')"
auto=$(word auto)
if [ -n "$auto" ]; then
	sh -c "$(echo "$auto" | tr , ' ')"
	poweroff -f
fi
echo "GUEST-READY"
while :; do
	read -r line || { sleep 0.2; continue; }
	case "$line" in
	@*)
		id=${line%% *}
		sh -c "${line#* }"
		echo "$id-END $?"
		;;
	sh)
		setsid cttyhack sh -i
		stty -echo
		;;
	*)
		echo "guest: type sh for a shell"
		;;
	esac
done
