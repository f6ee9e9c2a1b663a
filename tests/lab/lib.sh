# shellcheck shell=bash
# What the commands of the lab share: where it lives, its hosts, how to get into one. Sourced, never run.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
umask 022

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$lab/../.." && pwd)

# The one lab of this machine: a link to the state of the lab that is up, whichever checkout started it.
mark=/run/bailiwick-lab
# Where the next one is made: BAILIWICK_LAB, else under target/.
state=${BAILIWICK_LAB:-$checkout/target/lab}
# All network namespaces and control groups of the lab have this in their names, and nothing else on the machine has.
prefix=bwlab

say() { printf '%s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 2
}
# This machine cannot have a lab. 77: a test that asks for one is skipped, not failed.
cannot() {
    printf 'no lab: %s\n' "$1" >&2
    exit 77
}
# The comment at the top of a command is its help.
help_of() { sed -n '2,/^# shellcheck/{/^# shellcheck/!s/^# \{0,1\}//p}' "$1"; }
wants_help() { case ${1:-} in -h | --help) return 0 ;; *) return 1 ;; esac; }

needs_root() { [ "$(id -u)" = 0 ] || cannot 'it needs root, for namespaces and mounts'; }
needs_tools() {
    local tool package
    [ "$(uname -s)" = Linux ] || cannot "it needs Linux, this is $(uname -s)"
    needs_root
    while read -r tool package; do
        command -v "$tool" >/dev/null || cannot "$tool is missing; Debian: apt-get install $package"
    done <<'END'
systemd-nspawn systemd-container
mmdebstrap mmdebstrap
ip iproute2
python3 python3
nsenter util-linux
losetup mount
mkfs.ext4 e2fsprogs
nft nftables
ssh openssh-client
ssh-keygen openssh-client
END
    ip netns list >/dev/null 2>&1 || cannot 'this machine does not allow network namespaces'
}

# hosts.tsv without its comments: name, address, account, what it is.
hosts() { grep -v '^#' "$lab/hosts.tsv"; }
host_names() { hosts | cut -f1; }
is_host() { host_names | grep -qxF -- "$1"; }
address_of() { hosts | awk -F'\t' -v name="$1" '$1 == name { print $2 }'; }
account_of() { hosts | awk -F'\t' -v name="$1" '$1 == name { print $3 }'; }

# From here on `state` is that of the running lab.
needs_lab() {
    needs_root
    [ -e "$mark/up" ] || die 'no lab is up' 'tests/lab/up starts it'
    state=$(readlink -f "$mark")
}
needs_host() {
    is_host "${1:-}" || die "there is no host \`${1:-}\`" "hosts: $(host_names | xargs)"
}

netns() { printf '%s-%s' $prefix "$1"; }
# A program of this machine, in the network of a host, of the controller (ctl), or where all cables end (net).
in_net() { # WHERE COMMAND…
    local where
    where=/run/netns/$(netns "$1")
    shift
    nsenter --net="$where" -- "$@" 9>&- # the lock is not theirs to keep
}
# As root inside a host, past its network and programs that lie: the way in that no fault closes.
enter() { # HOST COMMAND…
    local leader
    leader=$(cat "$state/run/$1.leader" 2>/dev/null) || die "$1 is not running" 'tests/lab/down, then tests/lab/up'
    shift
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wdns=/ -- \
        env -i PATH=/usr/real:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@" 9>&-
}

# Every hierarchy of control groups in which systemd searches for itself: v2, and v1's name=systemd where there is one.
cgroup_trees() {
    local tree
    for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        [ ! -e $tree/cgroup.procs ] || printf '%s\n' $tree
    done
}

# `up`, `down` and `fault` take turns.
one_at_a_time() { # SECONDS to wait
    exec 9>/run/bailiwick-lab.lock
    flock --timeout "$1" 9 || die 'another process is starting or stopping the lab' 'try again when it is done'
}
