"""Programs that tests write as text import modules and names that exist.

No tool that moves or checks modules reads them there.
"""

import ast
import importlib
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_IMPORT = re.compile(r"\bfrom (walsup[\w.]*) import (\w+(?:, \w+)*)")


def _quoted() -> list[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for folder in ("tests", "dev", "bench"):
        for path in (_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for module, names in _IMPORT.findall(node.value):
                        found |= {(module, name) for name in names.split(", ")}
    return sorted(found)


@pytest.mark.parametrize(("module", "name"), _quoted())
def test_an_import_in_a_quoted_program_exists(module: str, name: str) -> None:
    """The named module has the name, or is a package with a module of that name."""
    if not hasattr(importlib.import_module(module), name):
        importlib.import_module(f"{module}.{name}")
