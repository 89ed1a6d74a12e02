"""The program that lends keys: silent clients hold up nobody, and it is started again."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from walsup.archive.engine import key_server, lent_keys
from walsup.settings import load


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[lent_keys.Loan]:
    """Keys that are lent to WAL-G."""
    known = load(
        {
            "PGDATA": str(tmp_path / "data"),
            "WALSUP_ARCHIVE": "s3://b/p",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_SESSION_TOKEN": "t0ken",
        }
    )
    config = tmp_path / "engine.json"
    config.write_text('{"AWS_ACCESS_KEY_ID": "id"}')
    with lent_keys.lent(known, "wal-g", config, tmp_path) as made:
        assert made is not None
        yield made


def _url(loan: lent_keys.Loan) -> str:
    return loan.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]


def _place(loan: lent_keys.Loan) -> tuple[str, int]:
    host, _, port = _url(loan).removeprefix("http://").partition("/")[0].partition(":")
    return host, int(port)


def _ask(loan: lent_keys.Loan, timeout_s: float = 60.0) -> bytes:
    with urllib.request.urlopen(_url(loan), timeout=timeout_s) as answered:  # noqa: S310 (http)
        content: bytes = answered.read()
    return content


def test_clients_that_say_nothing_hold_up_nobody(loan: lent_keys.Loan) -> None:
    """More of them than are served at a time, some with half a request; all are closed."""
    silent = [socket.create_connection(_place(loan)) for _ in range(key_server.MOST_CLIENTS + 36)]
    for one in silent[::2]:
        one.sendall(b"GET /half")
    assert b"s3cret" in _ask(loan)
    still_open = [one for one in silent if _is_open(one)]
    assert still_open  # it was answered before they had to be given up
    for one in silent:
        one.settimeout(60)
        assert _read(one) == b""
        one.close()
    assert b"s3cret" in _ask(loan)


def test_a_client_that_dribbles_has_a_deadline_for_the_whole_request(loan: lent_keys.Loan) -> None:
    """Each byte alone would be in time."""
    with socket.create_connection(_place(loan)) as slow, pytest.raises(OSError):  # noqa: PT011
        _dribble(slow)
    assert b"s3cret" in _ask(loan)


def test_a_program_that_has_died_is_started_again(loan: lent_keys.Loan) -> None:
    """Who asked meanwhile is answered, at the same address."""
    first = loan.server_pid
    os.kill(first, signal.SIGKILL)
    while loan.server_pid:
        time.sleep(0.01)
    with socket.create_connection(_place(loan)) as early:
        path = "/" + _url(loan).removeprefix("http://").partition("/")[2]
        early.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        loan.keep_serving()
        early.settimeout(60)
        assert b" 200 OK" in _read(early)
    assert loan.server_pid not in (0, first)
    assert b"t0ken" in _ask(loan)
    second = loan.server_pid
    loan.keep_serving()
    assert loan.server_pid == second


def _dribble(slow: socket.socket) -> None:
    for _ in range(100):
        slow.sendall(b"G")
        time.sleep(0.2)


def _is_open(one: socket.socket) -> bool:
    one.settimeout(0)
    try:
        return one.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _read(one: socket.socket) -> bytes:
    try:
        return one.recv(1 << 16)
    except ConnectionResetError:
        return b""
