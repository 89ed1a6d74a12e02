"""An archive in a directory that is lost together with the data directory is no protection."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from dev.harness import Volume, Walsup
from dev.harness.checks.witness import cli, status, wait_fault, wait_protected
from walsup.system.devices import device, lost_together

Make = Callable[..., Walsup]


def _archived(one: Walsup) -> bool:
    seen = status(one)
    return bool(seen["gate"]["state"] == "open" and seen["backup"]["state"] == "proven")


def test_an_archive_on_the_data_directorys_device_is_not_protected(walsup: Make) -> None:
    """Named with its remedy; a setting accepts it, and then it is still said."""
    one = walsup(s3=None)
    archive = one.layout.base / "archive"
    archive.mkdir()
    one.machine.give_to_database(archive)
    (one.layout.base / "link").symlink_to(archive)
    one.environment["WALSUP_ARCHIVE"] = f"file://{one.layout.base}/link"
    one.start()
    one.wait_for(lambda: _archived(one), "archiving works", timeout_s=60)
    fault = wait_fault(one, "archive device")
    assert fault["kind"] == "same device"
    assert "WALSUP_ACCEPT_SAME_DEVICE" in fault["remedy"]
    assert not status(one)["protected"]
    shown = cli(one, "status")
    assert shown.returncode == 1
    assert f"ON THE SAME DEVICE as {one.pgdata}" in shown.stdout
    assert one.stop() == 0
    one.environment["WALSUP_ACCEPT_SAME_DEVICE"] = "on"
    one.start()
    wait_protected(one)
    shown = cli(one, "status")
    assert shown.returncode == 0
    assert "ON THE SAME DEVICE" in shown.stdout


def test_an_archive_beside_pg_wal_is_not_protected(walsup: Make, tmp_path: Path) -> None:
    """On a volume of its own it is; with pg_wal on that volume both are lost. Bind mounts too."""
    one = walsup(s3=None)
    with Volume(one.machine, megabytes=300) as volume:
        one.environment["WALSUP_ARCHIVE"] = f"file://{volume.archive}"
        one.environment["POSTGRES_INITDB_WALDIR"] = str(volume.path / "wal")
        (volume.path / "wal").mkdir()
        one.machine.give_to_database(volume.path / "wal")
        one.start()
        assert str(one.pgdata / "pg_wal") in wait_fault(one, "archive device")["problem"]
        one.stop()
        bound = tmp_path / "bound"
        bound.mkdir()
        subprocess.run(["mount", "--bind", volume.archive, bound], check=True)
        try:
            assert lost_together(device(str(bound)), device(str(volume.path)))
            assert not lost_together(device(str(bound)), device(str(tmp_path)))
        finally:
            subprocess.run(["umount", bound], check=True)
