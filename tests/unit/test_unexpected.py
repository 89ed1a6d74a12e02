"""Exceptions that point to a bug: one line of the log with the traceback, without secrets."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from walsup import cli, log
from walsup.agent.recovery.miss_socket import serve as serve_misses
from walsup.agent.tasks import begin
from walsup.archive.engine import restore_client
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.bucket import ConflictError
from walsup.archive.storage.fault_mapping import classify
from walsup.boot.fork_guard import guarded
from walsup.commands import agent_client
from walsup.errors import InternalError, SettingsError
from walsup.init.children.spawn import fork_into
from walsup.init.early_settings import EarlySettings
from walsup.init.supervisor import Supervisor
from walsup.postgres.tablespaces import in_segment
from walsup.redaction import redact
from walsup.system import setting_text

ROOT = Path(__file__).parents[2]
SECRET = "kuhmilch-4711-abcdefgh"
PIPE_BUF = 4096


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A log in JSON that knows the secret, and has not logged anything before."""
    log.configure("json", "test")
    log.redact_with(lambda text: redact(text, [SECRET]))
    yield
    log.redact_with(str)
    log.redact_unexpected_with(str)


def bug(said: str) -> Exception:
    """Return an exception with this text that was raised two frames deep."""

    def deeper() -> None:
        raise LookupError(said)

    with pytest.raises(LookupError) as raised:
        deeper()
    return raised.value


def shown(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines of the log, each of which must fit into one write to a pipe."""
    lines = capfd.readouterr().err.splitlines()
    assert all(len(line.encode()) + 1 < PIPE_BUF for line in lines)
    return [json.loads(line) for line in lines]


def test_the_traceback_is_one_field_of_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """With the function that raised, and the exception's own words."""
    log.unexpected("loop.failed", bug("no such thing"), loop="lag")
    (line,) = shown(capfd)
    assert (line["level"], line["event"], line["loop"]) == ("error", "loop.failed", "lag")
    assert line["problem"] == "LookupError: no such thing"
    assert "in deeper" in str(line["traceback"])
    assert str(line["traceback"]).endswith("LookupError: no such thing\n")


def test_the_traceback_of_a_text_log_stays_on_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    """Line breaks are escaped there too."""
    log.configure("text", "test")
    log.unexpected("loop.failed", bug("in text"), loop="lag")
    text = capfd.readouterr().err
    assert text.count("\n") == 1
    assert "in deeper" in text


@pytest.mark.parametrize(
    "said",
    [
        f"password is {SECRET}",
        "x" * 390 + SECRET,  # where the text is cut
        ("ü\n" * 5000) + SECRET,
        "\x00\ud800" * 4000,
    ],
)
def test_no_secret_is_shown_and_the_line_is_short(
    capfd: pytest.CaptureFixture[str], said: str
) -> None:
    """Not half of it either, wherever the text is cut; and the function that raised is shown."""
    log.unexpected("loop.failed", bug(said), path=said * 2)
    (line,) = shown(capfd)
    assert SECRET[:8] not in json.dumps(line)
    assert "in deeper" in str(line["traceback"])


def test_an_exception_without_end_is_cut(capfd: pytest.CaptureFixture[str]) -> None:
    """Endless recursion, a chain of causes, a group: the end is what is kept."""

    def endless(depth: int) -> int:
        return other(depth + 1)

    def other(depth: int) -> int:
        return endless(depth + 1)

    raised: list[BaseException] = []
    try:
        endless(0)
    except RecursionError as recursion:
        raised.append(recursion)
    chained = bug("first")
    for number in range(50):
        following = bug(f"number {number}")
        following.__cause__ = chained
        chained = following
    raised += [chained, ExceptionGroup("many", [bug(str(number)) for number in range(40)])]
    for one in raised:
        log.unexpected("loop.failed", one, of=type(one).__name__)
    lines = shown(capfd)
    assert len(lines) == 3
    assert all(line["traceback"] for line in lines)
    assert "number 49" in str(lines[1]["traceback"])


def test_an_exception_that_cannot_be_shown_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """Its `__str__` fails, or what cuts secrets does."""

    class UnshownError(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    log.unexpected("loop.failed", UnshownError())
    log.redact_unexpected_with(lambda _: str(1 // 0))
    log.unexpected("loop.failed", bug(SECRET))
    first, second = shown(capfd)
    assert "UnshownError" in str(first["problem"])
    assert second["exception"] == "LookupError"
    assert SECRET not in json.dumps(second)


def test_the_same_bug_is_logged_once_a_minute(capfd: pytest.CaptureFixture[str]) -> None:
    """Another event, or another line that raises, is another bug."""
    for number in range(1000):
        log.unexpected("loop.failed", bug(str(number)))
    log.unexpected("page.failed", bug("0"))
    assert [line["event"] for line in shown(capfd)] == ["loop.failed", "page.failed"]


def test_a_bug_behind_the_bucket_is_logged_and_a_fault_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What a loop shows as a fault of class `unknown` has a traceback when a bug is behind it."""
    expected = (
        FaultError(Fault(FaultKind.TIMEOUT, "late")),
        ConflictError("lost"),
        TimeoutError(),
        FileNotFoundError(2, "No such file or directory", "x"),
        MemoryError(),
        SettingsError("wrong", hint="correct it"),
    )
    for raised in expected:
        classify(raised)
    assert not shown(capfd)
    assert classify(bug("behind")).kind == FaultKind.UNKNOWN
    (line,) = shown(capfd)
    assert "in deeper" in str(line["traceback"])


async def test_a_loops_own_task_begins_again(capfd: pytest.CaptureFixture[str]) -> None:
    """It is logged, and what it does is not missing until the next start."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise bug("in a task")

    await begin("answers", work)
    assert runs == 2
    (line,) = shown(capfd)
    assert (line["event"], line["loop"]) == ("loop.failed", "answers")


async def test_a_bug_in_an_answer_leaves_the_socket(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The question has no answer, the log has the traceback, the next question is answered."""
    answers = 0

    async def answer(_: str, __: Path) -> int:
        nonlocal answers
        answers += 1
        if answers == 1:
            raise bug("in an answer")
        return 0

    async def admit(*_: object) -> int:
        return 0

    async def ask() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "judge.sock"))
        writer.write(b'{"name": "x", "path": "y"}\n')
        said = await reader.read()
        writer.close()
        return said

    serving = asyncio.create_task(serve_misses(tmp_path, tmp_path, answer, admit))
    while not (tmp_path / "judge.sock").exists():  # noqa: ASYNC110 (the socket is the event)
        await asyncio.sleep(0.01)
    said = [await ask(), await ask()]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert said == [b"", b"0\n"]
    (line,) = shown(capfd)
    assert (line["event"], "in deeper" in str(line["traceback"])) == (
        "restore_command.failed",
        True,
    )


@pytest.mark.parametrize(("patience", "code"), [("inf", 255), ("2", 1)])
def test_a_bug_of_the_restore_client_does_not_end_the_archive(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, patience: str, code: int
) -> None:
    """Python's own code for an exception would be 1, which says that the archive ends there."""

    def created(name: str, path: str) -> list[object]:
        del name, path
        raise bug("in the segment")

    monkeypatch.setattr(in_segment, "created", created)
    assert restore_client.main("/nowhere", "0" * 24, "x", patience, "fetched") == code
    (line,) = shown(capfd)
    assert line["event"] == "restore_command.failed"
    assert "in deeper" in str(line["traceback"])


def test_a_bug_of_a_command_has_a_code_of_its_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not 1, with which `status` says that the database is not protected."""

    def status(*_: object) -> object:
        raise bug("in a command")

    monkeypatch.setattr(agent_client, "status", status)
    monkeypatch.setenv("WALSUP_LOG_FORMAT", "json")
    ran = CliRunner().invoke(cli.main, ["status"], env={"PGDATA": str(tmp_path)})
    assert ran.exit_code == InternalError.exit_code
    (line,) = shown(capfd)
    assert (line["event"], line["command"]) == ("command.failed", "status")
    assert "in deeper" in str(line["traceback"])


def test_a_bug_of_a_fork_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """In a child of PID 1, and in prepare."""

    def work() -> int:
        raise bug("in a fork")

    _, status = os.waitpid(fork_into(work), 0)
    assert os.waitstatus_to_exitcode(status) == 1
    (line,) = shown(capfd)
    assert (line["event"], "in deeper" in str(line["traceback"])) == ("process.failed", True)


def test_a_bug_of_prepare_is_logged(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the traceback, one with the refusal."""
    monkeypatch.setenv("WALSUP_LOG_FORMAT", "json")

    def work(_: object) -> None:
        raise bug("in prepare")

    assert guarded(work, lambda _: None) == InternalError.exit_code
    first, second = shown(capfd)
    assert (first["event"], second["event"]) == ("prepare.failed", "start.refused")
    assert "in deeper" in str(first["traceback"])


class _Broken(Supervisor):
    """PID 1 with a bug in each turn of its loop, and in its end."""

    def _step(self) -> None:
        raise bug("in PID 1")

    def _finish(self) -> None:
        raise bug("at the end")


def test_a_bug_of_pid_1_is_logged(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its exit code is known in spite of it."""
    environ = {"PGDATA": str(tmp_path / "data"), "WALSUP_RUN_DIR": str(tmp_path / "run")}
    broken = _Broken(EarlySettings(environ, os.geteuid()), [], lambda *_: 0, 30.0)
    assert broken.run() == InternalError.exit_code
    first, refused, last = shown(capfd)
    assert (first["event"], refused["event"], last["event"]) == (
        "init.failed",
        "start.refused",
        "init.failed",
    )
    assert "_step" in str(first["traceback"])
    assert "_finish" in str(last["traceback"])


def test_pid_1_knows_its_secrets_by_their_names() -> None:
    """Names of files and of keys are none."""
    environ = {
        "POSTGRES_PASSWORD": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "WALG_LIBSODIUM_KEY": "d",
        "AWS_ACCESS_KEY_ID": "e",
        "POSTGRES_PASSWORD_FILE": "f",
        "PGDATA": "g",
    }
    assert setting_text.secrets(environ) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("walsup.archive.storage.directory_worker", "directory_worker.main('/nowhere')"),
        ("walsup.archive.listing_check.worker", "worker.main('/nowhere')"),
    ],
)
def test_a_bug_of_an_archive_process_is_logged(module: str, call: str) -> None:
    """What they read is no JSON: a line of the log, nothing else."""
    package, _, name = module.rpartition(".")
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {package} import {name}; {call}"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        input="no JSON\n",
        capture_output=True,
        text=True,
        check=False,
        env={"WALSUP_LOG_FORMAT": "json"},
    )
    (line,) = map(json.loads, ran.stderr.splitlines())
    assert (ran.returncode, line["event"]) == (1, "process.failed")
    assert "JSONDecodeError" in line["traceback"]
