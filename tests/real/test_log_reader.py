"""The container's log reader goes away or stands still: nothing but the log suffers."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_no_lag, wait_protected

Make = Callable[..., Walsup]
# More than all pipes on the way and what walsup keeps.
FLOOD = "do $$ begin for n in 1..6000 loop raise log '% %', n, repeat('x', 900); end loop; end $$"


class Reader:
    """Reads a container's log from a FIFO, until it is told to stand still or to go away."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
        self.text = ""
        self._reads = threading.Event()
        self._reads.set()
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._file, True)
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read, once there is a writer."""
        self._thread.start()

    def stand_still(self) -> None:
        """Read no more for now."""
        self._reads.clear()

    def read_on(self) -> None:
        """Read again."""
        self._reads.set()

    def go_away(self) -> None:
        """Close: whoever writes now gets SIGPIPE."""
        self._ended = True
        self._reads.set()

    def _read(self) -> None:
        while not self._ended and (part := os.read(self._file, 1 << 14)):
            self.text += part.decode(errors="replace")
            self._reads.wait()
        os.close(self._file)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """One that has gone in the end."""
    tmp_path.chmod(0o755)
    found = Reader(tmp_path / "log")
    yield found
    found.go_away()


def logging_to(one: Walsup, where: str) -> Walsup:
    """Redirect its stdout and stderr."""
    one.program = ["sh", "-c", f'exec "$@" {where}', "sh", *one.program]
    return one


def stalls(one: Walsup) -> str:
    """Why the status says that the log does not take what is written."""
    why = str(status(one)["init"]["log_stalls"])
    assert bool(why) == ("log" in status(one)["attention"])
    return why


def archives_on(one: Walsup) -> None:
    """A row goes into the archive, by the daemon and the agent that were there before."""
    one.psql("insert into t select count(*) from t")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    wait_protected(one)
    assert one.state()["engine_restarts"] == "0"
    assert one.state()["agent_restarts"] == "0"


def test_a_log_without_a_reader_ends_nothing(walsup: Make, reader: Reader, tmp_path: Path) -> None:
    """A broken pipe: daemon, agent and postgres go on, and the status says why there is no log."""
    one = logging_to(walsup(), f">{tmp_path}/log 2>&1")
    one.start()
    reader.start()
    wait_protected(one)
    one.psql("create table t (n int)")
    reader.go_away()

    def says_so() -> bool:
        one.psql("do $$ begin raise log 'nobody hears this'; end $$")
        return stalls(one) == "Broken pipe"

    one.wait_for(says_so, "the status says so")
    archives_on(one)
    assert int(one.state()["log_dropped_lines"]) > 0
    assert one.stop() == 0


def test_a_log_that_stands_still_stops_nothing(
    walsup: Make, reader: Reader, tmp_path: Path
) -> None:
    """Pipes fill up; later the log says how many lines it lacks, and goes on with whole lines."""
    one = logging_to(walsup(), f">{tmp_path}/log 2>&1")
    one.start()
    reader.start()
    wait_protected(one)
    one.psql("create table t (n int)")
    reader.stand_still()
    one.psql(FLOOD)
    archives_on(one)
    one.wait_for(lambda: stalls(one) == "it is not read", "the status says so")
    one.kill("log")
    one.wait_for(lambda: one.state()["log_restarts"] == "1", "it is started again")
    archives_on(one)
    reader.read_on()
    one.psql("do $$ begin raise log 'heard again'; end $$")
    one.wait_for(lambda: "heard again" in reader.text, "the log goes on")
    one.wait_for(lambda: not stalls(one), "the status says so")
    assert '"log.dropped"' in reader.text
    assert one.stop() == 0


@pytest.mark.parametrize("where", [">&- 2>&-", ">/dev/full 2>&1"])
def test_a_start_needs_no_log(walsup: Make, where: str) -> None:
    """Closed descriptors, and a device without room: all of a start works, scripts included."""
    one = logging_to(walsup(), where)
    one.start()
    wait_protected(one)
    one.psql("create table t (n int)")
    archives_on(one)
    assert one.stop() == 0
