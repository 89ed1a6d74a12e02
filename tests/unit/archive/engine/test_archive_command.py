"""The archive_command under a real shell: its quoting, its codes, and the lease that it asks."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.archive_command import (
    LEASE,
    MANY,
    MOST_BYTES,
    archive_command,
    lease_line,
    longest,
    push_command,
)

SEGMENT = "000000010000000000000001"
ODD = ["plain", "with space", "per%cent %f %p %%", "quo'te", 'dou"ble', "$HOME `id`", "a;b|c&d"]
ODD += ["back\\slash", "new\nline", "*?[x]", "-dash", "ümlaut", "# no comment"]


def program(folder: Path, name: str, text: str = "") -> Path:
    """An executable."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder / name


def expanded(command: str, name: str) -> str:
    """What PostgreSQL makes of the command: %f the file's name, %p its path, %% a percent sign."""
    parts = command.split("%%")
    return "%".join(p.replace("%f", name).replace("%p", f"pg_wal/{name}") for p in parts)


def uptime_s() -> float:
    """The machine's uptime."""
    return float(Path("/proc/uptime").read_text().split()[0])


def run(command: str) -> subprocess.CompletedProcess[bytes]:
    """What the archiver does with it."""
    argv = ["/bin/sh", "-c", expanded(command, SEGMENT)]
    return subprocess.run(argv, check=False, capture_output=True, cwd="/")


@pytest.mark.parametrize("has_client", [True, False])
@pytest.mark.parametrize("name", ODD)
@pytest.mark.rule("archive-settings")
def test_quoting_under_a_real_shell(tmp_path: Path, name: str, *, has_client: bool) -> None:
    """The client gets exactly socket, wal-push and the file's name, whatever the directories."""
    folder = tmp_path / name
    record = folder / "record"
    fake = program(folder, "client", 'printf "%s\\0" "$@" > "$(dirname "$0")/record"')
    (folder / LEASE).write_text(f"{int(uptime_s()) + 100:012} 00000001\n")
    engine = Engine(name="walrus", program=fake, client=fake if has_client else None)
    done = run(archive_command(engine, folder, 15))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    given_ = record.read_bytes().decode().split("\0")[:-1]
    socket = str(folder / "engine.sock")
    if has_client:
        assert given_ == [socket, "wal-push", SEGMENT, "-timeout", "18s"]
    else:
        assert given_ == [
            *("daemon-client", "--socket", socket, "--timeout", "18s", "wal-push", SEGMENT)
        ]


@pytest.mark.parametrize(
    ("content", "code"),
    [(100, 0), (1, 1), (0, 1), (-100, 1), ("", 1), ("garbage", 1), ("000", 1), (None, 1)],
)
@pytest.mark.rule("one-owner")
def test_without_a_lease_nothing_is_pushed(
    tmp_path: Path, content: int | str | None, code: int
) -> None:
    """Over, absent, cut off or unreadable: the push fails at once and without a word."""
    fake = program(tmp_path, "client", "exit 0")
    if isinstance(content, int):
        content += int(uptime_s()) if content > 1 else 0
        content = lease_line(content, [1])
    if content is not None:
        (tmp_path / LEASE).write_text(content)
    done = run(archive_command(Engine(name="w", program=fake, client=fake), tmp_path, 1))
    assert done.returncode == code


@pytest.mark.parametrize(
    ("name", "own", "code"),
    [
        (SEGMENT, [1], 0),
        ("0000000A000000010000000F", [1, 10], 0),
        ("0000000A.history", [1, 3, 10], 0),
        (f"{SEGMENT}.00000028.backup", [1], 0),
        ("000000020000000000000001", [1], 1),
        ("00000002.history", [1, 3], 1),
        (SEGMENT, [2, 3], 1),
        (SEGMENT, [0x10000000, 0x11], 1),
        (SEGMENT, [], 1),
    ],
)
def test_a_ready_file_of_another_timeline_is_not_pushed(
    tmp_path: Path, name: str, own: list[int], code: int
) -> None:
    """Whatever stands in archive_status: only this cluster's history is archived."""
    fake = program(tmp_path, "client", "exit 0")
    (tmp_path / LEASE).write_text(lease_line(int(uptime_s()) + 100, own))
    command = archive_command(Engine(name="w", program=fake, client=fake), tmp_path, 1)
    for shell in ("/bin/sh", "/bin/bash"):
        argv = [shell, "-c", expanded(command, name)]
        assert subprocess.run(argv, check=False, cwd="/").returncode == code


@pytest.mark.parametrize(
    ("waiting", "alone"),
    [
        ([], False),
        ([f"{SEGMENT}.ready", "00000003.history.ready", "000000020000000000000001.done"], False),
        ([f"{SEGMENT}.ready", "000000020000000000000001.ready"], True),
        (["00000004.history.ready", f"{SEGMENT}.ready"], True),
        (["0000000A000000010000000F.00000028.backup.ready"], True),
    ],
)
def test_a_ready_file_of_another_timeline_is_not_pushed_along(
    tmp_path: Path, waiting: list[str], *, alone: bool
) -> None:
    """Both engines push what else is `.ready` ahead: then this cluster's own file goes alone."""
    status = tmp_path / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    for name in waiting:
        (status / name).touch()
    text = 'echo "$WALG_UPLOAD_CONCURRENCY" "$@" > "$(dirname "$0")/record"'
    fake = program(tmp_path, "walrus", text)
    (tmp_path / LEASE).write_text(lease_line(int(uptime_s()) + 100, [1, 3]))
    command = archive_command(Engine(name="walrus", program=fake, client=None), tmp_path, 9)
    for shell in ("/bin/sh", "/bin/bash"):
        argv = [shell, "-c", expanded(command, SEGMENT)]
        assert subprocess.run(argv, check=False, cwd=tmp_path).returncode == 0
        given_ = (tmp_path / "record").read_text()
        assert given_.startswith("1 --config") == alone
        assert ("daemon-client" in given_) == (not alone)
    for told in ("\n", "1\n"):  # with many files the agent has looked
        (tmp_path / MANY).write_text(told)
        assert subprocess.run(argv, check=False, cwd=tmp_path).returncode == 0
        assert (tmp_path / "record").read_text().startswith("1 --config") == (told != "\n")


@pytest.mark.parametrize("file", [f"{SEGMENT}.partial", "0000000A.history", f"{SEGMENT}.00.backup"])
@pytest.mark.rule("archive-settings")
def test_every_kind_of_file(file: str) -> None:
    """Not only segments are archived."""
    engine = Engine(name="walrus", program=Path("/w"), client=Path("/c"))
    assert shlex.split(expanded(push_command(engine, Path("/r"), 1), file))[3] == file


@pytest.mark.parametrize("code", [0, 1, 74, 126, 137, 255])
@pytest.mark.rule("archive-settings")
def test_no_code_over_125(tmp_path: Path, code: int) -> None:
    """Such a code would end the archiver; any failure of the client is a 1."""
    fake = program(tmp_path, "client", f"exit {code}")
    (tmp_path / LEASE).write_text(f"{int(uptime_s()) + 100} 00000001\n")
    done = run(archive_command(Engine(name="walrus", program=fake, client=fake), tmp_path, 1))
    assert done.returncode == (1 if code else 0)


@pytest.mark.rule("archive-settings")
def test_missing_client_is_a_1(tmp_path: Path) -> None:
    """127 would end the archiver too."""
    (tmp_path / LEASE).write_text(f"{int(uptime_s()) + 100} 00000001\n")
    engine = Engine(name="walrus", program=Path("/no"), client=None)
    assert run(archive_command(engine, tmp_path, 1)).returncode == 1


@pytest.mark.rule("archive-settings")
def test_without_a_daemon_the_engine_is_bounded(tmp_path: Path) -> None:
    """`timeout` ends it with TERM, then KILL; its own code over 125 becomes a 1."""
    fake = program(tmp_path, "wal-g", 'printf "%s\\0" "$@" > "$(dirname "$0")/record"; sleep 60')
    (tmp_path / LEASE).write_text(f"{int(uptime_s()) + 100} 00000001\n")
    engine = Engine(name="wal-g", program=fake, client=None)
    assert run(archive_command(engine, tmp_path, 1)).returncode == 1
    given_ = (tmp_path / "record").read_text().split("\0")[:-1]
    assert given_ == ["--config", str(tmp_path / "engine.json"), "wal-push", f"pg_wal/{SEGMENT}"]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@pytest.mark.rule("archive-settings")
def test_any_path_survives_the_quoting(name: str) -> None:
    """PostgreSQL's percent signs and the shell's words come back as they were."""
    run_dir = Path("/run") / name
    engine = Engine(name="walrus", program=Path("/w"), client=Path("/c"))
    command = archive_command(engine, run_dir, 15)
    words = ["/c", "$r/engine.sock", "wal-push", SEGMENT, "-timeout", "18s"]
    found = shlex.split(expanded(command, SEGMENT))
    assert found[0] == f"r={run_dir}"
    assert found[-11:] == [*words, ";", "fi", "||", "exit", "1"]


@pytest.mark.parametrize("client", [None, Path("/usr/local/bin/walg-daemon-client")])
@pytest.mark.rule("archive-settings")
def test_postgres_cuts_no_command(client: Path | None) -> None:
    """Before 16 it has room for 1,023 bytes, after the file's name was put in, and says nothing."""
    engine = Engine(name="walrus", program=Path("/opt/engines/walrus/bin/walrus"), client=client)
    command = archive_command(engine, Path("/" + "%" * 75), 600)
    backup = f"{SEGMENT}.00000028.backup"
    assert longest(command) == len(expanded(command, backup).encode())
    assert longest(command) < MOST_BYTES - 100


@given(push_s=st.floats(min_value=0.1, max_value=600))
@pytest.mark.rule("one-owner", "fencing")
def test_without_a_daemon_a_push_is_killed_by_its_deadline(push_s: float) -> None:
    """TERM, and KILL for who ignores it: both before anybody else may write."""
    engine = Engine(name="wal-g", program=Path("/bin/wal-g"), client=None)
    words = shlex.split(push_command(engine, Path("/run"), push_s))
    assert (words[0], words[1], words[-1]) == ("timeout", "-k", "%p")
    kill_after_s, term_s = float(words[2]), float(words[3])
    assert 0 < kill_after_s <= 5
    assert 0 < term_s <= 60
    assert term_s + kill_after_s <= push_s * 1.0001


def test_an_engine_is_silent_when_postgres_ends_its_programs(tmp_path: Path) -> None:
    """Go's runtime answers SIGQUIT with its stacks; what a push says that fails is shown."""
    fake = program(tmp_path, "client", 'echo why >&2; [ -z "$DUMPS" ] || sleep 60; exit 7')
    (tmp_path / LEASE).write_text(f"{int(uptime_s()) + 100} 00000001\n")
    command = archive_command(Engine(name="wal-g", program=fake, client=fake), tmp_path, 1)
    done = run(command)
    assert (done.returncode, done.stderr) == (1, b"why\n")
    process = subprocess.Popen(
        # Ignored, as in a job that a shell has put into the background, no child could heed it.
        [
            "env",
            "--default-signal=QUIT",
            "sh",
            "-c",
            f"export DUMPS=1; {expanded(command, SEGMENT)}",
        ],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while b"sleep\x0060" not in _commands_of(process.pid):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGQUIT)
        assert process.communicate()[1] == b""
        assert process.returncode == -signal.SIGQUIT
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _commands_of(session: int) -> list[bytes]:
    """The command lines of a session's processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(path.name)) == session:
                found.append((path / "cmdline").read_bytes().rstrip(b"\0"))
        except OSError:
            continue
    return found
