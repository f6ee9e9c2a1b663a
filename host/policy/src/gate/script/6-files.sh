# --- 6. Changing a file, by compare-and-swap -------------------------------------------------------------------------
#
# All of it happens in a folder beside the file that only root may use (the workshop). The owner of the folder around it can
# rename the workshop, but can neither read it nor move it elsewhere. From inside, `..` is the folder of the file.

open_workshop() {
    workshop=.bailiwick-gate-$change-$step
    clear_workshop || return 1
    /usr/bin/mkdir -m 0700 -- "./$workshop" 2>/dev/null || fail 'its folder cannot be written to' || return 1
    stand_in_workshop
}

stand_in_workshop() {
    cd -P -- "./$workshop" 2>/dev/null || fail 'its folder is being moved' || return 1
    [ "$(pwd -P)" = "${folder%/}/$workshop" ] || fail 'its folder is being moved' || return 1
    case $(/usr/bin/stat -c '%u %a' -- .) in
    '0 700' | '0 2700') ;;
    *) fail 'its folder is being moved' ;;
    esac
}

# Removes what a killed session left behind: copies and extra names. The object itself is complete, as before or after.
clear_workshop() {
    if [ ! -e "./$workshop" ] && [ ! -L "./$workshop" ]; then return 0; fi
    stand_in_workshop && close_workshop
}

close_workshop() {
    /usr/bin/rm -f -- ./old ./new ./was ./now
    cd -P -- .. && /usr/bin/rmdir -- "./$workshop" 2>/dev/null
}

# The same for a step that was killed, before the object is checked: an extra name would hide its state.
clean_up() {
    enter "$object" || return 1
    workshop=.bailiwick-gate-$change-$step
    clear_workshop
    cd /
}

# Ends what `open_workshop` began, after success and failure.
leave_workshop() {
    case $(pwd -P) in */"$workshop") close_workshop ;; esac
    cd /
}

# Replaces `../$name`, whose state must be FROM, by `./new` (or removes it, if TO is absent). The inode gets a second name
# first, so that the compared file is the replaced one. A process that has the file open and writes to it meanwhile is
# detected afterwards, and the file is restored. Not detected: another rename onto the name between two system calls.
swap() { # FROM TO
    if [ "$1" = absent ]; then
        # Fails if the name exists by now.
        /usr/bin/ln -T -- ./new "../$name" 2>/dev/null || fail 'it exists by now' || return 1
        mine=yes
        /usr/bin/rm -f -- ./new
    else
        /usr/bin/ln -P -T -- "../$name" ./was 2>/dev/null || fail 'it cannot be linked' || return 1
        own_state ./was || return 1
        [ "$state" = "$1" ] || fail 'it is not what it was' || return 1
        if [ "$2" = absent ]; then
            /usr/bin/rm -f -- "../$name" || fail 'it cannot be removed' || return 1
        else
            /usr/bin/mv -f -T -- ./new "../$name" || fail 'it cannot be renamed' || return 1
        fi
        mine=yes
    fi
    /usr/bin/sync -- .. || fail 'its folder cannot be written to the disk'
    if [ "$1" != absent ]; then
        own_state ./was
        if [ "$state" != "$1" ]; then
            if [ "$2" = absent ]; then
                /usr/bin/ln -T -- ./was "../$name" 2>/dev/null
            else
                /usr/bin/mv -f -T -- ./was "../$name"
            fi
            /usr/bin/sync -- ..
            mine=no
            fail 'another process wrote to it; that content is kept'
            return 1
        fi
    fi
}

# Checks the result by name.
confirm_swap() { # TO
    look_at "../$name" ./now || return 1
    [ "$state" = "$1" ] || fail 'its state differs from the one it was given'
}

# One listed change of a file from `before` to `after`. The old content is kept first.
change_file() {
    replace_file prepare_file "$before" "$after"
}

# The undo, from `after` to `before`.
restore_file() {
    replace_file prepare_restore "$after" "$before"
}

replace_file() { # PREPARE FROM TO
    enter "$object" && open_workshop && "$1" && swap "$2" "$3" && confirm_swap "$3"
    ended=$?
    leave_workshop
    return "$ended"
}

prepare_file() {
    look_at "../$name" ./old || return 1
    [ "$state" = "$before" ] || fail 'it is not what it was' || return 1
    if [ "$before" = absent ]; then
        : >./old
        : >./new
        { /usr/bin/chmod 0644 -- ./new && /usr/bin/chown 0:0 -- ./new; } || fail 'no space left' || return 1
    else
        keep ./old "$kept/old" "$before" || return 1
        /usr/bin/cp --preserve=all -- ./old ./new || fail 'no space left' || return 1
    fi
    [ "$after" != absent ] || return 0
    # The content goes into the copy, which keeps owner, mode, labels and attributes.
    produce ./old ./new || fail 'its new content cannot be written' || return 1
    own_state ./new || return 1
    [ "$state" = "$after" ] || fail 'the result would differ from the plan' || return 1
    /usr/bin/sync -- ./new || fail 'it cannot be written to the disk' || return 1
    keep ./new "$kept/new" "$after"
}

# A copy in the gate's folder, on the disk before anything else happens.
keep() { # FROM TO STATE
    /usr/bin/cp --preserve=all -- "$1" "$2" 2>/dev/null && /usr/bin/sync -- "$2" "$kept" && own_state "$2" &&
        [ "$state" = "$3" ] && return 0
    /usr/bin/rm -f -- "$2"
    fail 'its copy cannot be kept'
}

prepare_restore() {
    [ "$before" != absent ] || return 0
    own_state "$kept/old" || return 1
    [ "$state" = "$before" ] || fail 'its kept copy is damaged' || return 1
    /usr/bin/cp --preserve=all -- "$kept/old" ./new || fail 'no space left' || return 1
    own_state ./new || return 1
    [ "$state" = "$before" ] || fail 'its kept copy cannot be restored' || return 1
    /usr/bin/sync -- ./new || fail 'it cannot be written to the disk'
}

