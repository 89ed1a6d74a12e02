"""Rejects words that readers of walsup's texts stumble over; part of `python -m dev.sourcelint`.

They are translated idioms ("anew", "taken for"), subjects without a name ("nobody", "who"), and
codes of rules in place of their names (docs/safety-rules.md). Strings, docstrings and comments
of walsup/ are read, and the documents. docs/glossary.md has the words to use.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

_WORDS = re.compile(
    r"""\b(?: anew | upon | (?<!backup\ is\ )taken\ for | ha(?:s|ve)\ gone | l(?:ies|ying)\ behind
        | for\ ever | (?:is|are|was|were|be|been)\ told
        | (?:no|some)body(?:'s)? | whoever | whomever )\b""",
    re.VERBOSE | re.IGNORECASE,
)
# Good English in a document; in walsup/ it stood for "separate".
_OWN = re.compile(r"\bof (?:its|their) own\b", re.IGNORECASE)
# A process is no person; a person is named too ("the operator").
_PERSON = re.compile(r"\bwhom?\b", re.IGNORECASE)
# S3 is the service; a linter's codes have three digits.
_RULE = re.compile(r"(?<![\w.$*/-])S(?!3\b)[1-9]\d?[bc]?(?![\w-])")
# It defines the codes, and it names the words that are not to be used.
_DEFINITIONS = ("docs/safety-rules.md", "docs/glossary.md")
_DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/**/*.md")


def in_source(source: str) -> Iterator[str]:
    """Yield what a module's strings, docstrings and comments say with such words."""
    for line, text in _texts(source):
        for word in _WORDS, _OWN, _PERSON, _RULE:
            yield from (f"{line}: say {found[0]!r} in plain words" for found in word.finditer(text))


def in_document(text: str) -> Iterator[str]:
    """Yield the lines of a document that have such words, outside of its code."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        if code:
            continue
        plain = re.sub(r"`[^`]*`", "", line)
        for word in _WORDS, _RULE:
            yield from (f"{number}: say {f[0]!r} in plain words" for f in word.finditer(plain))


def _texts(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A text with a line break in the middle of an idiom has it nevertheless.
            yield node.lineno, re.sub(r"\s+", " ", node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], re.sub(r"noqa: [A-Z0-9, ]+", "", token.string)


def found() -> Iterator[str]:
    """Yield every such word in walsup/ and in the documents, with its place."""
    for path in sorted((ROOT / "walsup").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        yield from (f"{name}:{one}" for one in in_source(path.read_text(encoding="utf-8")))
    for pattern in _DOCUMENTS:
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            if name not in _DEFINITIONS:
                text = path.read_text(encoding="utf-8")
                yield from (f"{name}:{one}" for one in in_document(text))
