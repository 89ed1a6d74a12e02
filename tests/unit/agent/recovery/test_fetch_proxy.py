"""Fetches that are passed on to the reader daemon, over real sockets."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.postgres.walbytes import create, laid, record
from walsup.agent.recovery.fetch_proxy import proxy
from walsup.archive.engine.restore_command import PROXY_SOCKET, READER_SOCKET

NAME = "000000010000000000000007"
PLAIN = record(0, 0, b"x")


def _request(name: str, target: str) -> bytes:
    words = [name.encode(), target.encode()]
    body = bytes([len(words)]) + b"".join(struct.pack(">H", len(w)) + w for w in words)
    return b"f" + struct.pack(">H", 3 + len(body)) + body


async def _ask(run_dir: Path, request: bytes) -> bytes:
    """Ask the proxy, as a client does; gives all of its answer."""
    reader, writer = await asyncio.open_unix_connection(str(run_dir / PROXY_SOCKET))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def _fetch(run_dir: Path, said: bytes, fetched: Callable[[], object]) -> bytes:
    """Ask for a segment through the proxy; the daemon writes it, and says `said`."""

    async def daemon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(request)) == request
        fetched()
        writer.write(said)
        writer.close()

    request = _request(NAME, "pg_wal/RECOVERYXLOG")
    server = await asyncio.start_unix_server(daemon, str(run_dir / READER_SOCKET))
    async with proxy(run_dir, run_dir):
        answer = await _ask(run_dir, request)
    server.close()
    return answer


@pytest.mark.parametrize("said", [b"O", b"O\0\3", b"E\0\3", b"N", b""])
async def test_answers_are_passed_on_as_they_are(tmp_path: Path, said: bytes) -> None:
    """WAL-G's of one byte and WAL-RUS's of three, for a segment that creates nothing."""
    (tmp_path / "pg_wal").mkdir()
    wal, _ = laid([PLAIN], 7 << 24)
    segment = tmp_path / "pg_wal" / "RECOVERYXLOG"
    assert await _fetch(tmp_path, said, lambda: segment.write_bytes(wal)) == said


async def test_a_segment_that_creates_tablespaces_has_no_answer(tmp_path: Path) -> None:
    """The client fails, and the fallback program asks whether it may be replayed."""
    (tmp_path / "pg_wal").mkdir()
    name_start = int(NAME[16:], 16) << 20  # segments of 1 MiB, as the pages are laid here
    wal, _ = laid([PLAIN, create(16384, b"/srv/late"), PLAIN], name_start)
    segment = tmp_path / "pg_wal" / "RECOVERYXLOG"
    assert await _fetch(tmp_path, b"O\0\3", lambda: segment.write_bytes(wal)) == b""


async def test_what_cannot_be_looked_into_has_no_answer(tmp_path: Path) -> None:
    """The daemon says that it is there, and it is not."""
    assert await _fetch(tmp_path, b"O", lambda: None) == b""


async def test_without_a_daemon_there_is_no_answer(tmp_path: Path) -> None:
    """It is being started again."""
    async with proxy(tmp_path, tmp_path):
        assert await _ask(tmp_path, _request(NAME, "pg_wal/RECOVERYXLOG")) == b""
