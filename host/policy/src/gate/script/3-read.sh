# --- 3. Reading, as the account that the key belongs to --------------------------------------------------------------

check_read() {
    [ "$#" -eq 2 ] && [ "$1" = read ]
}

# Runs a program of the list in its own session, so that all its processes have one session number, and ends it after its
# timeout. Never returns.
bounded() { # SECONDS WORD…
    seconds=$1
    shift
    exec /usr/bin/setsid /usr/bin/timeout -k 2 "$seconds" "$@"
}

kill_child() {
    if [ -n "$child" ]; then kill -s KILL -- "-$child" 2>/dev/null; fi
    child=
}

# The client disconnected, or this process is ended: ends the running program.
abandon() {
    kill_child
    # A client that has its last answer may disconnect.
    if [ -n "${line-}" ] || [ "${number:-0}" -lt "${total:-0}" ]; then
        log "${line:-$asked}" 'stopped, the client disconnected'
    fi
    leave
    exit 126
}

serve_read() { # read ACTION
    if ! list_read "$2"; then
        answer unknown
        return
    fi
    /usr/bin/rm -f -- "$tmp/o" "$tmp/e"
    /usr/bin/mkfifo -m 600 -- "$tmp/o" "$tmp/e" || refuse 'there is no room'
    text "$entry" >"$tmp/in"
    # Two readers limit what is kept. The rest of standard error is read and dropped.
    /usr/bin/timeout "$((seconds + 4))" /usr/bin/head -c "$((bytes_max + 1))" <"$tmp/o" >"$tmp/out" 3<&- &
    out=$!
    { /usr/bin/timeout "$((seconds + 4))" /usr/bin/head -c 4096 && /usr/bin/timeout "$((seconds + 4))" /usr/bin/cat >/dev/null; } \
        <"$tmp/e" >"$tmp/err" 3<&- &
    err=$!
    began=$(now)
    run_read "$entry" >"$tmp/o" 2>"$tmp/e" <"$tmp/in" 3<&- &
    child=$!
    wait "$child"
    status=$?
    # Processes that it left running would keep the pipes open.
    kill_child
    wait "$out" "$err"
    if [ "$(size "$tmp/out")" -gt "$bytes_max" ]; then
        : >"$tmp/out"
        status=too-large
    elif [ "$status" -ge 124 ] && [ "$(($(now) - began))" -ge "$seconds" ]; then
        status=timeout
    fi
    answer "$status"
}

