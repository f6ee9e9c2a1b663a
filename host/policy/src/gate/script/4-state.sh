# --- 4. What an object is, in one word -------------------------------------------------------------------------------
#
# As root. Each of these sets `state`; where there is no word for what it finds, it says `why` and fails.

fail() { # WHY
    why=$1
    return 1
}

# Goes where a file lies, through no link: what is named from there is what is meant, whoever renames folders meanwhile.
enter() { # PATH
    folder=${1%/*}
    name=${1##*/}
    if [ -z "$folder" ]; then folder=/; fi
    cd -P -- "$folder" 2>/dev/null || fail 'there is no such folder' || return 1
    [ "$(pwd -P)" = "$folder" ] || fail 'a link is on the way to it'
}

shape_of() { # NAME
    /usr/bin/stat -c '%f %h %s %d:%i %y %z' -- "$1" 2>/dev/null
}

# Only a regular file with one name, of 16 MiB at most, that gives nobody another's rights.
check_shape() { # SHAPE
    # shellcheck disable=SC2086 # Its words.
    set -- $1
    [ "$((0x$1 & 0xf000))" -eq "$((0x8000))" ] || fail 'it is no regular file' || return 1
    [ "$((0x$1 & 0xe00))" -eq 0 ] || fail 'it is setuid, setgid or sticky' || return 1
    [ "$2" -eq 1 ] || fail 'it has another name too (a hard link)' || return 1
    [ "$3" -le 16777216 ] || fail 'it has more than 16 MiB'
}

# A file of ours, in a folder that is ours alone.
own_state() { # NAME
    { [ -f "$1" ] && [ ! -L "$1" ]; } || fail 'it is no regular file' || return 1
    sum=$(/usr/bin/sha256sum <"$1") || fail 'it cannot be read' || return 1
    state=file:${sum%% *}:$(/usr/bin/stat -c '%s:%a:%u:%g' -- "$1")
}

# A file among others, with a copy of it (all its attributes with it) where we want it. The copy follows no link and
# waits for no pipe; if the file is not the same before and behind it, down to the nanosecond, nothing is known.
look_at() { # NAME COPY
    state=absent
    /usr/bin/rm -f -- "$2"
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
    shape=$(shape_of "$1") || fail 'it cannot be looked at' || return 1
    check_shape "$shape" || return 1
    (
        ulimit -f 32768
        exec /usr/bin/timeout 30 /usr/bin/cp -P --preserve=all -- "$1" "$2"
    ) 2>/dev/null || fail 'it cannot be copied' || return 1
    [ "$(shape_of "$1")" = "$shape" ] || fail 'somebody is changing it' || return 1
    own_state "$2"
}

# What systemd says of a unit. `needs` is what a change of it has to be refused for.
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
    [ "$load" = loaded ] || fail 'there is no such unit' || return 1
    # Another name of ssh.service is ssh.service.
    [ "$id" = "$1" ] || fail 'that is another name of another unit' || return 1
    state=unit:$active:${enabled:--}
    is_state "$state" || fail 'systemd says something that is no state' || return 1
    needs=
    if [ "$stale" = yes ]; then needs='its unit file has changed since systemd read it'; fi
    case $2 in
    reload)
        if [ "$reloads" != yes ]; then needs='it cannot be reloaded'; fi
        if [ "$active" != active ]; then needs='it does not run'; fi
        if [ -n "$spreads" ]; then needs='others would be reloaded with it'; fi
        # Debian's reload of PostgreSQL says `--skip-systemctl-redirect`.
        case $how in *restart* | *[!-]systemctl*) needs='what it calls a reload is a restart' ;; esac
        ;;
    restart)
        if [ -n "$drags" ]; then needs='others would be stopped with it'; fi
        ;;
    esac
}

container_state() { # RUNTIME NAME
    said=$(bounded 20 /usr/bin/env -i 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' 'LC_ALL=C' 'HOME=/root' "$1" \
        inspect --type container --format '{{.State.Status}}' -- "$2" </dev/null 3<&- 9>&- 2>/dev/null) ||
        fail 'there is no such container' || return 1
    state=container:$said
    is_state "$state" || fail 'its runtime says something that is no state'
}

# By the operator's own check: 0 is done, 1 is not, anything else is not known.
command_state() { # ENTRY
    (run_command "$1:checks" </dev/null >/dev/null 2>&1 3<&- 9>&-)
    case $? in
    0) state=command:done ;;
    1) state=command:undone ;;
    *) fail 'its check says neither that it is done nor that it is not' ;;
    esac
}

# Whatever `list_change` has found. For a file it leaves us in its folder, and the copy in `$tmp/copy`.
object_state() {
    if is_never; then fail 'it is never changed' || return 1; fi
    case $kind in
    unit) unit_state "$object" "$act" ;;
    container) container_state "$runtime" "$object" ;;
    command) command_state "$entry" ;;
    *) enter "$object" && look_at "./$name" "$tmp/copy" ;;
    esac
}

# What a file is to hold, from what it holds: both are files of ours; BEFORE says whether there was one.
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
            # A last line without an end would swallow ours.
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
            # 1: no line is left.
            /usr/bin/grep -a -v -x -F -f "$tmp/line" -- "$1" >"$2" || [ "$?" -eq 1 ]
        else
            /usr/bin/cat -- "$1" >"$2"
        fi
        ;;
    *) return 1 ;;
    esac
}

# Whether two states are one, as far as this action goes: who starts a unit has no say in whether it starts at boot.
agrees() { # STATE STATE
    case $kind:$act in
    unit:enable) [ "${1##*:}" = "${2##*:}" ] ;;
    unit:*) [ "${1%:*}" = "${2%:*}" ] ;;
    *) [ "$1" = "$2" ] ;;
    esac
}

# What the object is to be afterwards, given that it is `state` now. Sets `after`; for a file its content is `$tmp/new`.
foresee() {
    case $kind in
    set-aside)
        after=absent
        ;;
    write | computed | ensure-line | remove-line)
        rights=644:0:0
        if [ "$state" = absent ]; then
            case $kind in *-line) fail 'there is no such file' || return 1 ;; esac
        else
            rights=$(/usr/bin/stat -c '%a:%u:%g' -- "$tmp/copy")
        fi
        /usr/bin/rm -f -- "$tmp/new"
        produce "$tmp/copy" "$tmp/new" || fail 'what it is to hold cannot be made' || return 1
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

