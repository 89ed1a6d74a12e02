"""Every block of the documents is run by a test or is an example; every link leads somewhere."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from dev.harness.checks import documents
from dev.harness.checks.documents import Block
from dev.harness.processes.machine import ROOT
from walsup import settings
from walsup.archive.faults import FaultKind, help_of

PAGES = [str(path.relative_to(ROOT)) for path in documents.pages()]
_SETTINGS = [one for one in documents.all_blocks() if one.language == "env"]
# What is no command: text and data that other tests read, or nothing does.
_NO_COMMANDS = {"", "json", "env", "dockerfile", "python"}
_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PAGE = re.compile(r"\b(?:docs/[\w/-]+|README|CONTRIBUTING)\.md(?:#[\w-]+)?")
_FILE = re.compile(r"`((?:walsup|tests|dev|docs|deploy|docker|bench)/[\w./-]*)`")
_IN_AN_ARCHIVE = {"walsup/", "walsup/owner.json", "walsup/audit.json", "walsup/diverged/"}
_WALSUP_NAME = re.compile(r"\bWALSUP_[A-Z0-9_]*[A-Z0-9]\b")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    given: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{name}-{given[name]}" if given[name] else name)
        given[name] += 1
    return found


def dead_links(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    return [link for link in _LINK.findall(_FENCED.sub("", text)) if not _leads(page, text, link)]


def _leads(page: Path, text: str, link: str) -> bool:
    if "://" in link:
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve()
    if path and not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8") if path else text)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_anchor_resolves(page: str) -> None:
    """Within the repository; addresses of the internet are not asked."""
    assert dead_links(ROOT / page, (ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("link", "is_dead"),
    [
        ("LICENSE", False),
        ("docs/restore.md#the-volume-is-lost", False),
        ("#here-it-is", False),
        ("https://example.com/", False),
        ("docs/restore.md#no-such-heading", True),
        ("docs/no-such-page.md", True),
        ("#nowhere", True),
    ],
)
def test_a_dead_link_is_found(link: str, *, is_dead: bool) -> None:
    """Of a page, of its own headings and of another page's."""
    text = f"# Here it is\n[words]({link})\n"
    assert bool(dead_links(ROOT / "README.md", text)) == is_dead


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_has_its_heading(kind: FaultKind) -> None:
    """What `/status` names as `help` is there."""
    page, _, anchor = help_of(kind).partition("#")
    assert anchor in anchors((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_every_page_is_in_the_index(page: str) -> None:
    """docs/README.md, or the index of its own folder, has a line for it."""
    path = ROOT / page
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    own = path.parent / "README.md"
    if own.exists():
        index += own.read_text(encoding="utf-8")
    assert path.name == "README.md" or f"{path.name})" in index


def test_every_command_is_run_by_a_test_or_an_example() -> None:
    """No block of commands is neither."""
    assert [where(one) for one in documents.all_blocks() if undecided(one)] == []


def undecided(block: Block) -> bool:
    """Tell whether a block is to be run by a person, and nothing says whether a test does."""
    return block.language not in _NO_COMMANDS and not block.run and not block.is_example


def where(block: Block) -> str:
    """Page and line of a block."""
    return f"{block.page}:{block.line}"


def test_a_block_that_says_nothing_is_found() -> None:
    """In a list too; a mark counts for the block just below it only."""
    text = "<!-- example -->\n```sh\na\n```\n\n```sh\nb\n```\n1. c\n\n   ```console\n   d\n   ```\n"
    found = list(documents.blocks(text))
    assert [one.text for one in found] == ["a\n", "b\n", "d\n"]
    assert [undecided(one) for one in found] == [False, True, True]


def test_every_block_that_says_so_is_run() -> None:
    """A test asks for the block by its name; blocks of one name are the same on every page."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("tests", "dev")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    names = {one.run for one in documents.all_blocks()} - {""}
    assert len(names) > 5
    for name in names:
        assert documents.block(name)
        assert f'block("{name}")' in sources


def test_the_gate_runs_readmes_commands() -> None:
    """`.ci/run` runs `make test`, and each command is a target."""
    commands = documents.block("make").splitlines()
    assert "make test" in commands
    assert "\nmake test || status=$?\n" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in commands:
        subprocess.run([*command.split(), "-n"], cwd=ROOT, check=True, capture_output=True)


def test_every_page_that_a_message_names_is_there() -> None:
    """A remedy, a hint or a comment of walsup/ that leads to a page leads to its heading too."""
    named = {
        one
        for path in sorted((ROOT / "walsup").rglob("*.py"))
        for one in _PAGE.findall(path.read_text(encoding="utf-8"))
    }
    assert named
    assert [one for one in sorted(named) if not _leads(ROOT / "README.md", "", one)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    """Files of the repository; those of an archive have the same first folder."""
    named = _FILE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert [one for one in named if not _is_there(one)] == []


def _is_there(name: str) -> bool:
    return (ROOT / name).exists() or name in _IN_AN_ARCHIVE


def test_every_setting_that_a_page_names_exists() -> None:
    """No page goes on naming a setting that was renamed."""
    known = {name for row in settings.declared() for name in (row.name, *row.aliases)}
    known |= {f"{name}_FILE" for name in known}
    named = {
        (page, name)
        for page in PAGES
        for name in _WALSUP_NAME.findall((ROOT / page).read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    unknown = {
        (page, name)
        for page, name in named
        if name not in known and not any(one.startswith(f"{name}_") for one in known)
    }
    assert unknown == set()


@pytest.mark.parametrize("block", _SETTINGS, ids=where)
def test_a_block_of_settings_is_accepted(block: Block, tmp_path: Path) -> None:
    """What a page tells to set is read without an error."""
    environ = dict(line.split("=", 1) for line in block.text.splitlines() if line)
    base = {
        "PGDATA": str(tmp_path / "data"),
        "WALSUP_ARCHIVE": "s3://bucket/own",
        "AWS_REGION": "eu-central-1",
        "POSTGRES_PASSWORD": "a-long-word-of-its-own",
    }
    settings.load({**base, **environ})
