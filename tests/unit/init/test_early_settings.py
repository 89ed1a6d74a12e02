"""What PID 1 takes from the environment alone."""

from pathlib import Path

import pytest

from walsup.errors import SettingsError
from walsup.init.data_directory import make_directories
from walsup.init.early_settings import EarlySettings


def test_defaults() -> None:
    """An empty environment, as root."""
    basics = EarlySettings({}, 0)
    assert basics.pgdata == "/var/lib/postgresql/data"
    assert basics.run_dir == "/run/walsup"
    assert basics.stop_grace_s == 8
    assert basics.log_format == "auto"
    assert basics.waldir == ""


@pytest.mark.parametrize(
    ("text", "grace_s"), [("40s", 40), ("1min", 60), ("2s", 5), ("", 8), ("soon", 8), ("-1", 8)]
)
def test_stop_grace_is_never_faulty(text: str, grace_s: float) -> None:
    """Too short is raised, nonsense is the default; prepare refuses both by name."""
    assert EarlySettings({"WALSUP_STOP_GRACE": text}, 0).stop_grace_s == grace_s
    in_kubernetes = {"WALSUP_STOP_GRACE": text, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    expected_s = grace_s if grace_s != 8 else 25
    assert EarlySettings(in_kubernetes, 0).stop_grace_s == expected_s


def test_empty_variables_count_as_absent() -> None:
    """As Kubernetes gives them for an empty value."""
    names = ("PGDATA", "WALSUP_RUN_DIR", "WALSUP_LOG_FORMAT", "POSTGRES_INITDB_WALDIR")
    basics, bare = EarlySettings(dict.fromkeys(names, ""), 0), EarlySettings({}, 0)
    assert all(getattr(basics, name) == getattr(bare, name) for name in EarlySettings.__slots__)


def test_a_relative_pgdata_is_left_for_the_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PID 1 makes no directory below wherever it happens to be; the run directory is absolute."""
    monkeypatch.chdir(tmp_path)
    basics = EarlySettings({"PGDATA": "data/", "WALSUP_RUN_DIR": "run/../run"}, 1000)
    assert basics.pgdata == "data"
    assert basics.run_dir == str(tmp_path / "run")
    with pytest.raises(SettingsError, match="PGDATA"):
        make_directories(basics.pgdata, basics.run_dir)
    assert not list(tmp_path.iterdir())


def test_termination_log_may_be_named() -> None:
    """The variable wins over Kubernetes' file."""
    basics = EarlySettings({"WALSUP_TERMINATION_LOG": "/tmp/last"}, 0)
    assert basics.termination_log == "/tmp/last"
