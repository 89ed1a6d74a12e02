#!/bin/sh
# docker-library's contract: flags are postgres's, `postgres` runs the database, anything else is
# run as it is. KubeDB's manifests give the name and flags of its own program: they are dropped.
case ${1-} in
'' | -*) ;;
postgres) shift ;;
leader_election) set -- ;;
*) exec "$@" ;;
esac
export WALSUP_REQUIRE_MOUNT="${WALSUP_REQUIRE_MOUNT-on}"
python=${WALSUP_PYTHON:-/usr/bin/python3}
unset WALSUP_PYTHON
# Signals are blocked before the interpreter starts: a TERM in its first milliseconds is not lost.
# By absolute path: a shim in between would lose the mask.
exec env --block-signal "$python" -I -m walsup run "$@"
