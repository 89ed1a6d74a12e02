"""Commits that wait for a synchronous standby: one that hangs is reported, a busy one is not."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_protected
from dev.harness.scenarios.standbys import conninfo

Make = Callable[..., Walsup]
_COMMITS = 17
_LOOP = """
create procedure fill() language plpgsql as $$
begin
  for n in 1 .. 10000 loop
    insert into filled values (n);
    commit;
    exit when exists (select from enough);
  end loop;
end $$
"""


@contextmanager
def _receiver(one: Walsup, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A synchronous standby that holds nothing up by itself: pg_receivewal."""
    directory.mkdir()
    argv: list[str | Path] = [
        one.machine.bindir / "pg_receivewal",
        "--synchronous",
        "--no-loop",
        "-D",
        directory,
    ]
    target = f"{conninfo(one)} application_name=receiver"
    with subprocess.Popen([*argv, "-d", target], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


class _Slow:
    """Lets a process run for a moment every second, until it is held for good."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._held = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold()

    def hold(self) -> None:
        """Stop it for good."""
        self._held.set()
        self._thread.join()

    def _run(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        while not self._held.wait(1.0):
            self._process.send_signal(signal.SIGCONT)
            self._held.wait(0.002)
            self._process.send_signal(signal.SIGSTOP)


def _rows(one: Walsup) -> int:
    return int(one.psql("select count(*) from filled"))


def test_commits_wait_is_reported_for_one_wait_that_lasts_and_for_no_procedure_that_commits(
    walsup: Make, tmp_path: Path
) -> None:
    """A procedure's commits wait a second each; then the standby hangs: reported once, steadily."""
    one = walsup().start()
    wait_protected(one)
    one.psql("create table filled (n int); create table enough (n int)")
    one.psql(_LOOP)
    with _receiver(one, tmp_path / "received") as process, ThreadPoolExecutor(1) as pool:
        one.wait_for(
            lambda: (
                one.psql(
                    "select state from pg_stat_replication where application_name = 'receiver'"
                )
                == "streaming"
            ),
            "it receives",
        )
        one.psql("alter system set synchronous_standby_names = 'receiver'")
        one.psql("select pg_reload_conf()")
        with _Slow(process) as slow:
            called = pool.submit(one.psql, "call fill()", timeout_s=300)
            one.wait_for(lambda: _rows(one) >= _COMMITS, "it commits", timeout_s=120)
            assert "commits" not in status(one)["attention"]
            assert not one.events("attention.wanted")
            slow.hold()
            found = one.wait_for(
                lambda: status(one)["attention"].get("commits"), "it is reported", timeout_s=60
            )
        assert "'receiver', connected standbys: receiver" in found["problem"]
        one.psql("set synchronous_commit = local; insert into enough values (1)")
        process.send_signal(signal.SIGCONT)
        called.result()
        one.wait_for(lambda: "commits" not in status(one)["attention"], "they go on")
        one.psql("alter system reset synchronous_standby_names")
        one.psql("select pg_reload_conf()")
    assert [event["subject"] for event in one.events("attention.wanted")] == ["commits"]
