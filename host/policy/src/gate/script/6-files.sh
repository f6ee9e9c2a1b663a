# --- 6. Changing a file, by compare-and-swap -------------------------------------------------------------------------
#
# All of it happens in a folder beside the file that is root's alone (the workshop): whoever owns the folder around it can
# rename the workshop, and can neither look into it nor move it elsewhere. From inside, `..` is the file's own folder.

open_workshop() {
    workshop=.bailiwick-gate-$change-$step
    clear_workshop || return 1
    /usr/bin/mkdir -m 0700 -- "./$workshop" 2>/dev/null || fail 'its folder cannot be written to' || return 1
    stand_in_workshop
}

stand_in_workshop() {
    cd -P -- "./$workshop" 2>/dev/null || fail 'its folder is being moved about' || return 1
    [ "$(pwd -P)" = "${folder%/}/$workshop" ] || fail 'its folder is being moved about' || return 1
    case $(/usr/bin/stat -c '%u %a' -- .) in
    '0 700' | '0 2700') ;;
    *) fail 'its folder is being moved about' ;;
    esac
}

# What a kill has left behind. The object itself is whole, before or after; these are copies of it, and other names.
clear_workshop() {
    if [ ! -e "./$workshop" ] && [ ! -L "./$workshop" ]; then return 0; fi
    stand_in_workshop && close_workshop
}

close_workshop() {
    /usr/bin/rm -f -- ./old ./new ./was ./now
    cd -P -- .. && /usr/bin/rmdir -- "./$workshop" 2>/dev/null
}

# The same for a step that was killed, before anybody looks at the object: one name too many would hide what it is.
clean_up() {
    enter "$object" || return 1
    workshop=.bailiwick-gate-$change-$step
    clear_workshop
    cd /
}

# Ends what `open_workshop` began, whatever came of it.
leave_workshop() {
    case $(pwd -P) in */"$workshop") close_workshop ;; esac
    cd /
}

# Gives `./new` (or nothing, if TO is absent) the place of `../$name`, which must be FROM. Its inode gets a second name
# first, so that what is compared is what is replaced; who has it open and writes meanwhile is found out afterwards, and
# gets it back. What this cannot see: another rename onto the same name between two system calls of ours.
swap() { # FROM TO
    if [ "$1" = absent ]; then
        # Fails if something is there by now.
        /usr/bin/ln -T -- ./new "../$name" 2>/dev/null || fail 'something is there by now' || return 1
        mine=yes
        /usr/bin/rm -f -- ./new
    else
        /usr/bin/ln -P -T -- "../$name" ./was 2>/dev/null || fail 'it cannot be held' || return 1
        own_state ./was || return 1
        [ "$state" = "$1" ] || fail 'it is not what it was' || return 1
        if [ "$2" = absent ]; then
            /usr/bin/rm -f -- "../$name" || fail 'it cannot be taken away' || return 1
        else
            /usr/bin/mv -f -T -- ./new "../$name" || fail 'it cannot be renamed' || return 1
        fi
        mine=yes
    fi
    /usr/bin/sync -- .. || fail 'its folder is not on the disk'
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
            fail 'somebody wrote into it; it is as they left it'
            return 1
        fi
    fi
}

# What is there now, by name: the last word.
confirm_swap() { # TO
    look_at "../$name" ./now || return 1
    [ "$state" = "$1" ] || fail 'it is not what it was made'
}

# One listed change of a file from `before` to `after`, with what was there kept first.
change_file() {
    replace_file prepare_file "$before" "$after"
}

# And back, from `after` to `before`.
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
        { /usr/bin/chmod 0644 -- ./new && /usr/bin/chown 0:0 -- ./new; } || fail 'there is no room' || return 1
    else
        keep ./old "$kept/old" "$before" || return 1
        /usr/bin/cp --preserve=all -- ./old ./new || fail 'there is no room' || return 1
    fi
    [ "$after" != absent ] || return 0
    # Into the copy, which keeps owner, mode, labels and attributes.
    produce ./old ./new || fail 'what it is to hold cannot be written' || return 1
    own_state ./new || return 1
    [ "$state" = "$after" ] || fail 'it would not become what the plan says' || return 1
    /usr/bin/sync -- ./new || fail 'it is not on the disk' || return 1
    keep ./new "$kept/new" "$after"
}

# A copy in our own folder, on the disk before anything else happens.
keep() { # FROM TO STATE
    /usr/bin/cp --preserve=all -- "$1" "$2" 2>/dev/null && /usr/bin/sync -- "$2" "$kept" && own_state "$2" &&
        [ "$state" = "$3" ] && return 0
    /usr/bin/rm -f -- "$2"
    fail 'it cannot be kept'
}

prepare_restore() {
    [ "$before" != absent ] || return 0
    own_state "$kept/old" || return 1
    [ "$state" = "$before" ] || fail 'what was kept of it is damaged' || return 1
    /usr/bin/cp --preserve=all -- "$kept/old" ./new || fail 'there is no room' || return 1
    own_state ./new || return 1
    [ "$state" = "$before" ] || fail 'what was kept of it cannot be put back' || return 1
    /usr/bin/sync -- ./new || fail 'it is not on the disk'
}

