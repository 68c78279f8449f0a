#!/bin/sh
# Runs a server out of unpacked Debian packages as if they were installed, seen by this process and its children only.
# usage: unshare --user --map-root-user --mount --pid --fork --kill-child sh overlaid.sh UNPACKED OWN COMMAND [ARGUMENT ...]
# UNPACKED/usr lies over /usr; OWN/etc and OWN/run take the places of /etc and /run.
# The command runs as user and group 8 ("mail" in every Debian), which is the caller outside: Cyrus and Courier refuse
# to serve mail as root.
set -eu

unpacked=$1 own=$2
shift 2
mount -t overlay -o "lowerdir=$unpacked/usr:/usr" overlay /usr
# No overlay for /etc: in a container it has mounts of its own (hosts, resolv.conf), and the kernel then refuses.
mount --bind "$own/etc" /etc
mount --bind "$own/run" /run
exec unshare --user --map-user=8 --map-group=8 -- "$@"
