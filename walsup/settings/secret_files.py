"""Settings out of files: one for each, or a directory of them as Kubernetes mounts a Secret."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from walsup.settings.result import Result
from walsup.system.setting_text import cut, fault_in


class SettingText(NamedTuple):
    """The text of a setting, and the name or file that a fault should show."""

    source: str
    text: str


def in_directory(directory: str, wanted: Callable[[str], bool]) -> Result[dict[str, SettingText]]:
    """Read the files of a directory whose names are wanted; others are not opened."""
    if not directory:
        return Result({})
    try:
        paths = sorted(path for path in Path(directory).iterdir() if path.is_file())
    except OSError as fault:
        remedy = ""
        if isinstance(fault, PermissionError):
            remedy = (
                f": allow uid {os.geteuid()} to read and search it, or start the container as root"
            )
        problem = f"{directory} cannot be read: {fault.strerror}{remedy}"
        return Result({}, (f"WALSUP_SECRETS_DIR: {problem}",))
    read: dict[str, SettingText] = {}
    faults: list[str] = []
    for path in paths:
        if wanted(path.name):
            text, problem = _text(path.name, path)
            if problem:
                faults.append(f"WALSUP_SECRETS_DIR: {path} cannot be read: {problem}")
            elif text:
                read[path.name] = SettingText(str(path), text)
    return Result(read, tuple(faults))


def names_in(directory: str) -> dict[str, str]:
    """Return the names of a directory's files, without texts; {} when it cannot be read."""
    try:
        return {path.name: "" for path in Path(directory).iterdir()} if directory else {}
    except OSError:  # `in_directory` says so
        return {}


def secret_file(name: str, path: str) -> Result[str]:
    """Read the file that NAME_FILE names."""
    if wrong := fault_in(f"{name}_FILE", path):
        return Result("", (f"{name}_FILE: {wrong}",))
    text, problem = _text(name, Path(path))
    if problem:
        return Result(text, (f"{name}_FILE: {path} cannot be read: {problem}",))
    if not text:
        return Result(text, (f"{name}_FILE: {path} is empty",))
    return Result(text)


def _text(name: str, path: Path) -> tuple[str, str]:
    """Return a setting's text without the file's last line breaks, and why it is unreadable."""
    try:
        return cut(name, path.read_text(encoding="utf-8").rstrip("\r\n")), ""
    except OSError as fault:
        return "", str(fault.strerror)
    except UnicodeDecodeError:  # whose words would show a byte of the secret
        return "", "it is not text"
