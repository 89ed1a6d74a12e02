"""Digests over blocks of segments: which objects may have changed since a round. Pure.

The time of an object shows an overwrite only when it is later than the last round. A file that was
copied with its time, or an older version that was restored, is found by its digest.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from walsup.archive.catalog.scope import Stamp

BLOCK = 64
_DIGITS = 12
_NONE = "-" * _DIGITS

Object = tuple[str, Stamp]


class Digests(NamedTuple):
    """The digests of the blocks from number `first` on; `-` where a block is incomplete."""

    first: int = 0
    text: str = ""

    def of(self, block: int) -> str:
        """Return a block's digest, "" when there is none."""
        at = (block - self.first) * _DIGITS
        found = self.text[at : at + _DIGITS] if at >= 0 else ""
        return "" if found == _NONE else found

    @classmethod
    def build(cls, found: Iterable[tuple[int, str]]) -> "Digests":
        """Build the digests from blocks in ascending order."""
        first, text, following = 0, list[str](), 0
        for block, digest in found:
            if not text:
                first = following = block
            text += [_NONE] * (block - following)
            text.append(digest)
            following = block + 1
        return cls(first, "".join(text))

    def upto(self, number: int, older: "Digests") -> "Digests":
        """Return these digests for the segments up to a number, and the older ones after it."""
        return Digests.build(
            (block, digest)
            for block in self._blocks(older)
            if (digest := (self if (block + 1) * BLOCK - 1 <= number else older).of(block))
        )

    def _blocks(self, other: "Digests") -> range:
        told = [one for one in (self, other) if one.text]
        begin = min((one.first for one in told), default=0)
        return range(begin, max((one.first + len(one.text) // _DIGITS for one in told), default=0))


class Blocks:
    """Takes segments in ascending order; `known` are the digests of the last round."""

    def __init__(self, known: Digests) -> None:
        self.partial: dict[str, Stamp] = {}
        self._known = known
        self._found: list[tuple[int, str]] = []
        self._block = -1
        self._objects: list[Object] = []

    def add(self, number: int, name: str, stamp: Stamp) -> list[Object]:
        """Take the next segment; return the objects of the block before it if that has changed."""
        changed: list[Object] = []
        if number // BLOCK != self._block:
            changed = self.end()
            self._block = number // BLOCK
        self._objects.append((name, stamp))
        return changed

    def end(self) -> list[Object]:
        """End a block; return its objects if it has changed."""
        objects, self._objects = self._objects, []
        if len(objects) < BLOCK:
            self.partial.update(objects)
            return []
        text = "\n".join(f"{name} {size} {at}" for name, (size, at) in objects)
        digest = hashlib.blake2b(text.encode(), digest_size=_DIGITS // 2).hexdigest()
        self._found.append((self._block, digest))
        before = self._known.of(self._block)
        return objects if before and before != digest else []

    @property
    def digests(self) -> Digests:
        """Return the digests of all complete blocks."""
        return Digests.build(self._found)
