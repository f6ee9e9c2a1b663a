# --- 1. A clean start ------------------------------------------------------------------------------------------------
#
# Whatever a client or a login shell has put into the environment (variables, exported functions, a search path) ends
# here: everything below runs under `env -i`, and this file names every program in full.

case ${1-} in
read | change | look | change-root | status | rollback | dead-man | boot)
    asked=${SSH_ORIGINAL_COMMAND-}
    # A longer word than the kernel takes as an argument is not to keep us from logging that it came.
    if [ "${#asked}" -gt 1024 ]; then asked="(${#asked} bytes)"; fi
    from=${SSH_CONNECTION-}
    if [ "${#from}" -gt 128 ]; then from=; fi
    start_clean "now-$1" "$from" "$asked" "${2-}" "${3-}"
    ;;
now-*) ;;
*)
    printf '%s\n' 'usage: bailiwick-gate status | bailiwick-gate rollback CHANGE' >&2
    exit 126
    ;;
esac

set -u
# No word below is a pattern for file names.
set -f
IFS=' '
umask 077
unset CDPATH

role=${1#now-}
from=${2%% *}
asked=$3
shift 3

newline='
'
tmp=
watcher=
child=
gone=no
why=

