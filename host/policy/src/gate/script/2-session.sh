# --- 2. A session: requests in, answers out --------------------------------------------------------------------------

# What a client said, made fit for one line of a log.
plain() { # TEXT
    printf '%.200s' "$1" | /usr/bin/tr -c ' -~' '?'
}

log() { # REQUEST OUTCOME
    "$LOGGER" -t bailiwick-gate -p authpriv.notice -- \
        "role=$role from=$(plain "${from:--}") request=\"$(plain "$1")\" outcome=$2" >/dev/null 2>&1 </dev/null 3<&- 9>&-
}

# Ends a session in which something was not as it must be. Nothing that it asked for has been done.
refuse() { # WHY
    log "${asked:-$1}" "refused ($1)"
    printf 'refused: %s\n' "$1" >&2
    leave
    exit 126
}

# Our own folder, and who waits in the background.
leave() {
    if [ -n "$watcher" ]; then kill "$watcher" 2>/dev/null; fi
    if [ -n "$tmp" ]; then /usr/bin/rm -rf -- "$tmp"; fi
    tmp=
    watcher=
}

make_room() { # FOLDER
    tmp=$(/usr/bin/mktemp -d -- "$1/bailiwick-gate.XXXXXXXXXX") || refuse 'there is no room for a folder of its own'
    trap leave EXIT
}

# The client's input is descriptor 3 from here on, so that nothing that we start can read it.
take_input() {
    exec 3<&0 </dev/null
}

# The whole of what is asked, before any of it is done: at most 64 lines of at most 4096 printable characters, then `go`.
# Who does not come to that within ten seconds is ended, whatever this shell is waiting for.
read_requests() {
    {
        nap=
        trap 'kill $nap 2>/dev/null; exit 0' TERM
        /usr/bin/sleep 10 &
        nap=$!
        if wait "$nap"; then
            log '(nothing whole within 10 s)' 'refused'
            kill -s KILL "$$"
        fi
    } </dev/null >/dev/null 2>&1 3<&- &
    alarm=$!
    lines=0
    requests=
    wrong=
    while :; do
        if ! IFS= read -r line <&3; then wrong='the input ended before go'; fi
        if [ "${#line}" -gt 4096 ]; then wrong='a line of more than 4096 characters'; fi
        case $line in
        *[!\ -~]*) wrong='a character that is not printable' ;;
        '' | ' '* | *' ' | *'  '*) wrong=${wrong:-'a line that is no request'} ;;
        esac
        if [ -n "$wrong" ] || [ "$line" = go ]; then break; fi
        lines=$((lines + 1))
        if [ "$lines" -gt 64 ]; then
            wrong='more than 64 lines'
            break
        fi
        requests=$requests$line$newline
    done
    kill "$alarm" 2>/dev/null
    wait "$alarm" 2>/dev/null
    if [ -n "$wrong" ]; then refuse "$wrong"; fi
    if [ "$lines" -eq 0 ]; then refuse 'no request'; fi
}

# Each request into a file of its own, with what belongs to it beside it, and each of them looked at before the first is
# served: one that is none refuses them all.
split_requests() {
    number=0
    printf '%s' "$requests" >"$tmp/requests" || refuse 'there is no room'
    while IFS= read -r line; do
        case $line in
        '+bytes '* | '+statement '* | '+signature '*)
            belongs=${line#+}
            text=${belongs#* }
            case $text in *[!A-Za-z0-9+/=]*) refuse 'a line that is not base64' ;; esac
            if [ "$number" -eq 0 ]; then refuse 'a line that belongs to no request'; fi
            printf '%s\n' "$text" >>"$tmp/$number.${belongs%% *}" || refuse 'there is no room'
            ;;
        *)
            number=$((number + 1))
            # shellcheck disable=SC2086 # The words of a line; `set -f` keeps them from being patterns.
            "check_$1" $line || refuse 'a line that is no request'
            printf '%s\n' "$line" >"$tmp/$number.line" || refuse 'there is no room'
            ;;
        esac
    done <"$tmp/requests"
    total=$number
}

# Whoever asked must stay: the end of its input, or anything more on it, ends what runs. sshd tells a forced command
# nothing when a channel is closed.
watch_client() {
    {
        IFS= read -r line
        kill -s HUP "$$"
    } <&3 >/dev/null 2>&1 &
    watcher=$!
}

serve() { # ROLE
    number=1
    while [ "$number" -le "$total" ] && [ "$gone" = no ]; do
        : >"$tmp/out"
        : >"$tmp/err"
        IFS= read -r line <"$tmp/$number.line" || refuse 'its own folder is gone'
        # shellcheck disable=SC2086 # As above.
        "serve_$1" $line
        number=$((number + 1))
    done
    if [ "$gone" = no ]; then printf 'done\n' 2>/dev/null; fi
}

# One answer: a line with the sizes of what follows, and what follows.
answer() { # STATUS
    log "$line" "$1"
    line=
    printf 'answer %s %s %s %s\n' "$number" "$1" "$(size "$tmp/out")" "$(size "$tmp/err")" 2>/dev/null &&
        /usr/bin/cat -- "$tmp/out" "$tmp/err" 2>/dev/null
}

say() { # TEXT
    printf '%s\n' "$1" >>"$tmp/out"
}

size() { # FILE
    /usr/bin/stat -c %s -- "$1"
}

now() {
    /usr/bin/date +%s
}

is_number() { # TEXT
    case $1 in '' | *[!0-9]* | 0?* | ?????????????*) return 1 ;; esac
}

is_change() { # TEXT
    case $1 in '' | *[!a-z0-9-]* | -*) return 1 ;; esac
    [ "${#1}" -le 40 ]
}

is_digest() { # TEXT
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ "${#1}" -eq 64 ]
}

is_state() { # TEXT
    case $1 in '' | *[!a-z0-9:-]*) return 1 ;; esac
    [ "${#1}" -le 200 ]
}

is_step() { # TEXT
    is_number "$1" && [ "$1" -ge 1 ] && [ "$1" -le 64 ]
}

