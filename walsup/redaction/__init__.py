"""Cut secrets from what a program, a server or an exception has written; see `redactor` for how."""

import functools
from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.redaction.redactor import Redactor

_MOST_REMEMBERED = 64

_remembered: dict[str, None] = {}
_public: frozenset[str] = frozenset()


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` for each secret in it; the number of its lines stays."""
    known = tuple(dict.fromkeys(filter(None, secrets)))
    return _redactor(known, _public, words=True).redact(text)


def remember(secrets: Iterable[str]) -> None:
    """Keep what `redact_known` cuts in this process, a secret that was replaced too."""
    for secret in filter(None, secrets):
        _remembered.pop(secret, None)
        _remembered[secret] = None
    while len(_remembered) > _MOST_REMEMBERED:
        del _remembered[next(iter(_remembered))]


def publish(words: Iterable[str]) -> None:
    """Name what is no secret from now on: a secret of the same text is cut only as a password."""
    global _public  # noqa: PLW0603 (a process has one set of settings)
    _public = frozenset(filter(None, words))


def redact_known(text: str, *, words: bool = False) -> str:
    """Return the text without the secrets that this process has been given.

    `words`: also without one that is an ordinary word, as `redact` does it. In a text of walsup's
    own that would hide names: a database may be called as its key is.
    """
    return _redactor(tuple(_remembered), _public, words=words).redact(text)


@functools.lru_cache(maxsize=4)
def _redactor(secrets: tuple[str, ...], public: frozenset[str], *, words: bool) -> "Redactor":
    from walsup.redaction.redactor import Redactor  # noqa: PLC0415 (5 ms, not of a start without a fault)

    return Redactor(secrets, words=words, public=public)
