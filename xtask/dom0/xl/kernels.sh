# Other kernels as guests: Debian 12's, and GRUB that finds its kernel on the guest's disk.

dir=/xenios/debian12

# The initrd of guests with Debian 12's kernel: its own drivers.
initrd12() {
	[ -e $dir.vmlinuz ]
	[ ! -e $GUESTS/guest12.img ] || return 0
	guest_tree /tmp/guest12
	for name in xen-blkfront xen-netfront; do cp $dir.$name /tmp/guest12/modules/$name.ko; done
	pack /tmp/guest12 $GUESTS/guest12.img
}

t_kernels_debian12() { # 600 s
	initrd12
	disk old 8
	config debian12 51 "kernel = '$dir.vmlinuz'" "ramdisk = '$GUESTS/guest12.img'" "disk = [ '$GUESTS/old.img,raw,xvda,w' ]" "vcpus = 2"
	up debian12
	in_guest debian12 'uname -r' | grep '^6\.1\.'
	answers 51
	in_guest debian12 'echo written by 6.1 | dd of=/dev/xvda conv=fsync'
	head -c 14 $GUESTS/old.img | grep 'written by 6.1'
	xl shutdown -w debian12
	gone debian12
}

# GRUB for Xen cannot unpack Debian 13's kernel (zstd), Debian 12's (xz) it can.
t_kernels_grub() { # 600 s
	initrd12
	tree=/tmp/grub.tree
	mkdir -p $tree/boot/grub
	cp $dir.vmlinuz $tree/boot/vmlinuz
	cp $GUESTS/guest12.img $tree/boot/guest.img
	cat > $tree/boot/grub/grub.cfg <<-END
		set timeout=0
		menuentry guest {
			linux /boot/vmlinuz console=hvc0 quiet addr=$NET.52
			initrd /boot/guest.img
		}
	END
	# GRUB takes an archive for a file system; dom0 has no mke2fs.
	tar -C $tree -cf $GUESTS/grub.img boot
	rm -r $tree
	config grub 52 "kernel = '/usr/lib/grub-xen/grub-x86_64-xen.bin'" "ramdisk = ''" "extra = ''" "memory = 256" "disk = [ '$GUESTS/grub.img,raw,xvda,r' ]"
	up grub
	answers 52
	xl shutdown -w grub
	gone grub
	rm $GUESTS/grub.img
}
