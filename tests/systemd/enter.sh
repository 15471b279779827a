#!/bin/sh
# Become PID 1 of a machine of its own: a throw-away overlay of a tree, with systemd.
#
#     enter.sh STATE TREE CHECKOUT
#
# Started as the first process of new pid, mount, uts, ipc, cgroup and net namespaces.
# STATE is an empty directory, TREE the root to copy, CHECKOUT is seen at /opt/prefork.
set -eu
state=$1 tree=$2 checkout=$3
mount --make-rprivate /

# The tree below, what is written on top of it in memory.
mkdir "$state/layers"
mount -t tmpfs -o mode=755 layers "$state/layers"
mkdir "$state/layers/upper" "$state/layers/work" "$state/layers/root"
root=$state/layers/root
mount -t overlay -o "lowerdir=$tree,upperdir=$state/layers/upper,workdir=$state/layers/work" overlay "$root"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/opt/prefork"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# There is one kernel: what is in there is not its to change.
for part in sys irq bus sysrq-trigger; do
    [ -e "$root/proc/$part" ] || continue
    mount --bind "$root/proc/$part" "$root/proc/$part"
    mount -o remount,bind,ro "$root/proc/$part"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$checkout" "$root/opt/prefork"
mount -o remount,bind,ro "$root/opt/prefork"

# A /dev of its own: devtmpfs is the same one in every mount.
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

# Of the tree's services none: only what systemd needs to be up.
etc=$root/etc/systemd
rm -rf "$etc/system" "$root/var/log/journal" "$root/etc/machine-id"
mkdir -p "$etc/system" "$etc/journald.conf.d"
: >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
cat >"$etc/system/default.target" <<END
[Unit]
Description=Tests of prefork
Requires=basic.target
Wants=dbus.socket
After=basic.target
AllowIsolate=yes
END
for unit in systemd-binfmt systemd-firstboot systemd-hwdb-update systemd-journal-catalog-update \
    systemd-logind systemd-machine-id-commit systemd-modules-load systemd-network-generator \
    systemd-networkd systemd-pstore systemd-random-seed systemd-remount-fs systemd-resolved \
    systemd-sysctl systemd-sysusers systemd-timesyncd systemd-udevd systemd-update-done \
    systemd-update-utmp systemd-update-utmp-runlevel ldconfig kmod-static-nodes; do
    ln -s /dev/null "$etc/system/$unit.service"
done
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer man-db.timer systemd-tmpfiles-clean.timer systemd-initctl.socket \
    systemd-journald-audit.socket systemd-udevd-control.socket systemd-udevd-kernel.socket \
    dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount; do
    ln -s /dev/null "$etc/system/$unit"
done
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n' \
    >"$etc/journald.conf.d/tests.conf"

cd "$root"
mkdir .before
pivot_root . .before
umount -l .before
rmdir .before
mount --make-rshared / # what a container's manager does; credentials need it
exec env -i container=tests PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog \
    /lib/systemd/systemd --system --show-status=no --log-target=journal </dev/null
