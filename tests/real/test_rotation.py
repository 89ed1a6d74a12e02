"""Rotated secret files are taken into use by themselves, while WAL is written."""

from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.witness import Ledger, status, wait_fault, wait_no_lag, wait_protected

Make = Callable[..., Walsup]


def _publish(folder: Path, version: str, files: dict[str, str]) -> None:
    """Swap a symlink as Kubernetes does; the files are links through it."""
    data = folder / version
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(Path("..data", name))
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version)
    fresh.rename(folder / "..data")


def test_s28_a_secret_swapped_as_kubernetes_does_is_followed(walsup: Make, s3: S3Server) -> None:
    """Wrong ones are named and not taken; a moment without files is no news."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"})
    folder = one.pgdata.parent / "secrets"
    folder.mkdir()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    good = {name: one.environment.pop(name) for name in names}
    _publish(folder, "..1", good)
    one.environment["WALSUP_SECRETS_DIR"] = str(folder)
    one.start()
    wait_protected(one)
    with Ledger(one) as ledger:
        _publish(folder, "..2", good | {"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert wait_fault(one, "secrets")["kind"] == "auth"
        assert status(one)["gate"]["state"] == "open"
        (folder / "..data").unlink()
        _publish(folder, "..3", good)
        one.wait_for(lambda: "secrets" not in status(one)["faults"], "the fault has gone")
    assert ledger.failures == 0
    wait_no_lag(one)
    wait_protected(one)
    assert s3.keys(one.prefix)
