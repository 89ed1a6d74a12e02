"""A walsender whose client reads nothing must not cost the clean stop."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import verdict, wait_protected

Make = Callable[..., Walsup]

ARGS = ["-c", "wal_level=logical", "-c", "max_wal_size=256MB"]


@contextmanager
def _receiver(one: Walsup, folder: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    folder.chmod(0o777)
    address = ["-h", str(one.address.socket_dir), "-p", str(one.layout.pg_port), "-U", "postgres"]
    program = [str(one.machine.bindir / argv[0]), *address, *argv[1:]]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(SIGCONT)
        process.send_signal(SIGKILL)
        process.wait()


def _walsender(one: Walsup) -> int:
    def look() -> int | None:
        for member in one.members():
            title = " ".join(member.argv)
            # Before that postgres ends one that is idle by itself.
            if "walsender" in title and ("streaming" in title or "START_REPLICATION" in title):
                return member.outer_pid
        return None

    return one.wait_for(look, "a walsender that streams")


def _fill(one: Walsup) -> None:
    """More than what fits into the buffers between two processes."""
    one.psql("create table if not exists t (x text)")
    for _ in range(3):
        one.psql("insert into t select repeat(md5(i::text), 30) from generate_series(1, 8000) i")


@pytest.mark.parametrize("hangs", ["physical", "logical", "walsender"])
def test_a_hung_walsender_does_not_cost_the_clean_stop(
    walsup: Make, tmp_path: Path, hangs: str
) -> None:
    """A stopped pg_receivewal, a stopped logical one, a walsender that is stopped itself."""
    one = walsup(args=ARGS, env={"WALSUP_STOP_GRACE": "25s"}).start()
    wait_protected(one)
    argv = ["pg_receivewal", "-D", str(tmp_path), "--no-loop"]
    if hangs == "logical":
        one.psql("select pg_create_logical_replication_slot('slow', 'test_decoding')")
        argv = ["pg_recvlogical", "-d", "postgres", "--slot=slow", "--start", "-f", "/dev/null"]
    with _receiver(one, tmp_path, *argv) as receiver:
        walsender = _walsender(one)
        if hangs == "walsender":
            os.kill(walsender, SIGSTOP)
        else:
            receiver.send_signal(SIGSTOP)
        _fill(one)
        assert one.stop() == 0
        assert one.events("process.resumed" if hangs == "walsender" else "walsender.ended")
    assert one.tools.control(one.pgdata)["Database cluster state"] == "shut down"
    assert "is in the bucket: yes" in verdict(one)
    assert one.state()["postgres_clean"] == "1"


def test_a_process_that_was_stopped_does_not_cost_the_clean_stop(walsup: Make) -> None:
    """Whatever it is: it obeys postgres when it is resumed."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    launcher = next(m for m in one.members() if "autovacuum launcher" in " ".join(m.argv))
    os.kill(launcher.outer_pid, SIGSTOP)
    assert one.stop() == 0
    assert one.events("process.resumed")
    assert one.state()["postgres_clean"] == "1"


def test_walsenders_that_drain_are_left_alone(walsup: Make, tmp_path: Path) -> None:
    """A living receiver gets the shutdown checkpoint, also beside one that hangs."""
    one = walsup(args=ARGS).start()
    wait_protected(one)
    argv = ("pg_receivewal", "-D", str(tmp_path), "--no-loop")
    with _receiver(one, tmp_path, *argv):
        _walsender(one)
        _fill(one)
        assert one.stop() == 0
    assert not one.events("walsender.ended")
    assert "is in the bucket: yes" in verdict(one)

    one.start()
    wait_protected(one)
    (tmp_path / "hangs").mkdir()
    other = ("pg_receivewal", "-D", str(tmp_path / "hangs"), "--no-loop")
    with (
        _receiver(one, tmp_path / "hangs", *other) as hung,
        _receiver(one, tmp_path, *argv) as alive,
    ):
        one.wait_for(lambda: one.psql("select count(*) from pg_stat_replication") == "2", "both")
        hung.send_signal(SIGSTOP)
        _fill(one)
        assert one.stop() == 0
        last = one.tools.control(one.pgdata)["Latest checkpoint's REDO WAL file"]
        alive.wait()
    assert len(one.events("walsender.ended")) == 1
    assert list(tmp_path.glob(f"{last}*")), "it has the segment with the shutdown checkpoint"
    assert "is in the bucket: yes" in verdict(one)
