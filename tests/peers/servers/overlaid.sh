#!/bin/sh
# Runs a server out of unpacked Debian packages as if they were installed, seen by this process and its children only.
# usage: unshare --user --map-root-user --mount --pid --fork --kill-child sh overlaid.sh UNPACKED OWN COMMAND [ARGUMENT ...]
# UNPACKED/usr and UNPACKED/etc lie over the system's, OWN/etc over both; what is written to a folder of OWN/etc later
# is seen, too, since those are mounted by themselves. OWN/run is /run. The command runs as user and group 8 ("mail" in every Debian), which is the caller outside:
# Cyrus and Courier refuse to read mail as root.
set -eu

unpacked=$1 own=$2
shift 2
mount -t overlay -o "lowerdir=$unpacked/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$own/etc:$unpacked/etc:/etc" overlay /etc
for folder in "$own"/etc/*/; do
    [ ! -d "$folder" ] || mount --bind "$folder" "/etc/$(basename "$folder")"
done
mount --bind "$own/run" /run
exec unshare --user --map-user=8 --map-group=8 -- "$@"
