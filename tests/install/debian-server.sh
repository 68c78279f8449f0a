#!/bin/sh
# Downloads and unpacks a mail server that Debian does not allow beside Dovecot; nothing is installed, no root needed.
# usage: sh tests/install/debian-server.sh cyrus|courier
# It ends up in .cache/debian/NAME of the checkout; tests/peers/servers/overlaid.sh lays it over /usr for one process.
set -eu

case ${1-} in
cyrus) packages='cyrus-imapd cyrus-admin sasl2-bin' ;;
courier) packages='courier-imap courier-pop' ;;
*) echo "usage: $0 cyrus|courier" >&2; exit 2 ;;
esac
cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache/debian
folder=$cache/$1
new=$folder.new

rm -rf "$new"
mkdir -p "$new/download/partial"

# Without a lock and with folders of its own apt needs no root; that it would have to remove Dovecot does not matter here.
for try in 1 2 3; do
    # shellcheck disable=SC2086 # a list of packages
    apt-get install --download-only --yes --quiet=2 --no-install-recommends --reinstall \
        -o Debug::NoLocking=true -o Dir::Cache::archives="$new/download" -o APT::Sandbox::User= \
        $packages && break
    [ "$try" != 3 ] || { echo "$0: could not download $packages (is apt-get update needed?)" >&2; exit 1; }
done

for package in "$new"/download/*.deb; do
    dpkg -x "$package" "$new"
done
# Libraries of /lib belong into /usr/lib, as everywhere in Debian 12; only /usr is laid over the system's.
for old in bin sbin lib lib64; do
    if [ -d "$new/$old" ]; then
        cp -a "$new/$old/." "$new/usr/$old/"
        rm -rf "${new:?}/$old"
    fi
done
rm -rf "$new/download"
rm -rf "$folder"
mv "$new" "$folder"
