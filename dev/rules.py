"""Which tests prove which safety rule.

`python -m dev.rules` prints each rule of docs/safety-rules.md with the number of its tests, and
fails when one has none or when a test names a rule that does not exist. `python -m dev.rules NAME`
prints the tests of one rule, as pytest takes them.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_HEADING = re.compile(r"^### S\d+[a-z]? `([a-z-]+)`$", re.MULTILINE)


class Proof(NamedTuple):
    """A test that is marked with a rule."""

    rule: str
    test: str


def rules() -> list[str]:
    """Return the names of the rules, in the order of the document."""
    page = (ROOT / "docs" / "safety-rules.md").read_text(encoding="utf-8")
    return _HEADING.findall(page)


def proofs() -> list[Proof]:
    """Return the marks of all tests."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [proof for file in files for proof in marks(file.read_text(encoding="utf-8"), file)]


def marks(source: str, file: Path) -> Iterator[Proof]:
    """Give the marks of a module's tests.

    Raises:
        ValueError: a mark holds something else than the names of rules.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.rule":
                yield from (Proof(name, _id(file, node.name)) for name in _names(call, file))


def _names(call: ast.Call, file: Path) -> list[str]:
    names = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    if call.keywords or len(names) != len(call.args) or not names:
        raise ValueError(f"{file}:{call.lineno}: {ast.unparse(call)} is no list of rules")
    return [str(name) for name in names]


def _id(file: Path, test: str) -> str:
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return f"{name}::{test}"


def main(arguments: list[str]) -> int:
    """Print the report, or the tests of one rule; gives the exit code."""
    names, found = rules(), proofs()
    if arguments:
        print(*(proof.test for proof in found if proof.rule in arguments), sep="\n")
        return 0
    for name in names:
        print(f"{sum(proof.rule == name for proof in found):4} {name}")
    unproven = sorted({*names} - {proof.rule for proof in found})
    unknown = [proof for proof in found if proof.rule not in names]
    print(*(f"no test: {name}" for name in unproven), sep="\n", end="\n" if unproven else "")
    for proof in unknown:
        print(f"no rule: {proof.rule} ({proof.test})")
    return 1 if unproven or unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
