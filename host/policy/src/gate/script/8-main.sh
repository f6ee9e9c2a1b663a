# --- 8. Who may do what -----------------------------------------------------------------------------------------------

# The exec string of a client is one constant for each role. sshd runs this script for any exec string.
is_asked() { # WORD
    [ "$asked" = "bailiwick-gate/1 $1" ]
}

need_root() {
    [ "$(/usr/bin/id -u)" = 0 ] || refuse 'only root may do this'
    for own in "$RUN" "$STATE" "$STATE/changes"; do
        if [ ! -d "$own" ]; then /usr/bin/mkdir -m 0700 -- "$own"; fi
    done
    case $(/usr/bin/stat -c '%u %a' -- "$STATE") in '0 700') ;; *) refuse "$STATE is not accessible to root only" ;; esac
    case $(/usr/bin/stat -c '%u %a' -- "$RUN") in '0 700') ;; *) refuse "$RUN is not accessible to root only" ;; esac
}

# From here on, a disconnected client or a signal stops this session between two requests, never within one.
hold_out() {
    trap 'gone=yes' HUP TERM INT PIPE
}

# For a person at this machine and for the dead-man timer: undoes every step, newest first; then repeats reloads and restarts,
# in order.
roll_back() { # CHANGE
    change=$1
    home=$STATE/changes/$change
    number=0
    if [ ! -d "$home" ]; then
        printf 'change %s does not exist here\n' "$change" >&2
        return 1
    fi
    case $(cat_or "$home/closed" '') in
    rolled-back*)
        printf 'it is already rolled back\n'
        return 0
        ;;
    esac
    trouble=0
    step=64
    while [ "$step" -ge 1 ]; do
        if [ -e "$home/$step/asked" ]; then tell_step undo "$step" || trouble=1; fi
        step=$((step - 1))
    done
    if [ "$trouble" -eq 0 ]; then
        step=1
        while [ "$step" -le 64 ]; do
            if [ -e "$home/$step/asked" ] && recall "$step"; then
                case $kind:$act in
                unit:reload | unit:restart | container:*) tell_step again "$step" || trouble=1 ;;
                esac
            fi
            step=$((step + 1))
        done
    fi
    if [ "$trouble" -ne 0 ]; then
        now | put "$home/failed"
        printf 'change %s is NOT rolled back: the steps above that failed are unchanged\n' "$change"
        return 1
    fi
    line="close $change"
    : >"$tmp/out"
    if is_open; then close_change >"$tmp/told"; fi
    printf 'change %s is rolled back\n' "$change"
}

# Undoes or repeats a step and prints the result for a person.
tell_step() { # WAY STEP
    : >"$tmp/out"
    line="$1 $change $2"
    number=$2
    case $1 in
    undo) if undo_step "$2" >"$tmp/told"; then answer 0 >"$tmp/told"; fi ;;
    again) again_step "$2" >"$tmp/told" ;;
    esac
    IFS=' ' read -r _ _ outcome _ <"$tmp/told"
    /usr/bin/tail -n +2 -- "$tmp/told" | /usr/bin/sed "s/^/    /" >"$tmp/words"
    if [ "$outcome" = 0 ]; then printf 'step %s: %s: done\n' "$2" "$1"; else printf 'step %s: %s: %s\n' "$2" "$1" "$outcome"; fi
    /usr/bin/cat -- "$tmp/words"
    step=$2
    [ "$outcome" = 0 ]
}

# Rolls the open change back: it was not confirmed.
roll_back_open() { # WHY
    is_open || exit 0
    make_room "$RUN"
    hold_out
    until lock; do is_open || exit 0; done
    is_open || exit 0
    log "rollback $change" "$1"
    roll_back "$change" >"$tmp/all"
    ended=$?
    unlock
    leave
    exit "$ended"
}

case $role in
read)
    if is_asked look; then
        # As root, for hashes and differences of listed objects. sudo accepts exactly these words.
        exec /usr/bin/env "SSH_CONNECTION=$from" "$SUDO" -n -- "$GATE" look
    fi
    is_asked read || refuse 'not a request of this gate'
    take_input
    read_requests
    make_room "$TMP"
    trap abandon HUP TERM INT PIPE
    split_requests read
    watch_client
    serve read
    ;;
change)
    is_asked change || refuse 'not a request of this gate'
    exec /usr/bin/env "SSH_CONNECTION=$from" "$SUDO" -n -- "$GATE" change-root
    ;;
look)
    need_root
    take_input
    read_requests
    make_room "$RUN"
    trap abandon HUP TERM INT PIPE
    split_requests look
    watch_client
    serve look
    ;;
change-root)
    role=change
    need_root
    take_input
    read_requests
    make_room "$RUN"
    hold_out
    split_requests change
    watch_client
    serve change
    ;;
rollback)
    need_root
    is_change "${1-}" || refuse 'usage: bailiwick-gate rollback CHANGE'
    make_room "$RUN"
    hold_out
    lock || refuse 'another session is at work'
    roll_back "$1"
    ended=$?
    unlock
    leave
    exit "$ended"
    ;;
dead-man)
    need_root
    { is_change "${1-}" && is_number "${2-}"; } || refuse 'usage: bailiwick-gate dead-man CHANGE SECONDS'
    change=$1
    # By counting, so that the clock does not matter; ends as soon as the change is closed.
    left=$2
    while [ "$left" -gt 0 ] && is_open; do
        /usr/bin/sleep 1
        left=$((left - 1))
    done
    roll_back_open 'the change was not confirmed in time'
    ;;
boot)
    need_root
    change=$(cat_or "$STATE/open" '')
    is_change "$change" || exit 0
    roll_back_open 'this machine went down while the change was open'
    ;;
status)
    need_root
    make_room "$RUN"
    number=0
    line=status
    : >"$tmp/out"
    : >"$tmp/err"
    tell_gate | /usr/bin/tail -n +2
    ;;
*) refuse 'not a role of this gate' ;;
esac
leave
exit 0
