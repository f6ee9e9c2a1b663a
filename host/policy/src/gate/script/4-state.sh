# --- 4. The state of an object, in one word --------------------------------------------------------------------------
#
# As root. Each function sets `state`. If the object has no valid state, it sets `why` and fails.

fail() { # WHY
    why=$1
    return 1
}

# Changes into the folder of a file without following a link, so that a renamed folder cannot redirect what follows.
enter() { # PATH
    folder=${1%/*}
    name=${1##*/}
    if [ -z "$folder" ]; then folder=/; fi
    cd -P -- "$folder" 2>/dev/null || fail 'the folder does not exist' || return 1
    [ "$(pwd -P)" = "$folder" ] || fail 'its path goes through a link'
}

shape_of() { # NAME
    /usr/bin/stat -c '%f %h %s %d:%i %y %z' -- "$1" 2>/dev/null
}

# Accepts only a regular file with one name, at most 16 MiB, without setuid, setgid or sticky bit.
check_shape() { # SHAPE
    # shellcheck disable=SC2086 # Its words.
    set -- $1
    [ "$((0x$1 & 0xf000))" -eq "$((0x8000))" ] || fail 'it is not a regular file' || return 1
    [ "$((0x$1 & 0xe00))" -eq 0 ] || fail 'it is setuid, setgid or sticky' || return 1
    [ "$2" -eq 1 ] || fail 'it has another name too (a hard link)' || return 1
    [ "$3" -le 16777216 ] || fail 'it has more than 16 MiB'
}

# A file of the gate, in a folder that only root may use.
own_state() { # NAME
    { [ -f "$1" ] && [ ! -L "$1" ]; } || fail 'it is not a regular file' || return 1
    sum=$(/usr/bin/sha256sum <"$1") || fail 'it cannot be read' || return 1
    state=file:${sum%% *}:$(/usr/bin/stat -c '%s:%a:%u:%g' -- "$1")
}

# The state of a file, with a copy of it and all its attributes. The copy follows no link and waits for no pipe. If the file
# changed while it was copied, down to the nanosecond, the check fails.
look_at() { # NAME COPY
    state=absent
    /usr/bin/rm -f -- "$2"
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
    shape=$(shape_of "$1") || fail 'it cannot be checked' || return 1
    check_shape "$shape" || return 1
    (
        ulimit -f 32768
        exec /usr/bin/timeout 30 /usr/bin/cp -P --preserve=all -- "$1" "$2"
    ) 2>/dev/null || fail 'it cannot be copied' || return 1
    [ "$(shape_of "$1")" = "$shape" ] || fail 'it changed while it was copied' || return 1
    own_state "$2"
}

# The state of a unit according to systemd. `needs` is the reason why a change must be refused.
unit_state() { # UNIT ACT
    said=$(bounded 20 "$SYSTEMCTL" show --no-pager \
        --property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,CanReload \
        --property=ExecReload,PropagatesReloadTo,RequiredBy,BoundBy,ConsistsOf -- "$1" </dev/null 2>/dev/null 3<&- 9>&-) ||
        fail 'systemd does not answer' || return 1
    id='' load='' active='' enabled='' stale='' reloads='' how='' spreads='' drags=''
    IFS=$newline
    for line_of in $said; do
        value=${line_of#*=}
        case ${line_of%%=*} in
        Id) id=$value ;;
        LoadState) load=$value ;;
        ActiveState) active=$value ;;
        UnitFileState) enabled=$value ;;
        NeedDaemonReload) stale=$value ;;
        CanReload) reloads=$value ;;
        ExecReload) how=$value ;;
        PropagatesReloadTo) spreads=$value ;;
        RequiredBy | BoundBy | ConsistsOf) drags=$drags$value ;;
        esac
    done
    IFS=' '
    [ "$load" = loaded ] || fail 'the unit does not exist' || return 1
    # sshd.service is an alias of ssh.service.
    [ "$id" = "$1" ] || fail 'the name is an alias of another unit' || return 1
    state=unit:$active:${enabled:--}
    is_state "$state" || fail 'systemd reports an unknown state' || return 1
    needs=
    if [ "$stale" = yes ]; then needs='its unit file has changed since systemd read it'; fi
    case $2 in
    reload)
        if [ "$reloads" != yes ]; then needs='it cannot be reloaded'; fi
        if [ "$active" != active ]; then needs='it is not running'; fi
        if [ -n "$spreads" ]; then needs='other units would be reloaded with it'; fi
        # The reload command of PostgreSQL on Debian contains `--skip-systemctl-redirect`.
        case $how in *restart* | *[!-]systemctl*) needs='its reload command restarts it' ;; esac
        ;;
    restart)
        if [ -n "$drags" ]; then needs='other units would be stopped with it'; fi
        ;;
    esac
}

container_state() { # RUNTIME NAME
    said=$(bounded 20 /usr/bin/env -i 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' 'LC_ALL=C' 'HOME=/root' "$1" \
        inspect --type container --format '{{.State.Status}}' -- "$2" </dev/null 3<&- 9>&- 2>/dev/null) ||
        fail 'the container does not exist' || return 1
    state=container:$said
    is_state "$state" || fail 'its runtime reports an unknown state'
}

# By the operator's own check: 0 is done, 1 is not done, any other status is unknown.
command_state() { # ENTRY
    (run_command "$1:checks" </dev/null >/dev/null 2>&1 3<&- 9>&-)
    case $? in
    0) state=command:done ;;
    1) state=command:undone ;;
    *) fail 'the result of its check is unknown' ;;
    esac
}

# The state of the object that `list_change` found. For a file, the current folder is then its folder, and the copy is `$tmp/copy`.
object_state() {
    if is_never; then fail 'it can never be changed' || return 1; fi
    case $kind in
    unit) unit_state "$object" "$act" ;;
    container) container_state "$runtime" "$object" ;;
    command) command_state "$entry" ;;
    *) enter "$object" && look_at "./$name" "$tmp/copy" ;;
    esac
}

# Makes the new content of a file from its old content. Both are files of the gate.
produce() { # OLD NEW
    case $kind in
    write) text "$entry" >"$2" ;;
    computed) /usr/bin/cat -- "$tmp/bytes" >"$2" ;;
    ensure-line)
        text "$entry" >"$tmp/line" || return 1
        if /usr/bin/grep -a -q -x -F -f "$tmp/line" -- "$1"; then
            /usr/bin/cat -- "$1" >"$2"
        elif [ "$at" = start ]; then
            /usr/bin/cat -- "$tmp/line" "$1" >"$2"
        else
            # A last line without a line end would be joined with the new one.
            {
                /usr/bin/cat -- "$1"
                if [ -n "$(/usr/bin/tail -c 1 -- "$1")" ]; then printf '\n'; fi
                /usr/bin/cat -- "$tmp/line"
            } >"$2"
        fi
        ;;
    remove-line)
        text "$entry" >"$tmp/line" || return 1
        if /usr/bin/grep -a -q -x -F -f "$tmp/line" -- "$1"; then
            # Status 1: no line is left.
            /usr/bin/grep -a -v -x -F -f "$tmp/line" -- "$1" >"$2" || [ "$?" -eq 1 ]
        else
            /usr/bin/cat -- "$1" >"$2"
        fi
        ;;
    *) return 1 ;;
    esac
}

# Whether two states are equal for this action: starting a unit does not change whether it starts at boot.
agrees() { # STATE STATE
    case $kind:$act in
    unit:enable) [ "${1##*:}" = "${2##*:}" ] ;;
    unit:*) [ "${1%:*}" = "${2%:*}" ] ;;
    *) [ "$1" = "$2" ] ;;
    esac
}

# The state that the action leads to from `state`. Sets `after`; for a file, the new content is `$tmp/new`.
foresee() {
    case $kind in
    set-aside)
        after=absent
        ;;
    write | computed | ensure-line | remove-line)
        rights=644:0:0
        if [ "$state" = absent ]; then
            case $kind in *-line) fail 'the file does not exist' || return 1 ;; esac
        else
            rights=$(/usr/bin/stat -c '%a:%u:%g' -- "$tmp/copy")
        fi
        /usr/bin/rm -f -- "$tmp/new"
        produce "$tmp/copy" "$tmp/new" || fail 'its new content cannot be made' || return 1
        sum=$(/usr/bin/sha256sum <"$tmp/new") || return 1
        after=file:${sum%% *}:$(size "$tmp/new"):$rights
        ;;
    unit)
        active=${state#unit:}
        case $act in
        enable) after=unit:${active%%:*}:enabled ;;
        *) after=unit:active:${active#*:} ;;
        esac
        ;;
    container) after=container:running ;;
    command) after=command:done ;;
    esac
}

