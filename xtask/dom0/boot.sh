# An initramfs-tools boot method (boot=xenios): the local one, and /xenios is copied to the root
# file system, so that what runs there can change without building the image again.
. /scripts/local
mount_bottom()
{
	cp -a /xenios "${rootmnt?}/"
	local_bottom
}
