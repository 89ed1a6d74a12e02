"""One rule for the text of every setting, wherever it comes from; loaded in PID 1.

Blanks and line breaks at the ends are cut: a YAML block ends with a line break, and a name with one
would be another place. Inside, line breaks and other control characters are faults. A password
keeps its blanks; a key of the engine's own keeps everything.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE_BREAKS = "\r\n"
_SOURCES = ("RESTORE_", "CLONE_")
_ENGINES = ("WALG_", "WALE_", "S3_", "YC_")
_KEYS = ("_KEY", "_PASSPHRASE", "_TOKEN", "_SSE_C")
_SECRETS = (*_KEYS, "_SECRET")
_NO_CHARACTERS = ("Cc", "Cf", "Zl", "Zp")  # Unicode's: controls, invisible ones, line separators


def cut(name: str, text: str) -> str:
    """Return the text of a variable, or of a file with that name, without what is around it."""
    if _is_engines_key(name):
        return text
    return text.rstrip(_LINE_BREAKS) if _is_password(name) else text.strip()


def clean(environ: "Mapping[str, str]") -> "dict[str, str]":
    """Return an environment with each text cut."""
    return {name: cut(name, text) for name, text in environ.items()}


def secrets(environ: "Mapping[str, str]") -> "list[str]":
    """Return the texts of an environment whose names say that they are secret."""
    return [
        text
        for name, text in environ.items()
        if _is_password(name) or (name.endswith(_SECRETS) and not name.endswith("_KEY_ID"))
    ]


def fault_in(name: str, text: str) -> str:
    """Return what is wrong inside a text, without the text, "" when nothing is."""
    if _is_engines_key(name):
        return ""
    for character in text:
        if character in _LINE_BREAKS:
            return "it has a line break inside: write it in one line"
        if _is_control(character) and not (_is_password(name) and character != "\0"):
            return f"it has the control character U+{ord(character):04X} inside: remove it"
    return ""


def _is_control(character: str) -> bool:
    if character.isprintable():
        return False
    import unicodedata  # noqa: PLC0415 (only where something is unusual)

    return unicodedata.category(character) in _NO_CHARACTERS


def _is_password(name: str) -> bool:
    return "PASSWORD" in name and not name.endswith(("_FILE", "_METHOD"))


def _is_engines_key(name: str) -> bool:
    """Return whether the engine alone reads it: without a byte of it nothing could be decrypted."""
    for prefix in _SOURCES:
        name = name.removeprefix(prefix)
    return name.startswith(_ENGINES) and name.endswith(_KEYS)
