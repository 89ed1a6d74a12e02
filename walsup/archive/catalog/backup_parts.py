"""The parts of a base backup and their files, parsed from its list in pieces. Pure.

A database of a million files has a list of 140 MB; parsed at once, it takes ten times that in
memory. Source: WAL-G 3.0.9 and WAL-RUS 0.4.1, files_metadata.json: `Files` has an object for each
file, `TarFileSets` the names of the files by the part that holds them.
"""

import json
import re
from typing import NamedTuple

from walsup.postgres.wal import strip_extension

# The agent reads a list up to this size; the audit's process reads a larger one.
MOST_WHOLE_BYTES = 4 << 20

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_PUNCTUATION = frozenset(b"{}[],:")
_SETS = b'"TarFileSets"'
_OPENING, _CLOSING = (b"{", b"["), (b"}", b"]")
_TOP, _PARTS, _FILES = 1, 2, 3


class ListedFile(NamedTuple):
    """A file, by its path in the data directory, and the part that holds it."""

    part: str
    file: str


class PartList:
    """Parses the list in pieces. `parts`: the part names without extension, so far."""

    def __init__(self) -> None:
        self.parts: set[str] = set()
        self._rest = b""
        self._open: list[bytes] = []
        self._key = b""  # the last key of the outermost object
        self._part = ""
        self._last = b""
        self._is_inside = False  # of TarFileSets

    def feed(self, piece: bytes) -> list[ListedFile]:
        """Return the files that the next piece names.

        Raises:
            ValueError: this is not such a list.
        """
        files: list[ListedFile] = []
        content, at = self._rest + piece, 0
        for token in _TOKEN.finditer(content):
            if content[at : token.start()].strip():
                break  # a name that continues in the next piece
            # The text after it may continue too.
            if token.end() == len(content) and content[token.start()] not in _PUNCTUATION:
                break
            self._take(token[0], files)
            at = token.end()
        self._rest = content[at:].lstrip()
        if len(self._rest) > 2 * len(piece) + MOST_WHOLE_BYTES:
            raise ValueError("a name in it has no end")
        return files

    def end(self) -> None:
        """Check that the list was complete.

        Raises:
            ValueError: it was incomplete.
        """
        if self._open or self._rest or not self._last:
            raise ValueError("it is cut off")

    def _take(self, token: bytes, files: list[ListedFile]) -> None:
        if token in _OPENING:
            self._enter(token)
        elif token in _CLOSING:
            if not self._open or _CLOSING[_OPENING.index(self._open.pop())] != token:
                raise ValueError("its brackets do not match")
            self._is_inside = self._is_inside and len(self._open) >= _PARTS
        elif not self._open:
            raise ValueError("it is not a list of files")
        elif self._is_inside:
            self._inside(token, files)
        elif len(self._open) == _TOP and self._last in (b"{", b","):
            self._key = token
        self._last = token

    def _enter(self, token: bytes) -> None:
        depth = len(self._open)
        if depth == 0 and (token != b"{" or self._last):
            raise ValueError("it is not a list of files")
        if self._is_inside and (depth != _PARTS or token != b"[" or self._last != b":"):
            raise ValueError("its parts contain something other than files")
        if depth == _TOP and self._key == _SETS:
            if token != b"{":
                raise ValueError("it names no parts")
            self._is_inside = True
        self._open.append(token)

    def _inside(self, token: bytes, files: list[ListedFile]) -> None:
        """Take a token that is not a bracket: names of parts and files, colons, nulls."""
        depth, is_name = len(self._open), token[:1] == b'"'
        if token in (b",", b":"):
            return
        if depth == _FILES and is_name:
            # WAL-G writes file names with a leading slash.
            files.append(ListedFile(self._part, str(json.loads(token)).lstrip("/")))
        elif depth == _PARTS and is_name and self._last in (b"{", b","):
            # WAL-G writes parts with the extension of their compression.
            self._part = strip_extension(json.loads(token))
            self.parts.add(self._part)
        elif not (depth == _PARTS and token == b"null" and self._last == b":"):
            raise ValueError("its parts contain something other than files")
