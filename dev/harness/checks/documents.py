"""The code blocks of README and docs, so that tests run what a person is told to run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dev.harness.processes.machine import ROOT

# A block, and the comment on the line above it; in a list both are indented alike.
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(r"<!-- (?:run: (?P<run>[\w-]+)|(?P<example>example)) -->\s*\Z")


class Block(NamedTuple):
    """A fenced block. `run`: the name under which a test runs it; `line`: of its first fence."""

    page: str
    line: int
    language: str
    text: str
    run: str
    is_example: bool


def pages() -> list[Path]:
    """Return README, CONTRIBUTING and all pages of docs."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, page: str = "") -> Iterator[Block]:
    """Give the blocks of a page's text."""
    for found in _BLOCK.finditer(text):
        indent = len(found["indent"])
        mark = _MARK.search(text, 0, found.start())
        yield Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            "".join(line[indent:] for line in found["text"].splitlines(keepends=True)),
            (mark and mark["run"]) or "",
            bool(mark and mark["example"]),
        )


def all_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [
        block
        for path in pages()
        for block in blocks(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


def block(run: str) -> str:
    """Return the text of the block that is marked `<!-- run: RUN -->`.

    Raises:
        ValueError: no page has it, or two pages differ.
    """
    texts = {one.text for one in all_blocks() if one.run == run}
    if len(texts) != 1:
        problem = f"{len(texts)} different blocks are marked `run: {run}`, not one"
        raise ValueError(problem)
    return texts.pop()


def below(page: str, heading: str, language: str) -> str:
    """Return the first block of a language below a heading (a whole line of the page).

    Raises:
        ValueError: the page has no such heading, or no such block below it.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    own = rest.partition(f"\n{heading.split(maxsplit=1)[0]} ")[0]
    for one in blocks(own):
        if found and one.language == language:
            return one.text
    problem = f"{page} has no {language} block below {heading}"
    raise ValueError(problem)
