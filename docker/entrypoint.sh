#!/bin/sh
# Signals are blocked before the interpreter starts: a TERM in its first milliseconds is not lost.
exec env --block-signal python3 -I -m walsup run "$@"
