#!/bin/sh
# Runs a command whose standard output goes to a log file: quietly.sh LOG COMMAND... Warnings, on standard error, are shown.
# If the command fails, so are the end of the log, where a compiler's messages stand, and the log's name.
set -u
log=$1
shift
mkdir -p "$(dirname "$log")" || exit 1
"$@" >"$log"
status=$?
[ $status = 0 ] && exit 0
tail -n 60 "$log" >&2
echo "failed with status $status: $*; the whole output is in $(realpath "$log")" >&2
exit $status
