# What several faults say; put before each of them. $1 is `on` or `off`, $2 what else was said.
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
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
as_agents() {
    (cd /home/agents && setpriv --reuid=agents --regid=agents --init-groups \
        env HOME=/home/agents XDG_RUNTIME_DIR=/run/user/1101 "$@")
}
# A program that lies. The real one waits in /usr/real, first in the path of the lab itself and in nobody else's.
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
# A session that holds what it has been told to take, and does nothing.
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
