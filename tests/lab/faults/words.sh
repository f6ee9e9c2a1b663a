# What several faults share; put before each of them. $1 is `on` or `off`, $2 the argument.
# shellcheck shell=sh disable=SC2034
way=$1
argument=${2:-}
kept=/var/lib/lab # what a fault has to remember
mkdir -p $kept

# A process that stays, and its end.
background() { # NAME COMMAND…
    name=$1
    shift
    gone "$name"
    systemd-run --quiet --collect --unit="lab-$name" -- "$@"
}
gone() { # NAME
    systemctl --quiet stop "lab-$1.service" 2>/dev/null || true
    systemctl --quiet reset-failed "lab-$1.service" 2>/dev/null || true
}
wait_for() { # COMMAND…: ten seconds at most
    tries=50
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || {
            echo "waited in vain for: $*" >&2
            exit 1
        }
        sleep 0.2
    done
}
# A unit in the place of the healthy one of this name, where the host has one; and the end of it.
bad_unit() { # NAME: its text on stdin
    unit=/etc/systemd/system/$1.service
    [ ! -e "$unit" ] || [ -e "$kept/$1.service" ] || cp "$unit" "$kept/$1.service"
    cat >"$unit"
    systemctl daemon-reload
    systemctl restart "$1"
}
good_unit() { # NAME
    systemctl --quiet stop "$1" 2>/dev/null || true
    rm -f "/etc/systemd/system/$1.service"
    [ ! -e "$kept/$1.service" ] || mv "$kept/$1.service" /etc/systemd/system/
    systemctl daemon-reload
    systemctl --quiet reset-failed "$1" 2>/dev/null || true
    [ ! -e "/etc/systemd/system/$1.service" ] || systemctl start "$1"
}
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
as_agents() {
    (cd /home/agents && setpriv --reuid=agents --regid=agents --init-groups \
        env HOME=/home/agents XDG_RUNTIME_DIR=/run/user/1101 "$@")
}
# A container that starts again, without its old log.
again() { # NAME COMMAND
    as_agents podman rm --force --time 0 "$1" >/dev/null
    as_agents podman run --detach --name "$1" --stop-timeout 1 --restart=always localhost/agent:1 sh -c "$2" >/dev/null
}
# A program that lies. The real one waits in /usr/real, first in the path of the lab itself and in no other path.
wrap() { # NAME: its text on stdin
    mkdir -p /usr/real
    [ -e "/usr/real/$1" ] || [ ! -e "/usr/bin/$1" ] || mv "/usr/bin/$1" "/usr/real/$1"
    cat >"/usr/bin/.$1"
    chmod 755 "/usr/bin/.$1"
    mv "/usr/bin/.$1" "/usr/bin/$1"
}
unwrap() { # NAME
    [ ! -e "/usr/real/$1" ] || mv "/usr/real/$1" "/usr/bin/$1"
}
# A file of the kernel's that says something else, as on hosts that have each their own.
cover() { # FILE: its text on stdin
    text=$kept/cover-${1##*/}
    cat >"$text.new"
    uncover "$1"
    mv "$text.new" "$text"
    mount --bind "$text" "$1"
}
uncover() { # FILE
    while grep -q " $1 " /proc/mounts; do umount "$1"; done
}
# A session that holds what it was made to take, and does nothing.
session() { # NAME SQL
    background "$1" setpriv --reuid=postgres --regid=postgres --init-groups \
        sh -c '(printf "%s\n" "$1"; sleep infinity) | psql --quiet --no-psqlrc market' sh "$2"
}
sql() { as_postgres psql --quiet --no-psqlrc --no-align --tuples-only --set=ON_ERROR_STOP=1 "$@"; }
# A rule file of Prometheus, and its end.
rules() { # NAME: its text on stdin
    cat >"/etc/prometheus/lab-$1.yml"
    grep -q "lab-$1.yml" /etc/prometheus/prometheus.yml ||
        sed -i "s,^rule_files:\$,&\\n  - lab-$1.yml," /etc/prometheus/prometheus.yml
    systemctl reload prometheus
}
no_rules() { # NAME
    sed -i "/lab-$1.yml/d" /etc/prometheus/prometheus.yml
    rm -f "/etc/prometheus/lab-$1.yml"
    systemctl reload prometheus
}
