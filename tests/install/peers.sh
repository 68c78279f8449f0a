#!/bin/sh
# Installs the real servers and clients that the tests use and the machine lacks, and names what it could not install.
# usage: sh tests/install/peers.sh test|stories
# Debian packages are installed as root only; everything else goes into the checkout. A missing peer is no failure here:
# its tests are skipped, or fail when CI=true.
set -u
cd "$(dirname "$0")/../.." || exit 1
job=${1:-stories}
PATH=$PATH:/usr/sbin:/usr/local/sbin
export DEBIAN_FRONTEND=noninteractive

three_times() {
    "$@" || "$@" || "$@"
}

missing_packages() {
    sed -e '/^#/d' tests/install/debian-packages.txt | while IFS='|' read -r needed_by package proof _; do
        if [ "$job" = stories ] || [ "${needed_by% *}" != stories ]; then
            sh -c "$proof" >/dev/null 2>&1 </dev/null || echo $package # unquoted: the blanks go
        fi
    done
}

install_packages() {
    # The tests start the programs themselves: the system's own mail server shall not run, now or after the next boot.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    # One by one after a failure, so that one that does not exist takes no other along.
    three_times apt-get install --yes --quiet=2 --no-install-recommends "$@" || for package in "$@"; do
        apt-get install --yes --quiet=2 --no-install-recommends "$package"
    done
    case " $* " in *" dovecot-"*) systemctl disable --quiet dovecot.service dovecot.socket ;; esac
    case " $* " in *" fetchmail "*) systemctl disable --quiet fetchmail.service ;; esac
}

mkdir -p .cache
updated=
update_once() {
    [ -n "$updated" ] || { three_times apt-get update --quiet=2 && updated=yes; }
}

unpack_server() {
    folder=.cache/debian/$1
    [ -d "$folder" ] && [ ! tests/install/debian-server.sh -nt "$folder" ] && return
    echo "Unpacking $1 into $folder"
    [ "$(id -u)" != 0 ] || update_once
    sh tests/install/debian-server.sh "$1" || echo "Not installed: $1 (see above); sh tests/install/debian-server.sh $1"
}

missing=$(missing_packages)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing" $missing
    update_once
    # shellcheck disable=SC2086 # a list of packages
    install_packages $missing >.cache/apt.log 2>&1
    missing=$(missing_packages)
    [ -z "$missing" ] || tail -n 20 .cache/apt.log
fi
# shellcheck disable=SC2086
[ -z "$missing" ] || echo "Not installed, their tests cannot run:" $missing "(as root: apt-get install" $missing")"

if command -v apt-get >/dev/null; then
    unpack_server cyrus
    unpack_server courier
else
    echo "Not installed: cyrus and courier (they come out of Debian's packages, and there is no apt-get)"
fi

# In an environment of its own: it asks for an older cryptography than the bridge runs with.
sslyze=.cache/sslyze
if [ "$job" = stories ] && [ ! -x "$sslyze/bin/sslyze" ]; then
    echo "Installing sslyze into $sslyze"
    .venv/bin/python -m venv "$sslyze" && three_times "$sslyze/bin/pip" install --quiet --disable-pip-version-check 'sslyze>=6.3' || {
        rm -rf "$sslyze"
        echo "Not installed: sslyze; .venv/bin/python -m venv $sslyze && $sslyze/bin/pip install sslyze"
    }
fi

modules=tests/install/npm/node_modules
if ! command -v npm >/dev/null; then
    echo "Not installed: hoodiecrow-imap, node, node-pop3, oidc-provider and puppeteer-core (there is no npm)"
elif [ ! -d "$modules" ] || [ tests/install/npm/package-lock.json -nt "$modules/.package-lock.json" ]; then
    echo "Installing hoodiecrow-imap, node, node-pop3, oidc-provider and puppeteer-core from npm"
    (cd tests/install/npm && three_times npm ci --loglevel=error >/dev/null) || {
        rm -rf "$modules"
        echo "Not installed: what comes from npm; npm ci --prefix tests/install/npm"
    }
fi
exit 0
