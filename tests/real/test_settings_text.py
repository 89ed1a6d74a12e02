"""Settings as YAML writes them: what is around them is cut, and no archive gets another place."""

import subprocess
from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, wait_protected
from dev.harness.processes.machine import ROOT

Make = Callable[..., Walsup]

BLOCKS = (
    "PGDATA",
    "PG_BINDIR",
    "PGPORT",
    "WALSUP_RUN_DIR",
    "WALSUP_HTTP",
    "WALSUP_ENGINE",
    "WALSUP_ARCHIVE",
    "AWS_ENDPOINT",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "WALSUP_TERMINATION_LOG",
)


def test_a_yaml_blocks_line_break_is_no_part_of_a_setting(walsup: Make, s3: S3Server) -> None:
    """Every setting of the run has one; commands and probes read them in the same way."""
    one = walsup()
    one.environment |= {name: f" {one.environment[name]}\n" for name in BLOCKS}
    one.start()
    wait_protected(one)
    keys = s3.keys("")
    assert [key for key in keys if key.startswith(f"{one.prefix}/")]
    assert not [key for key in keys if key.startswith((f"{one.prefix}\n", f"{one.prefix} "))]
    assert cli(one, "status").returncode == 0
    for probe in ("walsup-ready", "walsup-healthy"):
        assert (
            subprocess.run([ROOT / "docker" / probe], env=one.environment, check=False).returncode
            == 0
        )
    assert one.stop() == 0
    assert not list(one.layout.base.glob("*\n*"))
    assert "is in the bucket: yes" in one.layout.termination_log.read_text()


@pytest.mark.parametrize("odd", ["?x", "#", "\nq", "%41", " q"])
def test_what_an_engine_reads_as_another_place_is_rejected(
    walsup: Make, s3: S3Server, odd: str
) -> None:
    """By the setting's name, before anything is made."""
    one = walsup()
    one.environment["WALSUP_ARCHIVE"] += odd
    one.start()
    assert one.wait() == 64
    assert "WALSUP_ARCHIVE: it has" in one.log()
    assert not s3.keys(one.prefix)
    assert not list(one.pgdata.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("AWS_REGION", "eu\nwest", "it has a line break inside"),
        ("AWS_REGION", "'eu-west-1'", "it has quotes around it"),
        ("AWS_DEFAULT_REGION", "eu\nwest", "it has a line break inside"),
        ("POSTGRES_PASSWORD", "hush\nhush", "it has a line break inside"),
        ("POSTGRES_USER", "hush\nhush", "it has a line break inside"),
        ("POSTGRES_DB", "hush\nhush", "it has a line break inside"),
        ("WALSUP_ARCHIVE", "s3://b/a//b", "'s3://b/a//b' has two slashes in a row in its prefix"),
    ],
)
def test_a_fault_inside_a_setting_is_named(walsup: Make, name: str, text: str, said: str) -> None:
    """And nothing else is blamed: not the keys, not initdb, not another database."""
    one = walsup()
    one.environment[name] = text
    one.start()
    assert one.wait() == 64
    told = one.layout.termination_log.read_text()
    assert f"{name}: {said}" in told
    assert "1 of the settings" in told
    assert "hush" not in one.log()
    assert not list(one.pgdata.iterdir())
