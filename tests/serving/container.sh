#!/bin/sh
# Becomes "$@" in the poorest of containers: nothing can be written, /dev/shm least of
# all, there is no HOME, and the user is a number without a name or a privilege.
#
# Started as root of a user namespace, with mounts and pids of its own.
set -eu
mount -t tmpfs -o ro,mode=0 tmpfs /dev/shm
while read -r _ _ _ _ place options _; do
    # Its other options stay, or an outer namespace, which has set them, forbids it.
    [ "$place" = /proc ] || mount -o "remount,bind,$options,ro" "$place"
done </proc/self/mountinfo
unset HOME USER LOGNAME
exec unshare --user --map-user=12345 --map-group=12345 -- "$@"
