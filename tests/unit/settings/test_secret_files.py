"""Settings out of files: a reading returns what it could read, and every fault."""

from pathlib import Path

from walsup.settings.result import Result
from walsup.settings.secret_files import SettingText, in_directory, secret_file


def test_a_directory_gives_what_can_be_read_and_a_fault_for_the_rest(tmp_path: Path) -> None:
    """A file that is not text does not hide the others; an empty one counts as absent."""
    (tmp_path / "GOOD").write_text("secret\n")
    (tmp_path / "BAD").write_bytes(b"\xff\xfe")
    (tmp_path / "EMPTY").touch()
    (tmp_path / "OTHER").write_text("not wanted")
    read = in_directory(str(tmp_path), lambda name: name != "OTHER")
    assert read.value == {"GOOD": SettingText(str(tmp_path / "GOOD"), "secret")}
    assert read.faults == (
        f"WALSUP_SECRETS_DIR: {tmp_path / 'BAD'} cannot be read: it is not text",
    )


def test_a_directory_that_is_missing_is_one_fault(tmp_path: Path) -> None:
    """Without the setting there is nothing to read, and no fault."""
    assert in_directory("", lambda _name: True) == Result({})
    missing = in_directory(str(tmp_path / "missing"), lambda _name: True)
    assert missing.value == {}
    assert [str(tmp_path / "missing") in fault for fault in missing.faults] == [True]


def test_a_file_gives_its_text_or_one_fault(tmp_path: Path) -> None:
    """The line break that an editor adds is not part of a secret; an empty file is a fault."""
    path = tmp_path / "file"
    path.write_text("secret\n")
    assert secret_file("NAME", str(path)) == Result("secret")
    path.write_text("\n")
    assert secret_file("NAME", str(path)) == Result("", (f"NAME_FILE: {path} is empty",))
    path.unlink()
    assert secret_file("NAME", str(path)) == Result(
        "", (f"NAME_FILE: {path} cannot be read: No such file or directory",)
    )
