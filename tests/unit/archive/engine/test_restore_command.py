"""restore_command, and the fallback program that it ends in."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from walsup.archive.engine import restore_client
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.restore_command import MISS_SOCKET, restore_command

WALRUS = Engine("walrus", Path("/opt/it's/walrus"), None)
WALG = Engine("wal-g", Path("/opt/wal-g"), Path("/opt/walg-daemon-client"))
BARE = Engine("wal-g", Path("/opt/wal-g"), None)


@pytest.mark.parametrize("carrier", [WALRUS, WALG, BARE])
def test_nothing_is_handed_over_that_was_not_looked_into(carrier: Engine) -> None:
    """By the agent behind its socket, or by the fallback program; a miss is asked about."""
    ask, _, then = restore_command(carrier, Path("/run/walsup")).partition("; }; ")
    assert "restore_client.py" in ask
    assert ask.split()[-3:] == ["%f", "%p", '"$@"']
    if carrier.has_daemon:
        assert "/run/walsup/fetch.sock wal-fetch" in then.replace(" --timeout 60s", "")
        assert then.endswith(" && exit; ask")
    else:
        assert then.endswith(" && ask inf fetched; ask")
    assert then.count("%f") == then.count("%p") == 1


def test_other_percent_signs_are_doubled() -> None:
    """postgres would refuse an unknown one."""
    command = restore_command(WALG, Path("/run/100%p"))
    assert "/run/100%%p" in command


@pytest.mark.parametrize("code", [0, 1, 255])
@pytest.mark.parametrize("first", [b"", b"\n", b"nonsense\n"])
def test_it_ends_with_what_the_agent_answers(tmp_path: Path, code: int, first: bytes) -> None:
    """And with nothing else: without an answer it asks again."""
    path = tmp_path / MISS_SOCKET
    asked: list[dict[str, str]] = []

    def serve(server: socket.socket) -> None:
        for answer in (first, f"{code}\n".encode()):
            line, _ = server.accept()
            with line:
                asked.append(json.loads(line.recv(4096)))
                line.sendall(answer)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        done = subprocess.run(
            [sys.executable, "-I", "-S", restore_client.__file__, str(path), "NAME", "pg_wal/X"],
            check=False,
            cwd=tmp_path,
            timeout=30,
        )
        thread.join(10)
    assert done.returncode == code
    assert asked == [{"name": "NAME", "path": str(tmp_path / "pg_wal" / "X")}] * 2


def test_without_an_agent_it_waits(tmp_path: Path) -> None:
    """The agent is started again; nothing is guessed meanwhile."""
    argv = [sys.executable, "-I", "-S", restore_client.__file__, str(tmp_path / "none"), "N", "P"]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(argv, check=False, timeout=2)


@pytest.mark.parametrize("name", ["000000010000000000000006", "00000001000000000000000A"])
@pytest.mark.parametrize("client", ["true", "false"])
@pytest.mark.rule("quiet-database")
def test_what_lies_behind_a_bound_is_not_asked_for(tmp_path: Path, name: str, client: str) -> None:
    """The shell compares names; a hit before it is the end."""
    script = tmp_path / "walrus"
    script.write_text(f"#!/bin/sh\n{client}\n")
    script.chmod(0o700)
    until = "000000010000000000000009"
    command = restore_command(Engine("walrus", script, None), tmp_path, until)
    command = command.replace("%f", name).replace("%p", "x").replace("exec ", "exec echo ")
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    hit = client == "true" and name < until
    assert done.stdout == "" if hit else done.stdout.endswith(f"{name} x\n")
