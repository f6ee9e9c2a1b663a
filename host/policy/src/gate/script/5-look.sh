# --- 5. Checking, as root: hashes and differences of listed objects, and nothing else --------------------------------

check_look() {
    case ${1-} in
    preview | preview-computed) [ "$#" -eq 2 ] ;;
    people) [ "$#" -ge 2 ] ;;
    change) [ "$#" -eq 2 ] && is_change "$2" ;;
    gate | installed) [ "$#" -eq 1 ] ;;
    *) return 1 ;;
    esac
}

serve_look() {
    verb=$1
    shift
    cd /
    case $verb in
    preview | preview-computed) preview "$verb" "$1" ;;
    people) people "$@" ;;
    change) tell_change "$1" ;;
    gate) tell_gate ;;
    installed) tell_installed ;;
    esac
}

# The bytes that a component computed, from the lines that came with the request.
take_bytes() {
    [ -e "$tmp/$number.bytes" ] || return 1
    # An empty content has no line of base64.
    if [ "$(/usr/bin/cat -- "$tmp/$number.bytes")" = = ]; then
        : >"$tmp/bytes"
        return 0
    fi
    /usr/bin/base64 -d <"$tmp/$number.bytes" >"$tmp/bytes" 2>/dev/null && [ "$(size "$tmp/bytes")" -le "$bytes_max" ]
}

preview() { # VERB ACTION
    if ! list_change "$2"; then
        answer unknown
        return
    fi
    # Computed bytes come with the request. Declared content is only in the list.
    case $kind:$1 in
    computed:preview-computed) take_bytes || { say 'its bytes are missing or too many' && answer refused && return; } ;;
    computed:* | *:preview-computed)
        answer refused
        return
        ;;
    esac
    needs=
    if ! { object_state && foresee; }; then
        say "$why"
        answer conflict
        return
    fi
    say "$state $after"
    if [ -n "$needs" ]; then
        : >"$tmp/out"
        say "$needs"
        answer conflict
        return
    fi
    case $kind in
    unit) say "$object: $act" ;;
    container) say "$object: restart" ;;
    command) say "$object: the operator's command" ;;
    *) difference "$state" "$after" "$tmp/copy" "$tmp/new" >>"$tmp/out" ;;
    esac
    answer 0
}

# The difference of two files of the gate, for a person.
difference() { # STATE-OF-OLD STATE-OF-NEW OLD NEW
    old=$3
    new=$4
    if [ "$1" = absent ]; then old=/dev/null; fi
    if [ "$2" = absent ]; then new=/dev/null; fi
    /usr/bin/timeout 20 /usr/bin/diff -u --label "$object" --label "$object" -- "$old" "$new" | /usr/bin/head -c 65536
}

# Signs that a person is at work, one on each line.
people() { # ACTION…
    /usr/bin/who 2>/dev/null | while IFS=' ' read -r user line_of _; do
        say "session of $(plain "$user") on $(plain "$line_of")"
    done
    for file in $LOCKS; do held "$file"; done
    for action in "$@"; do
        if list_change "$action"; then
            case $kind in
            unit | container | command) ;;
            *) editors ;;
            esac
        fi
    done
    answer 0
}

# dpkg and apt use POSIX locks, which no program here can test. The kernel lists their owners.
held() { # FILE
    [ -f "$1" ] || return 0
    inode=$(/usr/bin/stat -c %i -- "$1") || return 0
    while IFS=' ' read -r _ _ _ _ _ place _; do
        case $place in *:"$inode") say "a package manager holds $1" ;; esac
    done </proc/locks
}

# Files that an editor keeps beside an open file: vi, nano, Emacs, Kate.
editors() {
    enter "$object" || return 0
    for beside in ".$name.swp" ".$name.swo" ".#$name" "#$name#" ".$name.kate-swp"; do
        if [ -e "./$beside" ] || [ -L "./$beside" ]; then say "an editor has $object open ($beside)"; fi
    done
    cd /
}

tell_gate() {
    sum=$(/usr/bin/sha256sum <"$GATE")
    say "version $VERSION"
    say "list $LIST"
    say "script ${sum%% *}"
    if is_disabled; then say "disabled $why"; else say 'disabled no'; fi
    today_and_last
    say "begins-today $today"
    say "last-begin $last"
    say "open $(cat_or "$STATE/open" -)"
    say "clock $(now)"
    say "boot $(cat_or /proc/sys/kernel/random/boot_id -)"
    answer 0
}

# The installation, for `gate verify`: the owner of each file, the effective settings of sshd and sudo, and the accounts.
tell_installed() {
    for file in "$GATE" "$SUDOERS" "$KEYS/$READ_USER" "$KEYS/$CHANGE_USER" "$SSHD_CONFIG" "$BOOT_UNIT" "$CONFIG/approvers"; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then
            sum=$(/usr/bin/sha256sum <"$file")
            say "file $file $(/usr/bin/stat -c '%a %u %g' -- "$file") ${sum%% *}"
        else
            say "file $file missing"
        fi
    done
    for file in "${GATE%/*}" "${SUDOERS%/*}" "$KEYS" "${SSHD_CONFIG%/*}" "$CONFIG" "$STATE"; do
        say "folder $file $(/usr/bin/stat -c '%a %u %g' -- "$file" 2>/dev/null)"
    done
    if /usr/sbin/visudo -c -q -f "$SUDOERS" >/dev/null 2>&1 </dev/null 3<&-; then say 'sudoers good'; else say 'sudoers bad'; fi
    if [ -d "$SYSTEMD" ]; then
        boot=$(bounded 20 "$SYSTEMCTL" is-enabled -- "${BOOT_UNIT##*/}" 2>/dev/null </dev/null 3<&-)
        say "boot ${boot:-missing}"
    else
        say 'boot without'
    fi
    for user in "$READ_USER" "$CHANGE_USER"; do
        entry=$(/usr/bin/getent passwd "$user")
        where=${entry%:*}
        where=${where##*:}
        say "account $user ${entry##*:} $(/usr/bin/stat -c '%a %u' -- "$where" 2>/dev/null)"
        "$SSHD" -T -C "user=$user,host=localhost,addr=${from:-127.0.0.1},laddr=127.0.0.1,lport=22" 2>/dev/null </dev/null 3<&- |
            /usr/bin/grep -E "^($SSHD_SAYS) " | while IFS= read -r told; do say "sshd $user $told"; done
    done
    answer 0
}

cat_or() { # FILE OTHERWISE
    if [ -e "$1" ]; then
        if /usr/bin/cat -- "$1" 2>/dev/null; then return 0; fi
        # Another process may have removed it meanwhile. A file that exists and cannot be read is an error.
        if [ -e "$1" ]; then
            /usr/bin/cat -- "$1"
            return
        fi
    fi
    printf '%s\n' "$2"
}

tell_change() { # CHANGE
    home=$STATE/changes/$1
    if [ ! -d "$home" ]; then
        answer unknown
        return
    fi
    say "opened $(cat_or "$home/opened" -)"
    say "plan $(cat_or "$home/plan" -)"
    step=1
    while [ "$step" -le 64 ]; do
        if [ -e "$home/$step/asked" ]; then
            say "step $step asked $(/usr/bin/cat -- "$home/$step/asked")"
            for way in 'do' undo again; do
                if [ -e "$home/$step/$way" ]; then
                    say "step $step $way $(/usr/bin/head -n 2 -- "$home/$step/$way" | /usr/bin/tr '\n' ' ')"
                fi
            done
        fi
        step=$((step + 1))
    done
    if [ -e "$home/failed" ]; then say "failed $(/usr/bin/cat -- "$home/failed")"; fi
    say "closed $(cat_or "$home/closed" no)"
    answer 0
}

