"""Reading the settings from variables, NAME_FILE and WALSUP_SECRETS_DIR, all faults at once."""

import difflib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup.errors import SettingsError
from walsup.settings.table import Settings, declared

PASSED_ON = ("WALG_", "AWS_", "S3_", "WALE_")

_KNOWN = {row.metadata["name"]: row for row in declared()}
_ALIASES = {alias: name for name, row in _KNOWN.items() for alias in row.metadata["aliases"]}


def load(environ: Mapping[str, str]) -> Settings:
    """Read everything, from variables, NAME_FILE and WALSUP_SECRETS_DIR.

    Raises:
        SettingsError: all faults at once, a line each.
    """
    faults: list[str] = []
    directory = environ.get("WALSUP_SECRETS_DIR") or ""
    found = _gather(environ, directory, faults)
    values: dict[str, object] = {}
    for name, (source, text) in found.items():
        row = _KNOWN[name]
        try:
            values[row.name] = row.metadata["read"](text)
        except ValueError as fault:
            shown = "its value is not valid" if row.metadata["secret"] else str(fault)
            faults.append(f"{source}: {shown}")
    passed_on = {
        name: text
        for name, text in (_files(directory, []) | dict(environ)).items()
        if name.startswith(PASSED_ON) and name not in _KNOWN and name not in _ALIASES
        if not name.endswith("_FILE")
    }
    _complete(values, faults)
    if faults:
        raise SettingsError(
            f"{len(faults)} of the settings are wrong:\n" + "\n".join(f"  {f}" for f in faults),
            hint="correct them in the container's environment; README has the table of settings",
        )
    return Settings(
        **values,  # type: ignore[arg-type]
        passed_on=types.MappingProxyType(passed_on),
        warnings=tuple(_misspelt(environ)),
    )


def relevant(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the part of an environment that `load` reads, for a 0600 file that children read."""
    return {
        name: text
        for name, text in environ.items()
        if name.removesuffix("_FILE") in _KNOWN
        or name.removesuffix("_FILE") in _ALIASES
        or name.startswith(("WALSUP_", *PASSED_ON))
    }


def _gather(
    environ: Mapping[str, str], directory: str, faults: list[str]
) -> dict[str, tuple[str, str]]:
    """Give, for each setting that is set, where it was found and its text."""
    found: dict[str, tuple[str, str]] = {}
    files = _files(directory, faults)
    for name, row in _KNOWN.items():
        for spelling in (name, *row.metadata["aliases"]):
            text = environ.get(spelling, "")
            path = environ.get(f"{spelling}_FILE", "")
            if text and path:
                faults.append(f"{spelling} and {spelling}_FILE are both set: keep one of them")
            if path and row.metadata["pid1"]:
                faults.append(f"{spelling}_FILE: PID 1 reads {spelling} from the environment only")
            elif path and not text:
                text = _secret_file(spelling, path, faults)
                spelling += "_FILE"  # noqa: PLW2901 (the name that the fault should show)
            if text and name not in found:
                found[name] = (spelling, text)
            elif text and found[name][1] != text:
                faults.append(f"{found[name][0]} and {spelling} differ: keep one of them")
        if name not in found and files.get(name):
            found[name] = (f"{directory}/{name}", files[name])
    return found


def _files(directory: str, faults: list[str]) -> dict[str, str]:
    if not directory:
        return {}
    try:
        paths = [path for path in Path(directory).iterdir() if path.is_file()]
        return {path.name: _text(path) for path in paths}
    except (OSError, UnicodeDecodeError) as fault:
        faults.append(f"WALSUP_SECRETS_DIR: {directory} cannot be read: {fault}")
        return {}


def _secret_file(name: str, path: str, faults: list[str]) -> str:
    try:
        text = _text(Path(path))
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is not text"
        faults.append(f"{name}_FILE: {path} cannot be read: {reason}")
        return ""
    if not text:
        faults.append(f"{name}_FILE: {path} is empty")
    return text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def _complete(values: dict[str, object], faults: list[str]) -> None:
    """Add what follows from other values, and find what does not go together."""
    endpoint = str(values.get("endpoint") or "")
    host = endpoint.partition("://")[2].partition(":")[0]
    if host == "amazonaws.com" or host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        values["endpoint"] = None
        endpoint = ""
    if endpoint:
        values.setdefault("region", "us-east-1")
    elif values.get("archive") and not values.get("region"):
        faults.append("AWS_REGION: missing; Amazon's S3 needs the region of the bucket")
    pair = ("access_key_id", "secret_access_key")
    if (values.get(pair[0]) is None) != (values.get(pair[1]) is None):
        faults.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: one without the other")


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    known = [*_KNOWN, *_ALIASES]
    for name in sorted(environ):
        plain = name.removesuffix("_FILE")
        if plain in known or not name.startswith(("WALSUP_", "POSTGRES_")):
            continue
        near = difflib.get_close_matches(plain, known, 1, 0.8)
        if near:
            yield f"{name} is not a setting; did you mean {near[0]}?"
        elif name.startswith("WALSUP_"):
            yield f"{name} is not a setting of this version"
