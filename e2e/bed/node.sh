# First process of a node, in network, mount, PID and UTS namespaces of the node's own: makes the mounts, says so, and then
# takes the children of whoever ends. Its end is the end of all that runs on the node. Arguments: name, folder.
set -eu
name=$1 folder=$2
hostname "$name"
# What of the machine's a node writes to is its own.
for path in /var/lib /var/log /opt; do
	mount --bind "$folder$path" "$path"
done
# A folder more in /etc needs no such folder on the machine.
mkdir -p "$folder/etc" "$folder/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$folder/etc,workdir=$folder/work" overlay /etc
# Kubelet insists on setting these, and they are the whole machine's.
mkdir -p "$folder/sysctl"
for path in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	file=$folder/sysctl/$(basename "$path")
	cat "/proc/sys/$path" >"$file"
	mount --bind "$file" "/proc/sys/$path"
done
# Last, because it hides the folder; in the place of the other, because containerd looks at the first that is mounted there.
mount -t tmpfs -o mode=755 tmpfs /mnt
cp -a "$folder/run/." /mnt
umount -l /run
mount -n --move /mnt /run
# Mounts that pods make for the node to see are passed on from here.
mount --make-rshared /run
mount --make-rshared /var/lib
mkdir -p /run/netns /run/tmp
touch /run/node/ready
while :; do
	sleep 1000000 &
	wait
done
