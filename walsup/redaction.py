"""Cut secrets from what a program, a server or an exception has written; see `redactor` for how."""

import functools
from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.redactor import Redactor

_MOST_REMEMBERED = 64

_remembered: dict[str, None] = {}


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` for each secret in it; the number of its lines stays."""
    return _redactor(tuple(dict.fromkeys(filter(None, secrets))), words=True).redact(text)


def remember(secrets: Iterable[str]) -> None:
    """Keep what `redact_known` cuts in this process, a secret that was replaced too."""
    for secret in filter(None, secrets):
        _remembered.pop(secret, None)
        _remembered[secret] = None
    while len(_remembered) > _MOST_REMEMBERED:
        del _remembered[next(iter(_remembered))]


def redact_known(text: str, *, words: bool = False) -> str:
    """Return the text without the secrets that this process has been given.

    `words`: also without one that is an ordinary word, as `redact` does it. In a text of walsup's
    own that would hide names: a database may be called as its key is.
    """
    return _redactor(tuple(_remembered), words=words).redact(text)


@functools.lru_cache(maxsize=4)
def _redactor(secrets: tuple[str, ...], *, words: bool) -> "Redactor":
    from walsup.redactor import Redactor  # noqa: PLC0415 (5 ms, not of a start without a fault)

    return Redactor(secrets, words=words)
