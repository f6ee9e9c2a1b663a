# --- 2. A session: requests in, answers out --------------------------------------------------------------------------

# Text from a client, made safe for one line of a log.
plain() { # TEXT
    printf '%.200s' "$1" | /usr/bin/tr -c ' -~' '?'
}

log() { # REQUEST OUTCOME
    "$LOGGER" -t bailiwick-gate -p authpriv.notice -- \
        "role=$role from=$(plain "${from:--}") request=\"$(plain "$1")\" outcome=$2" >/dev/null 2>&1 </dev/null 3<&- 9>&-
}

# Ends a session that broke a rule. Nothing that it asked for was done.
refuse() { # WHY
    log "${asked:-$1}" "refused ($1)"
    printf 'refused: %s\n' "$1" >&2
    leave
    exit 126
}

# Removes the temporary folder and ends the process in the background.
leave() {
    if [ -n "$watcher" ]; then kill "$watcher" 2>/dev/null; fi
    if [ -n "$tmp" ]; then /usr/bin/rm -rf -- "$tmp"; fi
    tmp=
    watcher=
}

make_room() { # FOLDER
    tmp=$(/usr/bin/mktemp -d -- "$1/bailiwick-gate.XXXXXXXXXX") || refuse 'cannot create a temporary folder'
    trap leave EXIT
}

# From here on, the client's input is descriptor 3, so that no program started by this script can read it.
take_input() {
    exec 3<&0 </dev/null
}

# Reads the whole request before any of it is done: at most 64 lines of at most 4096 printable characters, then `go`.
# A session that does not send this within ten seconds is killed.
read_requests() {
    {
        nap=
        trap 'kill $nap 2>/dev/null; exit 0' TERM
        /usr/bin/sleep 10 &
        nap=$!
        if wait "$nap"; then
            log '(incomplete after 10 s)' 'refused'
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
        '' | ' '* | *' ' | *'  '*) wrong=${wrong:-'a line that is not a request'} ;;
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

# Writes each request into its own file, with its data beside it. All requests are checked before the first is served: one
# invalid request refuses them all.
split_requests() {
    number=0
    printf '%s' "$requests" >"$tmp/requests" || refuse 'no space left'
    while IFS= read -r line; do
        case $line in
        '+bytes '* | '+statement '* | '+signature '*)
            belongs=${line#+}
            text=${belongs#* }
            case $text in *[!A-Za-z0-9+/=]*) refuse 'a line that is not base64' ;; esac
            if [ "$number" -eq 0 ]; then refuse 'a line that belongs to no request'; fi
            printf '%s\n' "$text" >>"$tmp/$number.${belongs%% *}" || refuse 'no space left'
            ;;
        *)
            number=$((number + 1))
            # shellcheck disable=SC2086 # The words of a line; `set -f` keeps them from being patterns.
            "check_$1" $line || refuse 'a line that is not a request'
            printf '%s\n' "$line" >"$tmp/$number.line" || refuse 'no space left'
            ;;
        esac
    done <"$tmp/requests"
    total=$number
}

# The client must stay connected: the end of its input, or any more input, ends the running program. sshd does not notify a
# forced command when a channel is closed.
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
        IFS= read -r line <"$tmp/$number.line" || refuse 'the temporary folder is gone'
        # shellcheck disable=SC2086 # As above.
        "serve_$1" $line
        number=$((number + 1))
    done
    if [ "$gone" = no ]; then printf 'done\n' 2>/dev/null; fi
}

# One answer: a line with the sizes of the output and the errors, then both.
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

