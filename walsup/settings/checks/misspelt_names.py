"""Names that are no settings: those close to one of walsup's are faults, the others warnings.

A database whose WALSUP_ARCHIVE is misspelt would run without an archive.
"""

import re
from collections.abc import Collection, Iterator, Mapping

_OURS = "WALSUP_"
_OTHERS = ("POSTGRES_", "AWS_")
_INTERNAL = ("WALSUP_PYTHON",)  # entrypoint.sh's
_NEAR = 0.8
# What Kubernetes sets for a Service called walsup or walsup-archive, and docker for a link.
_OF_A_SERVICE = re.compile(r"_SERVICE_(HOST|PORT)|_PORT(_\d+_(TCP|UDP|SCTP)|$)|^WALSUP_ENV_")


def faults(names: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Yield which names of variables or files are misspelt names of walsup's settings.

    `known`: all settings, their aliases included.
    """
    for name in sorted(names):
        if not _is_ours(name) or _is_known(name, known) or _is_of_a_service(name, names[name]):
            continue
        if near := _nearest(name, known):
            yield f"{name} is not a setting; did you mean {near}?"


def warnings(names: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Yield which names that `faults` does not name may be misspelt, or are no settings."""
    for name in sorted(names):
        if not name.startswith((_OURS, *_OTHERS)) or _is_known(name, known):
            continue
        import difflib  # noqa: PLC0415 (only for a misspelt name)

        near = difflib.get_close_matches(name.removesuffix("_FILE"), known, 1, _NEAR)
        if near and not (name.startswith(_OURS) and _is_of_a_service(name, names[name])):
            yield f"{name} is not a setting; did you mean {near[0]}?"
        elif name.startswith(_OURS):
            yield f"{name} is not a setting of this version"


def _is_known(name: str, known: Collection[str]) -> bool:
    return name in known or name.removesuffix("_FILE") in known or name in _INTERNAL


def _is_ours(name: str) -> bool:
    """Return whether a name may be meant as one of walsup's: a cheap look at every variable."""
    return len(set(_folded(name)[: len(_OURS)]) & set(_OURS)) >= len(_OURS) - 1


def _is_of_a_service(name: str, text: str) -> bool:
    return bool(_OF_A_SERVICE.search(name)) or (name.endswith("_NAME") and text.startswith("/"))


def _folded(name: str) -> str:
    return name.strip().upper().replace("-", "_")


def _nearest(name: str, known: Collection[str]) -> str:
    """Return the setting of walsup's that a name is close to, "" when there is none."""
    import difflib  # noqa: PLC0415 (only for a misspelt name)

    folded = _folded(name)
    ours = [spelling for plain in known for spelling in (plain, f"{plain}_FILE")]
    ours = [spelling for spelling in ours if spelling.startswith(_OURS)]
    if folded in ours:
        return folded
    if one := next((spelling for spelling in ours if _is_one_slip(folded, spelling)), ""):
        return one
    # Without the prefix: it would make short names look alike.
    rests = [spelling.removeprefix(_OURS) for spelling in ours]
    near = difflib.get_close_matches(folded.removeprefix(_OURS), rests, 1, _NEAR)
    return f"{_OURS}{near[0]}" if near and folded.startswith(_OURS) else ""


def _is_one_slip(text: str, meant: str) -> bool:
    """Return whether one character is missing, added, wrong or exchanged with the next one."""
    at = next((i for i, (a, b) in enumerate(zip(text, meant, strict=False)) if a != b), -1)
    if at < 0:
        return abs(len(text) - len(meant)) == 1
    return (
        text[at + 1 :] == meant[at:]
        or text[at:] == meant[at + 1 :]
        or text[at + 1 :] == meant[at + 1 :]
        or (text[at : at + 2] == meant[at : at + 2][::-1] and text[at + 2 :] == meant[at + 2 :])
    )
