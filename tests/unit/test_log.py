"""walsup's own log on a real pipe that has no room: nobody waits, and whole lines come later."""

import json
import subprocess
import sys
import textwrap
from typing import Any

# Fill the pipe that is stderr, but for so many pages; `done` shows what was written.
_BEGIN = """
import fcntl, os, sys
from walsup import log
log.configure("json", "init")
reader, writer = os.pipe()
os.dup2(writer, 2)
own = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)
filled = 0
try:
    while True:
        filled += os.write(own, b"x" * 4096)
except BlockingIOError:
    pass
def read(count):
    found = b""
    while len(found) < count:
        found += os.read(reader, count - len(found))
    return found
def rest():
    os.set_blocking(reader, False)
    found = b""
    try:
        while True:
            found += os.read(reader, 1 << 20)
    except BlockingIOError:
        os.set_blocking(reader, True)
        return found
"""


def _run(program: str) -> str:
    """Run it to its end; one that waits for room never ends."""
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_long_line_does_not_wait_for_a_pipe_with_little_room() -> None:
    """A pipe with room for a page is ready for a write, which then waits for the rest."""
    assert (
        _run("""
        read(4096)
        log.info("long.line", detail="y" * 20000)
        print("went on")
    """)
        == "went on\n"
    )


def test_lines_that_find_no_room_are_kept_whole_and_in_order() -> None:
    """Those of PID 1: half a line is continued where it was cut."""
    found = _lines(
        _run("""
        log.never_wait(own)
        log.info("first", detail="y" * 20000)
        log.info("second")
        assert log.is_kept()
        read(filled)
        log.flush()
        os.write(1, rest())
        assert not log.is_kept()
        log.info("third")
        os.write(1, rest())
    """)
    )
    assert [one["event"] for one in found] == ["first", "second", "third"]
    assert found[0]["detail"] == "y" * 20000


def test_a_half_written_line_is_continued() -> None:
    """There was room for some pages of it."""
    found = _lines(
        _run("""
        log.never_wait(own)
        read(2 * 4096)
        log.info("first", detail="y" * 20000)
        assert log.is_kept()
        read(filled - 2 * 4096)
        log.info("second")
        os.write(1, rest())
    """)
    )
    assert [one["event"] for one in found] == ["first", "second"]


def test_what_is_kept_has_a_bound_and_the_log_says_what_it_lacks() -> None:
    """A log that is read no more takes no memory."""
    found = _lines(
        _run("""
        log.never_wait(own)
        for number in range(1000):
            log.info("line", number=number, detail="y" * 1000)
        read(filled)
        while log.is_kept():
            log.flush()
            os.write(1, rest())
    """)
    )
    *lines, dropped = found
    assert dropped["event"] == "log.dropped"
    assert len(lines) + dropped["lines"] == 1000
    assert [one["number"] for one in lines] == list(range(len(lines)))
    assert sum(len(json.dumps(one)) for one in lines) < 1 << 17


def test_a_pipe_without_a_reader_is_no_reason_to_wait() -> None:
    """What was kept for it is gone."""
    assert (
        _run("""
        log.never_wait(own)
        log.info("first")
        os.close(reader)
        log.info("second")
        os.write(1, str(log.is_kept()).encode())
    """)
        == "False"
    )
