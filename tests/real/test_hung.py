"""Daemons that hang or are confused, an archiver that stands still: found, replaced or named."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_fault, wait_no_lag, wait_protected
from dev.harness.processes.machine import PYTHON

Make = Callable[..., Walsup]

SOON = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_STOP_GRACE": "8s"}

# Answers each check, takes each push, and never finishes one.
DEAF = """
import socket, sys, threading, time
def serve(connection):
    kind = connection.recv(3)[:1]
    if kind != b"C":
        time.sleep(3600)
    connection.sendall(b"O\\0\\3")
    connection.close()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def _archiver(one: Walsup) -> int:
    def look() -> int | None:
        found = (m.outer_pid for m in one.members() if "postgres: archiver" in " ".join(m.argv))
        return next(found, None)

    return one.wait_for(look, "the archiver")


def _write(one: Walsup) -> None:
    one.psql("create table if not exists t (n int)")
    one.psql("insert into t values (1)")
    one.psql("select pg_switch_wal()")


@pytest.mark.rule("listing-is-proof")
def test_a_stopped_daemon_is_found_by_a_deadline_and_replaced(walsup: Make) -> None:
    """SIGSTOP: it keeps its socket, answers nothing and ignores all but KILL."""
    one = walsup(env=SOON).start()
    wait_protected(one)
    one.kill("engine", SIGSTOP)
    _write(one)
    one.wait_event("engine.replaced")
    wait_no_lag(one)
    wait_protected(one)
    assert len(one.events("postgres.started")) == 1


@pytest.mark.rule("listing-is-proof")
def test_a_daemon_whose_socket_was_removed_is_replaced(walsup: Make) -> None:
    """Nobody can reach it any more, though it runs."""
    one = walsup(env=SOON).start()
    wait_protected(one)
    (one.run_dir / "engine.sock").unlink()
    (one.run_dir / "engine.json").unlink()
    _write(one)
    one.wait_event("engine.replaced")
    wait_no_lag(one)
    assert (one.run_dir / "engine.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.rule("listing-is-proof")
def test_a_daemon_that_answers_and_never_finishes_a_push_is_replaced(
    walsup: Make, engine: str
) -> None:
    """Judged by the push's own deadline, for a check proves nothing."""
    one = walsup(env=SOON)
    real = one.environment["PATH"].partition(":")[0]
    folder = one.pgdata.parent / "bin"
    folder.mkdir()
    fake = folder / "deaf.py"
    fake.write_text(DEAF)
    for program in Path(real).iterdir():
        (folder / program.name).symlink_to(program.resolve())
    wrapper = folder / engine
    wrapper.unlink()
    wrapper.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        if [ "$3" = daemon ] && [ -e {folder}/be-deaf ]; then
            rm {folder}/be-deaf
            rm -f "$4"
            exec {PYTHON} {fake} "$4"
        fi
        exec {real}/{engine} "$@"
        """)
    )
    wrapper.chmod(0o755)
    folder.chmod(0o777)
    one.environment["PATH"] = f"{folder}:/usr/bin:/bin"
    one.start()
    wait_protected(one)
    (folder / "be-deaf").touch()
    one.kill("engine")
    one.wait_for(lambda: not (folder / "be-deaf").exists(), "the deaf one has started")
    _write(one)
    assert "push has taken longer" in one.wait_event("engine.replaced", timeout_s=60)["reason"]
    wait_no_lag(one)
    wait_protected(one)


def test_one_request_that_hangs_costs_one_deadline(walsup: Make, s3: S3Server) -> None:
    """WAL-RUS's daemon joins each new push to the hung one: it is replaced before the next.

    WAL-G's ends its push by itself, and the next one begins from the start.
    """
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=SOON | {"WALSUP_ARCHIVE_TIMEOUT": "60s"}).start()
        wait_protected(one)
        one.psql("create table t (n int)")
        name = one.psql("select pg_walfile_name(pg_current_wal_lsn())")
        verb = "HEAD" if one.engine == "walrus" else "GET"
        proxy.lose(f"{verb} /{s3.bucket}/{one.prefix}/wal_005/{name}", times=1)
        one.psql("select pg_switch_wal()")
        if one.engine == "walrus":
            assert "a push has not ended" in one.wait_event("engine.replaced")["reason"]
        one.wait_for(lambda: name in segments(s3, one.prefix), "the segment is in the bucket")


def test_a_stopped_archiver_is_named_and_left_alone(walsup: Make, s3: S3Server) -> None:
    """It is postgres's: walsup signals only what it has started itself."""
    one = walsup(env=SOON).start()
    wait_protected(one)
    archiver = _archiver(one)
    os.kill(archiver, SIGSTOP)
    before = segments(s3, one.prefix)
    _write(one)
    fault = wait_fault(one, "archiver")
    assert "archiver (pid" in fault["problem"]
    assert "kill -CONT" in fault["remedy"]
    assert not status(one)["protected"]
    os.kill(archiver, SIGCONT)
    wait_protected(one)
    wait_no_lag(one)
    assert len(segments(s3, one.prefix)) > len(before)
    assert not one.events("engine.replaced")


def test_pushes_that_fail_though_the_bucket_can_be_read_are_shown_at_once(walsup: Make) -> None:
    """The engine's own failing pushes; its words are found out by a push of our own."""
    one = walsup(env=SOON).start()
    wait_protected(one)
    # The client is made to fail: nothing of the bucket is wrong.
    socket = one.run_dir / "engine.sock"
    socket.rename(socket.with_name("away"))
    _write(one)
    assert wait_fault(one, "segments")["kind"] == "engine broken"
    wait_no_lag(one)
    one.wait_for(lambda: "segments" not in status(one)["faults"], "the fault has gone")
