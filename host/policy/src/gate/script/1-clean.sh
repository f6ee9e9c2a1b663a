# --- 1. A clean start ------------------------------------------------------------------------------------------------
#
# Discards everything that a client or a login shell has put into the environment (variables, exported functions, a search
# path): everything below runs under `env -i`, and this file names every program by its full path.

case ${1-} in
read | change | look | change-root | status | rollback | dead-man | boot)
    asked=${SSH_ORIGINAL_COMMAND-}
    # The kernel rejects an argument that is too long. The request must be logged all the same, so it is shortened.
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
# Words below are never patterns for file names.
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

