# --- 7. A change: begun, done step by step, confirmed or rolled back --------------------------------------------------
#
# In `$STATE`, which only root may use:
#   begins               one line for each change that ever began: time and id
#   open                 the change that is open on this machine, if any
#   changes/CHANGE/      opened, plan, armed, closed, and for each step a folder:
#   changes/CHANGE/N/    what (the object), asked (action, before, after), old and new (a file's copies), and the results
#                        of do, undo and again

check_change() {
    case ${1-} in
    begin) [ "$#" -eq 4 ] && is_change "$2" && is_digest "$3" && is_number "$4" ;;
    do | do-computed) [ "$#" -eq 6 ] && is_change "$2" && is_step "$3" && is_state "$5" && is_state "$6" ;;
    undo | again) [ "$#" -eq 3 ] && is_change "$2" && is_step "$3" ;;
    confirm | close) [ "$#" -eq 2 ] && is_change "$2" ;;
    *) return 1 ;;
    esac
}

serve_change() {
    verb=$1
    change=$2
    shift 2
    cd /
    home=$STATE/changes/$change
    if is_disabled; then
        say "$why"
        answer disabled
    elif ! lock; then
        say 'another session is at work'
        answer busy
    else
        # Sent after the lock is released: a client that does not read must not prevent a rollback.
        case $verb in
        begin) begin "$@" ;;
        do | do-computed) do_step "$@" ;;
        undo) undo_step "$1" && answer 0 ;;
        again) again_step "$1" ;;
        confirm) confirm_change ;;
        close) close_change ;;
        esac >"$tmp/told"
        unlock
        /usr/bin/cat -- "$tmp/told" 2>/dev/null
    fi
}

# The kill switch: a file that the operator creates. If its folder is not as it was installed, the switch counts as on.
is_disabled() {
    why='the folder with the kill switch is not as it was installed'
    if [ ! -d "$CONFIG" ] || [ -L "$CONFIG" ] || [ ! -r "$CONFIG" ] || [ ! -x "$CONFIG" ]; then return 0; fi
    case $(/usr/bin/stat -c '%u %a' -- "$CONFIG") in '0 755' | '0 750' | '0 700') ;; *) return 0 ;; esac
    why='the kill switch is on'
    [ -e "$CONFIG/disabled" ] || [ -L "$CONFIG/disabled" ]
}

# Only one session at a time may change anything. Started programs do not inherit the lock.
lock() {
    exec 9>"$STATE/lock" && /usr/bin/flock -w 10 9
}

unlock() {
    exec 9>&-
}

# Writes a small file from standard input to the disk, completely or not at all.
put() { # FILE
    if /usr/bin/cat >"$1.new" && /usr/bin/sync -- "$1.new" && /usr/bin/mv -f -T -- "$1.new" "$1" &&
        /usr/bin/sync -- "${1%/*}"; then
        return 0
    fi
    /usr/bin/rm -f -- "$1.new"
    return 1
}

# --- Beginning

# The number of changes on this day of UTC, and when the last one began.
today_and_last() {
    today=0
    last=0
    day=$(($(now) / 86400))
    if [ -f "$STATE/begins" ]; then
        while IFS=' ' read -r began _; do
            is_number "$began" || continue
            if [ "$((began / 86400))" -eq "$day" ]; then today=$((today + 1)); fi
            if [ "$began" -gt "$last" ]; then last=$began; fi
        done <"$STATE/begins"
    fi
}

begin() { # PLAN SECONDS
    if [ "$2" -lt 1 ] || [ "$2" -gt "$DEAD_MAN_MAX" ]; then
        say "the dead-man time must be between 1 and $DEAD_MAN_MAX seconds"
        answer refused
        return
    fi
    open=$(cat_or "$STATE/open" '')
    if [ -d "$home" ]; then
        # A repeated request must be for the same change. If the first was killed here, its answer was not sent.
        if [ "$open" != "$change" ] || [ "$(cat_or "$home/plan" '')" != "$1" ]; then
            answer conflict
        elif [ -e "$home/armed" ] || arm "$2"; then
            answer 0
        else
            answer 1
        fi
        return
    fi
    if [ -n "$open" ]; then
        say "change $open is open"
        answer busy
        return
    fi
    if ! budget; then
        say "$why"
        answer budget
        return
    fi
    forget_old
    room=$(/usr/bin/df -k --output=avail -- "$STATE" | /usr/bin/tail -n 1)
    if [ "${room:-0}" -lt "$FREE_KIB" ]; then
        say "less than $FREE_KIB KiB are free where copies are kept"
        answer refused
        return
    fi
    # The budget is used before the change is open: a crash between the two can waste it, but never exceeds it.
    moment=$(now)
    if ! write_begin "$moment" "$1"; then
        say 'it cannot be written to the disk'
        answer 1
        return
    fi
    if ! arm "$2"; then
        printf 'rolled-back %s\n' "$(now)" | put "$home/closed"
        /usr/bin/rm -f -- "$STATE/open"
        say 'its automatic rollback cannot be scheduled'
        answer 1
        return
    fi
    answer 0
}

write_begin() { # MOMENT PLAN
    { cat_or "$STATE/begins" '' | /usr/bin/grep . ; printf '%s %s\n' "$1" "$change"; } | put "$STATE/begins" &&
        /usr/bin/mkdir -m 0700 -- "$home" && printf '%s\n' "$1" | put "$home/opened" &&
        printf '%s\n' "$2" | put "$home/plan" && printf '%s\n' "$change" | put "$STATE/open"
}

budget() {
    today_and_last
    [ "$(now)" -ge "$last" ] || fail 'the clock is behind the last change' || return 1
    [ "$today" -lt "$PER_DAY" ] || fail "$today changes today (maximum $PER_DAY)" || return 1
    [ "$(($(now) - last))" -ge "$SECONDS_BETWEEN" ] || fail "less than $SECONDS_BETWEEN s since the last change"
}

# Removes changes that were closed three months ago. The lines in `begins` stay.
forget_old() {
    set +f
    for old in "$STATE"/changes/*; do
        if [ -f "$old/closed" ]; then
            IFS=' ' read -r _ moment <"$old/closed"
            if is_number "$moment" && [ "$moment" -lt "$(($(now) - 7776000))" ]; then /usr/bin/rm -rf -- "$old"; fi
        fi
    done
    set -f
}

# Schedules the rollback of a change that is not confirmed: by systemd, or without systemd by a separate process.
arm() { # SECONDS
    if [ -d "$SYSTEMD" ]; then
        "$SYSTEMD_RUN" --quiet --collect --unit="bailiwick-gate-$change" --on-active="$1" \
            --timer-property=AccuracySec=1s -- "$GATE" dead-man "$change" 0 \
            </dev/null >/dev/null 2>&1 3<&- 9>&- || return 1
    else
        /usr/bin/setsid "$GATE" dead-man "$change" "$1" </dev/null >/dev/null 2>&1 3<&- 9>&- &
    fi
    printf '%s\n' "$1" | put "$home/armed"
}

disarm() {
    if [ -d "$SYSTEMD" ]; then
        "$SYSTEMCTL" --quiet stop "bailiwick-gate-$change.timer" </dev/null >/dev/null 2>&1 3<&- 9>&-
    fi
}

# --- One step

# Results are kept: a repeated step returns its result and does nothing. The first line of a result is the status.
stored() { # WAY
    IFS= read -r status <"$kept/$1"
    /usr/bin/tail -n +2 -- "$kept/$1" >"$tmp/out"
    line="$line (again)"
    answer "$status"
}

settle() { # WAY STATUS
    if { printf '%s\n' "$2" && /usr/bin/cat -- "$tmp/out"; } | put "$kept/$1"; then
        answer "$2"
    else
        say 'its result cannot be written'
        answer interrupted
    fi
}

is_open() {
    [ "$(cat_or "$STATE/open" '')" = "$change" ]
}

do_step() { # STEP ACTION BEFORE AFTER
    step=$1
    before=$3
    after=$4
    kept=$home/$step
    if ! is_open; then
        say 'it is not open'
        answer conflict
    elif ! list_change "$2"; then
        answer unknown
    elif [ -e "$kept/asked" ] && [ "$(/usr/bin/cat -- "$kept/asked")" != "$2 $3 $4" ]; then
        say 'this step differs from the one that was begun'
        answer conflict
    elif [ -e "$kept/do" ]; then
        stored 'do'
    elif [ "$kind:$verb" = computed:do ] || { [ "$kind" != computed ] && [ "$verb" = do-computed ]; }; then
        answer refused
    elif [ "$kind" = computed ] && ! is_signed; then
        say "$why"
        answer refused
    elif [ -e "$kept/asked" ]; then
        find_out
    elif { [ -d "$kept" ] || /usr/bin/mkdir -m 0700 -- "$kept"; } && printf '%s %s %s %s\n' "$kind" "${act:--}" "${runtime:--}" "$object" |
        put "$kept/what" && printf '%s %s %s\n' "$2" "$3" "$4" | put "$kept/asked"; then
        do_now
    else
        say 'it cannot be written to the disk'
        answer 1
    fi
}

# The step was begun by a session that was killed: finds out its result.
find_out() {
    case $kind in
    unit | container | command) ;;
    *) clean_up ;;
    esac
    if ! object_state; then
        say "- $why"
        settle 'do' interrupted
    elif agrees "$before" "$after"; then
        say "$state"
        case $kind in unit | container | command) settle 'do' interrupted ;; *) settle 'do' 0 ;; esac
    elif agrees "$state" "$after"; then
        say "$state"
        settle 'do' 0
    elif agrees "$state" "$before"; then
        say "$state"
        say 'it was stopped before it did anything'
        settle 'do' 1
    else
        say "$state"
        settle 'do' interrupted
    fi
}

do_now() {
    needs=
    if ! object_state; then
        say "- $why"
        settle 'do' conflict
    elif ! agrees "$state" "$before"; then
        say "$state"
        say 'it is not what it was'
        settle 'do' conflict
    elif [ -n "$needs" ] || ! is_foreseen; then
        say "$state"
        say "${needs:-$why}"
        settle 'do' conflict
    else
        why=
        mine=yes
        case $kind in
        unit | container) run_change "$act" "$after" ;;
        command) run_change does "$after" ;;
        *)
            mine=no
            [ "$before" = "$after" ] || change_file
            ;;
        esac
        ended=$?
        reason=$why
        if [ "$ended" -ne 0 ] && [ "$mine" = no ]; then
            # The object was not changed by this step.
            if object_state; then say "$state"; else say -; fi
            say "$reason"
            settle 'do' conflict
        elif ! object_state; then
            say "- ${reason:-$why}"
            settle 'do' 1
        elif [ "$ended" -eq 0 ] && agrees "$state" "$after"; then
            say "$state"
            settle 'do' 0
        else
            say "$state"
            say "${reason:-it did not reach the planned state}"
            settle 'do' 1
        fi
    fi
}

# The requested state must be the one that the action leads to: a file that is written does not become absent.
is_foreseen() {
    wanted=$after
    foresee
    ended=$?
    foreseen=$after
    after=$wanted
    [ "$ended" -eq 0 ] || return 1
    agrees "$foreseen" "$wanted" || fail 'the action does not lead to this state'
}

# Changes a unit or a container, or runs the operator's command. Their output goes into the answer.
run_change() { # ACT TO
    why=
    : >"$tmp/said"
    case $kind:$1 in
    # systemd limits how often a unit starts and counts these starts, too. The limit must not interrupt a change or its
    # undo.
    unit:start | unit:restart)
        (bounded 20 "$SYSTEMCTL" --no-pager --no-ask-password reset-failed -- "$object") \
            </dev/null >/dev/null 2>&1 3<&- 9>&-
        ;;
    esac
    (
        umask 022
        case $kind:$1 in
        unit:*) bounded 120 "$SYSTEMCTL" --no-pager --no-ask-password "$1" -- "$object" ;;
        container:*) bounded 120 /usr/bin/env -i 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' 'LC_ALL=C' 'HOME=/root' \
            "$runtime" restart -- "$object" ;;
        command:*) run_command "$entry:$1" ;;
        esac
    ) </dev/null >"$tmp/said" 2>&1 3<&- 9>&- || why=$(plain "$(/usr/bin/head -c 200 -- "$tmp/said")")
    if [ -n "$why" ] && [ "$kind" = unit ]; then last_words; fi
    # A unit may need some time.
    tries=0
    while object_state && ! agrees "$state" "$2" && [ "$tries" -lt 20 ] && [ -z "$why" ]; do
        /usr/bin/sleep 0.5
        tries=$((tries + 1))
    done
    [ -z "$why" ]
}

# systemctl only reports the failure. The reason is in the journal.
last_words() {
    # The last lines may not have arrived: `--sync` does not wait for what journald has not read yet.
    /usr/bin/sleep 1
    # With --since, --lines would return the first lines.
    words=$(bounded 10 /usr/bin/journalctl --quiet --no-pager --output=cat --since=-180s "_SYSTEMD_UNIT=$object" \
        </dev/null 2>/dev/null 3<&- 9>&- | /usr/bin/tail -n 3 | /usr/bin/tr -s ' \n' ' ')
    words=${words% }
    if [ -n "$words" ]; then why="its log: $(plain "$words")"; fi
}

# --- Undo

# Reads what a step did from what it recorded: the list may have changed since. Only an operator's command is read from the
# list again, since its words are not recorded.
recall() { # STEP
    step=$1
    home=$STATE/changes/$change
    kept=$home/$step
    { [ -e "$kept/asked" ] && [ -e "$kept/what" ]; } || fail 'the step does not exist' || return 1
    IFS=' ' read -r action before after <"$kept/asked"
    IFS=' ' read -r kind act runtime object <"$kept/what"
    if [ "$kind" = command ]; then list_change "$action" || fail 'it is no longer in the list of this gate'; fi
}

# Answers, unless the undo succeeds: then it prints the state, and the caller answers.
undo_step() { # STEP
    if ! recall "$1"; then
        say "$why"
        answer unknown
    elif [ -e "$kept/undo" ]; then
        stored undo
    elif ! reopen; then
        say "$why"
        answer busy
    elif ! undo_object; then
        say "${state:--}"
        say "$why"
        if [ -e "$kept/new" ] && [ -e "$tmp/copy" ]; then
            difference "$after" "$state" "$kept/new" "$tmp/copy" >>"$tmp/out"
        fi
        answer conflict
    else
        say "$state"
        if { printf '0\n' && /usr/bin/cat -- "$tmp/out"; } | put "$kept/undo"; then return 0; fi
        say 'its result cannot be written'
        answer interrupted
    fi
    return 1
}

# A closed change is open again while it is rolled back, so that no other begins meanwhile.
reopen() {
    open=$(cat_or "$STATE/open" '')
    if [ "$open" = "$change" ]; then return 0; fi
    [ -z "$open" ] || fail "change $open is open" || return 1
    case $(cat_or "$home/closed" '') in
    applied*) printf '%s\n' "$change" | put "$STATE/open" && /usr/bin/rm -f -- "$home/closed" ;;
    *) fail 'it is closed' ;;
    esac
}

# By compare-and-swap: the object must have the state that the change gave it, or its earlier state.
undo_object() {
    why=
    state=
    case $kind in
    unit | container | command) ;;
    *) clean_up || return 1 ;;
    esac
    object_state || return 1
    # It has its earlier state, or `do` found a conflict and did not change it.
    if agrees "$state" "$before" || [ "$(cat_or "$kept/do" '' | /usr/bin/head -n 1)" = conflict ]; then return 0; fi
    case $kind:$act in
    unit:enable) revert disable "$before" ;;
    unit:start)
        # A unit that had failed is stopped: it cannot be put back into the failed state. A unit that fails now is not such a unit.
        case $state:$before in
        unit:active:*:unit:failed:*) revert stop unit:inactive: ;;
        unit:active:*) revert stop "$before" ;;
        unit:failed:*:unit:inactive:*) revert reset-failed "$before" ;;
        esac
        ;;
    unit:* | container:*) ;;
    command:*)
        run_change undoes "$before"
        agrees "$state" "$before" || fail "${why:-it did not return to its earlier state}"
        ;;
    *)
        agrees "$state" "$after" || fail 'it was edited after the change' || return 1
        restore_file
        ;;
    esac
}

# Undoes by systemctl, then checks the state.
revert() { # ACT STATE
    run_change "$1" "$2"
    agrees "$state" "$2" || fail "${why:-it did not return to its earlier state}"
}

# Reload and restart are undone by doing them again, after every other step is undone.
again_step() { # STEP
    if ! recall "$1"; then
        say "$why"
        answer unknown
        return
    fi
    if [ -e "$kept/again" ]; then
        stored again
        return
    fi
    case $kind:$act in
    unit:reload | unit:restart | container:*) ;;
    *)
        answer refused
        return
        ;;
    esac
    if ! is_open; then
        say 'it is not open'
        answer conflict
        return
    fi
    if repeat_step; then settle again 0; else settle again 1; fi
}

repeat_step() {
    case $kind in
    unit) unit_state "$object" "$act" || { say "- $why" && return 1; } ;;
    container) container_state "$runtime" "$object" || { say "- $why" && return 1; } ;;
    esac
    if run_change "$act" "$after"; then
        say "$state"
    else
        say "$state"
        say "$why"
        return 1
    fi
}

# --- Ending

confirm_change() {
    end_change applied 'done'
}

close_change() {
    end_change rolled-back undone
}

# Closes a change if all its steps have the required result. A repeated request returns how it was closed.
end_change() { # HOW STEPS
    if ! is_open; then
        case $(cat_or "$home/closed" '') in
        "$1"*) answer 0 ;;
        *)
            say "it is not open: $(cat_or "$home/closed" 'the change does not exist')"
            answer conflict
            ;;
        esac
        return
    fi
    step=1
    while [ "$step" -le 64 ]; do
        if [ -e "$home/$step/asked" ] && ! "is_$2"; then
            say "step $step is not $2"
            answer conflict
            return
        fi
        step=$((step + 1))
    done
    finish "$1"
}

is_done() {
    [ "$(cat_or "$home/$step/do" '' | /usr/bin/head -n 1)" = 0 ]
}

is_undone() {
    [ -e "$home/$step/undo" ]
}

finish() { # HOW
    if printf '%s %s\n' "$1" "$(now)" | put "$home/closed" && /usr/bin/rm -f -- "$STATE/open" &&
        /usr/bin/sync -- "$STATE"; then
        disarm
        answer 0
    else
        say 'it cannot be written to the disk'
        answer 1
    fi
}

# Computed bytes: an approver must have signed a statement that names this plan and their SHA-256 and has not expired.
is_signed() {
    why='computed bytes need a valid signature of an approver'
    { take_bytes && /usr/bin/base64 -d <"$tmp/$number.statement" >"$tmp/statement" &&
        /usr/bin/base64 -d <"$tmp/$number.signature" >"$tmp/signature"; } 2>/dev/null || return 1
    case $(/usr/bin/stat -c '%u %a' -- "$CONFIG/approvers" 2>/dev/null) in '0 644' | '0 640' | '0 600') ;; *) return 1 ;; esac
    signer=$(/usr/bin/ssh-keygen -Y find-principals -f "$CONFIG/approvers" -s "$tmp/signature" 2>/dev/null </dev/null |
        /usr/bin/head -n 1) || return 1
    [ -n "$signer" ] || return 1
    /usr/bin/ssh-keygen -Y verify -f "$CONFIG/approvers" -I "$signer" -n bailiwick-plan -s "$tmp/signature" \
        <"$tmp/statement" >/dev/null 2>&1 3<&- 9>&- || return 1
    sum=$(/usr/bin/sha256sum <"$tmp/bytes")
    says "plan $(/usr/bin/cat -- "$home/plan")" && says "computed ${sum%% *}" || return 1
    says "target $TARGET" || return 1
    # 2026-11-22T08:00:00Z, as a number.
    until=$(/usr/bin/sed -n 's/^not-after \(....\)-\(..\)-\(..\)T\(..\):\(..\):\(..\)Z$/\1\2\3\4\5\6/p' "$tmp/statement" |
        /usr/bin/head -n 1)
    case $until in *[!0-9]* | '') return 1 ;; esac
    [ "$until" -gt "$(/usr/bin/date +%Y%m%d%H%M%S)" ]
}

says() { # LINE
    printf '%s\n' "$1" >"$tmp/line"
    /usr/bin/grep -q -x -F -f "$tmp/line" -- "$tmp/statement"
}

