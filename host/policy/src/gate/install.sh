# --- What the gate needs ---------------------------------------------------------------------------------------------

missing=no
for program in /bin/sh /usr/bin/env /usr/bin/cat /usr/bin/head /usr/bin/tail /usr/bin/tr /usr/bin/stat /usr/bin/sha256sum \
    /usr/bin/sync /usr/bin/mv /usr/bin/ln /usr/bin/cp /usr/bin/rm /usr/bin/chmod /usr/bin/chown /usr/bin/mkdir \
    /usr/bin/rmdir /usr/bin/mktemp /usr/bin/mkfifo /usr/bin/date /usr/bin/df /usr/bin/timeout /usr/bin/sleep \
    /usr/bin/base64 /usr/bin/id /usr/bin/who /usr/bin/setsid /usr/bin/flock /usr/bin/diff /usr/bin/grep /usr/bin/sed \
    /usr/bin/getent /usr/bin/ssh-keygen "$LOGGER" "$SUDO" "$SSHD" /usr/sbin/visudo /usr/sbin/useradd; do
    if [ ! -x "$program" ]; then
        echo "error: $program is missing" >&2
        missing=yes
    fi
done
case $(/usr/bin/stat --version 2>/dev/null) in
*'GNU coreutils'*) ;;
*)
    echo 'error: /usr/bin/stat is not from GNU coreutils' >&2
    missing=yes
    ;;
esac
if [ "$missing" = yes ]; then
    echo 'hint: on Debian they are in: coreutils diffutils util-linux bsdutils grep sed libc-bin openssh-client openssh-server sudo passwd' >&2
    exit 1
fi

# --- Checked before anything is installed ----------------------------------------------------------------------------

check() { # NAME SHA256
    [ "$(sha256sum <"$stage/$1")" = "$2  -" ] || {
        echo "error: $1 was changed in transit" >&2
        exit 1
    }
}
check_all
/bin/sh -n "$stage/gate"
/usr/sbin/visudo -c -q -f "$stage/sudoers"
"$SSHD" -t

# --- Accounts: no password, an empty home that root owns --------------------------------------------------------------

install -d -o root -g root -m 0755 "$HOMES"
for account in "$READ" "$CHANGE"; do
    if ! getent passwd "$account" >/dev/null; then
        useradd --system --user-group --no-create-home --home-dir "$HOMES" --shell /bin/sh --password '*' "$account"
        echo "created the account $account"
    fi
done

# --- Files, each completely or not at all -----------------------------------------------------------------------------

put() { # NAME MODE WHERE
    install -d -o root -g root -m 0755 "${3%/*}"
    install -o root -g root -m "$2" "$stage/$1" "$3.new"
    mv -f -T "$3.new" "$3"
    echo "installed $3"
}
install -d -o root -g root -m 0755 "$CONFIG"
install -d -o root -g root -m 0700 "$STATE"
if [ -e "$stage/approvers" ]; then put approvers 0644 "$CONFIG/approvers"; fi
put gate 0755 "$GATE"
put sudoers 0440 "$SUDOERS"
put read-keys 0644 "$KEYS/$READ"
put change-keys 0644 "$KEYS/$CHANGE"
put sshd 0644 "$SSHD_CONFIG"
put boot-unit 0644 "$BOOT_UNIT"

# --- Check that sshd uses the configuration --------------------------------------------------------------------------

holds() { # ACCOUNT LINE
    "$SSHD" -T -C "user=$1,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22" | grep -q -x -F -e "$2"
}
for account in "$READ" "$CHANGE"; do
    if ! { "$SSHD" -t && holds "$account" "authorizedkeysfile $KEYS/%u" && holds "$account" 'permituserenvironment no' &&
        holds "$account" 'permituserrc no' && holds "$account" 'allowagentforwarding no'; }; then
        rm -f -- "$SSHD_CONFIG"
        echo "error: sshd does not apply $SSHD_CONFIG to $account; the file is removed again" >&2
        echo 'hint: /etc/ssh/sshd_config needs the line `Include /etc/ssh/sshd_config.d/*.conf` before any Match, and no PermitUserEnvironment' >&2
        exit 1
    fi
done
if [ -d /run/systemd/system ]; then
    systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service
    echo 'sshd has reloaded its configuration'
    systemctl daemon-reload
    systemctl --quiet enable "${BOOT_UNIT##*/}"
else
    echo 'now make sshd reload its configuration'
fi
echo "the gate of $TARGET is installed; \`bailiwick gate verify $TARGET\` checks it from the controller"
