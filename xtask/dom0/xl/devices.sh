# Disks and network cards: what a guest writes is what dom0 reads, and packets arrive both ways.

MIB=$(reps 16 256)

t_devices_disks() { # 300 s
	disk file 16
	disk ro 16
	disk phys 16
	head -c 16M /dev/urandom > $GUESTS/ro.img
	loop=$(losetup -f --show $GUESTS/phys.img)
	config disks - "disk = [ '$GUESTS/file.img,raw,xvda,w', '$GUESTS/ro.img,raw,xvdb,r', 'phy:$loop,xvdc,w' ]"
	up disks
	[ "$(in_guest disks 'cat /sys/block/xvd[abc]/size /sys/block/xvd[abc]/ro' | tr '\n' ' ')" = "32768 32768 32768 0 1 0 " ]
	[ "$(in_guest disks 'sha256sum < /dev/xvdb')" = "$(sha256sum < $GUESTS/ro.img)" ]
	! in_guest disks 'echo x | dd of=/dev/xvdb conv=fsync'
	in_guest disks 'echo to a file | dd of=/dev/xvda conv=fsync && echo to a device | dd of=/dev/xvdc conv=fsync'
	head -c 9 $GUESTS/file.img | grep '^to a file$'
	head -c 11 "$loop" | grep '^to a device$'
	xl shutdown -w disks
	gone disks
	losetup -d "$loop"
	no_loops
}

t_devices_lvm() { # 300 s
	disk pvol 64
	loop=$(losetup -f --show $GUESTS/pvol.img)
	export LVM_SUPPRESS_FD_WARNINGS=1
	modprobe dm-mod
	pvcreate "$loop"
	vgcreate guests "$loop"
	lvcreate -Zn -an -n one -L 16M guests
	vgchange -ay --noudevsync guests
	vgmknodes
	config lvm - "disk = [ 'phy:/dev/guests/one,xvda,w' ]"
	up lvm
	in_guest lvm 'echo to a volume | dd of=/dev/xvda conv=fsync'
	xl destroy lvm
	gone lvm
	head -c 11 /dev/guests/one | grep '^to a volume$'
	vgchange -an --noudevsync guests
	losetup -d "$loop"
}

# Two guests with disks for what follows.
pair() {
	[ -e $GUESTS/data.img ] || disk data 512
	[ -e $GUESTS/tools.tar ] || tools
	config one 21 "memory = 256" "disk = [ '$GUESTS/data.img,raw,xvda,w', '$GUESTS/tools.tar,raw,xvdb,r' ]"
	config two 22 "memory = 256" "disk = [ '$GUESTS/tools.tar,raw,xvdb,r' ]"
	need one
	need two
}

# An archive of the measuring tools and their libraries, for a guest to unpack.
tools() {
	{
		for tool in fio iperf3; do
			command -v $tool
			ldd "$(command -v $tool)" | grep -o '/[^ ]*'
		done
	} | sort -u | tar -chf $GUESTS/tools.tar -T - 2> /dev/null
	truncate -s %1M $GUESTS/tools.tar
}

t_devices_data() { # 1200 s
	pair
	in_guest one "mkfifo /tmp/pipe; sha256sum < /tmp/pipe > /tmp/sum & dd if=/dev/urandom bs=1M count=$MIB 2>/dev/null | tee /tmp/pipe | dd of=/dev/xvda bs=1M conv=fsync 2>/dev/null; wait; rm /tmp/pipe" 500
	sum=$(in_guest one 'cat /tmp/sum')
	[ "$(in_guest one "dd if=/dev/xvda bs=1M count=$MIB iflag=direct 2>/dev/null | sha256sum" 300)" = "$sum" ]
	echo 3 > /proc/sys/vm/drop_caches
	[ "$sum" = "$(head -c ${MIB}M $GUESTS/data.img | sha256sum)" ]
	# And the other way round: dom0 writes, the guest reads.
	head -c ${MIB}M /dev/urandom | dd of=$GUESTS/data.img bs=1M conv=notrunc,fsync
	sum=$(in_guest one "dd if=/dev/xvda bs=1M count=$MIB iflag=direct 2>/dev/null | sha256sum" 300)
	[ "$sum" = "$(head -c ${MIB}M $GUESTS/data.img | sha256sum)" ]
}

t_devices_ping() {
	pair
	answers 21
	answers 22
	ping -c 20 -i 0.2 -W 5 -q $NET.21 | grep ' 0% packet loss'
	ping -c 5 -i 0.2 -s 8000 -W 5 -q $NET.22 | grep ' 0% packet loss'
	in_guest one "ping -c 3 -W 5 -q $NET.22" | grep ' 0% packet loss'
	in_guest two "ping -c 3 -W 5 -q $NET.1" | grep ' 0% packet loss'
}

# Files by HTTP: unlike nc, both ends know when it is over.
t_devices_tcp() { # 480 s
	pair
	mkdir -p /tmp/web
	head -c "$(reps 4 64)M" /dev/urandom > /tmp/web/sent
	sum=$(sha256sum < /tmp/web/sent)
	# dom0 to a guest.
	busybox httpd -f -p 7000 -h /tmp/web &
	in_guest one "wget -q -O /tmp/got http://$NET.1:7000/sent && sha256sum < /tmp/got" 150 | grep "$sum"
	kill $!
	# That guest to dom0.
	in_guest one 'httpd -p 7000 -h /tmp'
	busybox wget -q -O /tmp/web/back "http://$NET.21:7000/got"
	[ "$(sha256sum < /tmp/web/back)" = "$sum" ]
	# Guest to guest.
	in_guest two "wget -q -O - http://$NET.21:7000/got | sha256sum" 150 | grep "$sum"
	in_guest one 'killall httpd; rm /tmp/got'
	rm -r /tmp/web
}

t_devices_iperf() { # 480 s
	pair
	for guest in one two; do in_guest $guest '[ -e /usr/bin/iperf3 ] || tar -C / -xf /dev/xvdb'; done
	in_guest one '/usr/bin/iperf3 -s -D; sleep 1'
	iperf3 -c $NET.21 -t "$(reps 2 10)" -f m
	iperf3 -c $NET.21 -t "$(reps 2 10)" -f m -R
	in_guest two "/usr/bin/iperf3 -c $NET.21 -t $(reps 2 10) -f m"
	in_guest one 'killall iperf3'
}

t_devices_fio() { # 600 s
	pair
	in_guest one '[ -e /usr/bin/fio ] || tar -C / -xf /dev/xvdb'
	in_guest one "cd /tmp; /usr/bin/fio --name=mixed --filename=/dev/xvda --rw=randrw --bs=4k-64k --direct=1 --ioengine=psync --size=$(reps 8 128)M --verify=crc32c --verify_fatal=1 --do_verify=1 --output=/tmp/fio.out; status=\$?; grep -i -e 'err=' -e IOPS /tmp/fio.out; exit \$status" 240 > /tmp/fio
	cat /tmp/fio
	grep 'err= 0' /tmp/fio
}

t_devices_end() {
	for guest in one two; do
		xl shutdown -w $guest
		gone $guest
	done
	no_loops
	rm -f $GUESTS/data.img $GUESTS/tools.tar
}
