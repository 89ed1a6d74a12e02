"""PostgreSQL's command line and environment."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.harness import Machine
from walsup.boot.command_line import CommandLine, command_line, postgres_environment
from walsup.postgres.config import from_arguments
from walsup.settings import declared

OURS = {
    "archive_mode": "on",
    "archive_command": "push %f || exit 1",
    "archive_library": "",
    "restore_command": "",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "archive_timeout": "60s",
}
SINCE_12 = {"restore_command", "archive_cleanup_command", "recovery_end_command"}


def line(
    own: Sequence[str] = (), effective: Mapping[str, str] | None = None, **facts: object
) -> CommandLine:
    """The command line for PostgreSQL 15 with an archive, but for `facts`."""
    usual: dict[str, Any] = {
        "pgdata": "/data",
        "port": None,
        "socket_dirs": (),
        "archive_command": "push %f || exit 1",
        "archive_mode": True,
        "archive_timeout_s": 60,
        "major": 15,
    }
    return command_line(own, effective or {}, **(usual | facts))


@pytest.mark.rule("archive-settings")
def test_ours_come_last() -> None:
    """Whatever the operator's arguments say, the last -c is the archive's."""
    own = ["-c", "archive_mode=off", "--archive-command=/bin/true", "-c", "shared_buffers=1GB"]
    rendered = line(own).arguments
    assert rendered[:2] == ("-D", "/data")
    assert rendered[2:7] == tuple(own)
    assert from_arguments(rendered) == OURS | {
        "data_directory": "/data",
        "shared_buffers": "1GB",
    }


@pytest.mark.parametrize(
    ("major", "missing"),
    [
        (11, {"archive_library", *SINCE_12}),
        (12, {"archive_library"}),
        (14, {"archive_library"}),
        (15, set()),
        (18, set()),
    ],
)
@pytest.mark.rule("archive-settings")
def test_names_of_the_version(major: int, missing: set[str]) -> None:
    """A name that a version does not know would keep it from starting."""
    rendered = from_arguments(line(major=major).arguments)
    assert rendered.keys() - {"data_directory"} == OURS.keys() - missing


@pytest.mark.rule("archive-settings")
def test_foreign_archive_is_off() -> None:
    """Only what was recorded as foreign starts with archive_mode=off."""
    assert from_arguments(line(archive_mode=False).arguments)["archive_mode"] == "off"


@pytest.mark.rule("archive-settings")
def test_without_an_archive_nothing_is_touched() -> None:
    """The operator's own archiving is the operator's."""
    given_ = {"wal_level": "minimal", "archive_mode": "on", "archive_timeout": "0"}
    rendered = line(["-c", "x=1"], given_, archive_command=None)
    assert rendered.arguments == ("-D", "/data", "-c", "x=1")
    assert rendered.displaced == {}
    assert rendered.archive_timeout == "0"


@pytest.mark.rule("operators-files")
def test_displaced_values_are_reported() -> None:
    """Each value that ours take the place of is named, an equal or empty one is not."""
    displaced = {
        "archive_command": "cp %p /mnt",
        "restore_command": "fetch",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "archive_timeout": "0",
    }
    kept = {"archive_mode": "on", "archive_library": "", "shared_buffers": "1GB"}
    assert line(effective=displaced | kept).displaced == displaced


@pytest.mark.parametrize("level", ["replica", "logical", "LOGICAL", "archive", "hot_standby"])
@pytest.mark.rule("operators-files")
def test_wal_level_is_never_lowered(level: str) -> None:
    """Only what is below replica is raised."""
    assert "wal_level" not in from_arguments(line(effective={"wal_level": level}).arguments)


@pytest.mark.parametrize("level", ["minimal", "MINIMAL"])
@pytest.mark.rule("operators-files")
def test_wal_level_is_raised(level: str) -> None:
    """Archiving cannot start with minimal."""
    rendered = from_arguments(line(effective={"wal_level": level}).arguments)
    assert rendered["wal_level"] == "replica"


@pytest.mark.parametrize(
    ("senders", "raised"),
    [("0", "10"), ("00", "10"), ("0x0", "10"), ("1", None), ("20", None), ("010", None)],
)
@pytest.mark.rule("operators-files")
def test_senders(senders: str, raised: str | None) -> None:
    """pg_basebackup's way is opened, and an operator's number kept."""
    rendered = from_arguments(line(effective={"max_wal_senders": senders}).arguments)
    assert rendered.get("max_wal_senders") == raised


# What PostgreSQL 15 makes of it, by `postgres -C archive_timeout`; "" when it refuses.
TIMEOUTS = {
    "0": "0",
    "0s": "0",
    "0 min": "0",
    " 0": "0",
    "-0": "0",
    "00": "0",
    "0x0": "0",
    "0.4": "0",
    "0.5": "0",
    "400ms": "0",
    "5min": "300",
    "10": "10",
    "0x10": "16",
    "600ms": "1",
    "1.5": "2",
    "30d": "2592000",
    "0.6": "1",
    "-1": "",
    "": "",
    "never": "",
    "5 parsecs": "",
}


@pytest.mark.parametrize("text", TIMEOUTS)
@pytest.mark.rule("operators-files")
def test_archive_timeout_is_kept_when_not_0(text: str) -> None:
    """Ours stands in for 0 only; what postgres would refuse is left for it to say."""
    rendered = line(effective={"archive_timeout": text})
    ours = from_arguments(rendered.arguments).get("archive_timeout")
    assert ours == ("60s" if TIMEOUTS[text] == "0" else None)
    assert rendered.archive_timeout == (ours or text)


@pytest.mark.parametrize("text", TIMEOUTS)
def test_postgres_reads_the_same_timeout(cluster: Path, machine: Machine, text: str) -> None:
    """The expectations above are PostgreSQL's."""
    answer = ask(machine, "-D", str(cluster), "-c", f"archive_timeout={text}", "archive_timeout")
    assert answer.stdout.strip() == TIMEOUTS[text]


@pytest.mark.parametrize(
    "name",
    ["plain", "with space", "per%cent", "com,ma", "quo'te", 'dou"ble', "back\\slash", "$HOME"],
)
def test_odd_socket_directories(machine: Machine, cluster: Path, tmp_path: Path, name: str) -> None:
    """Postgres takes them as one directory each: it complains about exactly that one."""
    missing = tmp_path / name
    given_ = line(pgdata=str(cluster), socket_dirs=(str(missing),), port=1, archive_command=None)
    words = [*given_.arguments, "-c", "listen_addresses="]
    answer = ask(machine, *words, ask_for="")
    assert f"{missing}/.s.PGSQL.1" in answer.stderr


def ask(
    machine: Machine, *words: str, ask_for: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run postgres -C, or postgres itself when nothing is asked for."""
    argv = [str(machine.bindir / "postgres")]
    argv += [*words[:-1], "-C", words[-1]] if ask_for is None else words
    user = machine.db_user or None
    return subprocess.run(
        argv,
        check=False,
        capture_output=True,
        text=True,
        env={"LC_ALL": "C"},
        cwd="/",
        user=user,
        group=user,
        extra_groups=[] if user else None,
        timeout=20,
    )


SECRETS = [row.name for row in declared() if row.secret]
OTHERS = ["WALG_LIBSODIUM_KEY", "AWS_SESSION_TOKEN_X", "PGPASSWORD", "MY_PASSWORD", "S3_KEY"]


@given(
    st.sets(st.sampled_from([*SECRETS, *OTHERS, "PATH", "PGTZ", "LC_ALL", "MINE", "MORE_1"])),
    st.lists(st.sampled_from(["*", "A*", "AWS_*", "WALG_*", "P*", *SECRETS, *OTHERS, "MORE_*"])),
)
@pytest.mark.rule("secrets")
def test_no_secret_reaches_postgres(names: set[str], more: list[str]) -> None:
    """Not even a name or pattern of the operator's lets a secret through."""
    environ = dict.fromkeys((*names, *(f"{name}_FILE" for name in SECRETS)), "x")
    seen = postgres_environment(environ, more)
    assert seen.keys() <= {"PATH", "PGTZ", "LC_ALL", "MINE", "MORE_1"}
    assert seen.keys() >= names & {"PATH", "PGTZ", "LC_ALL"}
    assert ("MINE" in seen) == ("MINE" in names and "*" in more)
    assert ("MORE_1" in seen) == ("MORE_1" in names and bool({"*", "MORE_*"} & {*more}))


def test_arguments_need_no_shell() -> None:
    """What is handed over is an argv: no word of it has to be quoted again."""
    odd = shlex.join(["/a b/client", "%f"])
    assert f"archive_command={odd}" in line(archive_command=odd).arguments
