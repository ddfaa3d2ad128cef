# Boots systemd as process 1 of namespaces of its own, on a copy of a root: boot.sh ROOT FOLDER CGROUP
# What it writes is in memory, and gone with it. There is no network but the loopback's.
set -eu
root=$1 folder=$2 cgroup=$3

# The copy: changes go to the memory.
mount --make-rprivate /
mount -t tmpfs -o mode=755 memory "$folder"
mkdir "$folder/changes" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=$root,upperdir=$folder/changes,workdir=$folder/work" copy "$folder/root"
cd "$folder/root"

# What a kernel provides. systemd manages the cgroup that it is in: the namespace shows it as the uppermost.
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 pts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"
done

# The old root goes, so that a process that enters these namespaces sees the machine only.
pivot_root . mnt
umount --lazy mnt
mount --make-rshared /  # as on any machine: credentials of a unit are a mount that is made in another namespace
exec env --ignore-environment container=test PATH=/usr/sbin:/usr/bin \
    /lib/systemd/systemd --system --show-status=no systemd.log_target=journal
