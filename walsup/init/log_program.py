"""The program that reads what everything in the container logs, and writes it to the real log.

A program that writes to a log without a reader is ended by SIGPIPE. When the reader stands still,
the writer stands still too. Only this program is exposed to that. While the log is slow it reads no
more than it may keep, 1 MiB. When the log stands still, or is closed, lines are dropped and
counted. Standard library only, without PID 1's environment and its secrets.
"""

import errno
import json
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Lines dropped since the start, the errno of the last failure, whether the log stalls, when this
# was written (monotonic, in ms), dropped lines that the log does not mention yet, lines that are
# kept: they outlive this process.
LAYOUT = struct.Struct("<QQQQQQ")
MOST_KEPT_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_LOOK_EVERY_MS = 1000
_FULL_LOOK_MS = 50
_STALLS_AFTER_S = 5.0
_FLUSHED_WITHIN_S = 1.0


class Stream:
    """One real descriptor with its own thread, which may block in a write without a limit.

    `dropped`: lines since the start. `problem`: the errno of the last write when it failed, else 0.
    """

    def __init__(self, target: int, line: "Callable[[int, str], str]") -> None:
        """`line`: returns the log's line about a number of dropped lines, and why."""
        self.dropped = 0
        self.problem = 0
        self.unsaid = 0  # dropped lines that the log does not mention yet
        self._target = target
        self._line = line
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._kept_lines = 0
        self._cut = False  # whether the beginning of the next line is lost
        self._ends_line = True  # whether what was kept last ends with a line
        self._wrote_line = True  # and what was written last
        self._writes_since_s = 0.0
        self._changed = threading.Condition()
        threading.Thread(target=self._write_all, daemon=True).start()

    def take(self, chunk: bytes) -> None:
        """Keep what is to be written, or drop it when too much is kept."""
        with self._changed:
            if self._kept_bytes + len(chunk) > MOST_KEPT_BYTES:
                self._drop(chunk)
                return
            if self._cut:
                _, newline, chunk = chunk.partition(b"\n")
                self._cut = not newline
                if not self._ends_line:  # the rest of that line is lost
                    chunk = b"\n" + chunk
            if not chunk:
                return
            self._ends_line = chunk.endswith(b"\n")
            self._kept.append(chunk)
            self._kept_bytes += len(chunk)
            self._kept_lines += chunk.count(b"\n")
            self._changed.notify_all()

    def may_take(self) -> bool:
        """Return whether to read on: there is room, or the log is known to stand still."""
        return self._kept_bytes + _CHUNK_BYTES <= MOST_KEPT_BYTES or self.stalls()

    def wait_for_room(self, until_s: float) -> None:
        """Wait until more can be kept, or until `until_s` (monotonic)."""
        with self._changed:
            while not self.may_take() and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)

    def stalls(self) -> bool:
        """Return whether a write has not returned for seconds, or the last one failed."""
        since_s = self._writes_since_s
        return bool(self.problem or (since_s and time.monotonic() - since_s > _STALLS_AFTER_S))

    def miss(self, lines: int) -> None:
        """Count lines as dropped."""
        self.dropped += lines
        self.unsaid += lines

    def kept_lines(self) -> int:
        """Return how many lines wait to be written."""
        return self._kept_lines

    def flush(self, until_s: float) -> None:
        """Wait until everything is written, or until `until_s` (monotonic)."""
        with self._changed:
            while self._kept_bytes and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)

    def _drop(self, chunk: bytes) -> None:
        self._cut = not chunk.endswith(b"\n")
        self.miss(chunk.count(b"\n"))

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._kept:
                    self._changed.wait()
                chunk = self._kept[0]
                notice = self._notice()
            self._writes_since_s = time.monotonic()
            self.problem = self._write(notice + chunk)
            self._writes_since_s = 0.0
            with self._changed:
                self._wrote_line = chunk.endswith(b"\n")
                self._kept.popleft()
                self._kept_bytes -= len(chunk)
                self._kept_lines -= chunk.count(b"\n")
                if self.problem:
                    self._drop(chunk)
                elif notice:
                    self.unsaid = 0
                self._changed.notify_all()

    def _notice(self) -> bytes:
        """Return the line about dropped lines, once there is room again."""
        if not self.unsaid or not self._wrote_line or self._kept_bytes > MOST_KEPT_BYTES // 2:
            return b""
        why = os.strerror(self.problem) if self.problem else "the log was not read"
        return self._line(self.unsaid, why).encode()

    def _write(self, data: bytes) -> int:
        """Write; return the errno of a failure, 0 for none."""
        while data:
            try:
                data = data[os.write(self._target, data) :]
            except BlockingIOError:  # another program that has this descriptor has made it so
                waiting = select.poll()
                waiting.register(self._target, select.POLLOUT)
                waiting.poll(_LOOK_EVERY_MS)
            except OSError as fault:
                return fault.errno or errno.EIO
        return 0


def main() -> None:
    """Copy until the control descriptor is closed.

    Arguments: the format (json, text), descriptors of the control pipe and of the shared memory,
    and then pairs of a pipe's reading end and the descriptor of the real log.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    line = _json if sys.argv[1] == "json" else _text
    control, shared, *routes = map(int, sys.argv[2:])
    page = mmap.mmap(shared, mmap.PAGESIZE)
    pairs = zip(routes[::2], routes[1::2], strict=True)
    streams = {reader: Stream(target, line) for reader, target in pairs}
    *_, last = streams.values()
    last.dropped, _, _, _, last.unsaid, lost = LAYOUT.unpack_from(page, 0)
    last.miss(lost)
    ends = False
    while not ends:
        waiting = select.poll()
        waiting.register(control, select.POLLIN)
        full = False
        for reader, stream in streams.items():
            if stream.may_take():
                waiting.register(reader, select.POLLIN)
            else:
                full = True
        ready = dict(waiting.poll(_FULL_LOOK_MS if full else _LOOK_EVERY_MS))
        ends = control in ready
        for reader, stream in streams.items():
            if reader in ready:
                _take(reader, stream)
        _show(page, [*streams.values()])
    until_s = time.monotonic() + _FLUSHED_WITHIN_S
    for reader, stream in streams.items():
        while _take(reader, stream):
            stream.wait_for_room(until_s)
    for stream in streams.values():
        stream.flush(until_s)


def _show(page: mmap.mmap, streams: "list[Stream]") -> None:
    LAYOUT.pack_into(
        page,
        0,
        sum(stream.dropped for stream in streams),
        max(stream.problem for stream in streams),
        any(stream.stalls() for stream in streams),
        int(time.monotonic() * 1000),
        sum(stream.unsaid for stream in streams),
        sum(stream.kept_lines() for stream in streams),
    )


def _take(reader: int, stream: Stream) -> bool:
    """Read what is there, once; return whether there was anything."""
    try:
        chunk = os.read(reader, _CHUNK_BYTES)
    except BlockingIOError:
        return False
    if chunk:
        stream.take(chunk)
    return bool(chunk)


def _json(lines: int, why: str) -> str:
    """Return a line in the format of `walsup.log`."""
    fields = {"level": "warning", "process": "log", "event": "log.dropped"}
    return json.dumps({"ts": _now(), **fields, "lines": lines, "why": why}) + "\n"


def _text(lines: int, why: str) -> str:
    return f'{_now()} walsup[log] warning: log.dropped lines={lines} why="{why}"\n'


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


if __name__ == "__main__":
    main()
    os._exit(0)  # a thread may stand in a write
