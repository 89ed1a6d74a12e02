"""Nothing else deletes an archive (S32): seen in the source of every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import walsup

ROOT = Path(walsup.__file__).parent
WIPE = ("archive/wipe/",)
# What removes a file at all, and which one of the archive's that can be.
REMOVES_FILES = {
    "archive/storage/directory_operations.py": "half files of WAL-G, and its own temporary ones",
    "agent/backup/engine_readback.py": "what an engine has listed and read in its scratch space",
    "archive/ownership/identity.py": "a fetched segment in the run directory",
    "archive/ownership/divergence.py": "as evidence",
    "archive/ownership/write_deadline.py": "the temporary name of its file in the run directory",
    "archive/engine/scratch.py": "as evidence",
    "archive/engine/lent_keys.py": "the keys that it lent, in the run directory",
    "archive/catalog/archive_reader.py": "a fetched file in the scratch directory",
    "archive/catalog/inventory.py": "as evidence, where a restore is looked into beforehand",
}
_REMOVERS = ("unlink", "remove", "rmdir", "rmtree", "removedirs")
# Aborting an upload is a DELETE request too.
_OF_BUCKETS = ("delete", "delete_object", "delete_objects")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _called(tree: ast.Module) -> set[str]:
    """The last name of everything that is called or handed on as a method."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _words(tree: ast.Module) -> set[str]:
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return found


@pytest.mark.rule("wipe")
def test_only_the_wipe_asks_a_bucket_to_delete() -> None:
    """No client's method, no DELETE request, no `delete` of an engine's anywhere else."""
    for name, tree in _modules():
        if name.startswith(WIPE):
            continue
        assert not _called(tree) & set(_OF_BUCKETS), name
        assert not {"DELETE", "delete"} & _words(tree), name


@pytest.mark.rule("wipe")
def test_only_the_wipe_and_a_directorys_own_worker_remove_files_there() -> None:
    """Whatever else below walsup/archive removes a file is named here, with the reason."""
    removers = {
        name
        for name, tree in _modules()
        if name.startswith("archive/") and _called(tree) & set(_REMOVERS)
    }
    assert {name for name in removers if not name.startswith(WIPE)} <= set(REMOVES_FILES)


@pytest.mark.rule("wipe")
def test_only_the_command_leads_there() -> None:
    """Neither PID 1, nor prepare, nor the agent can reach it, or carries it in memory."""
    reaches = {
        name
        for name, tree in _modules()
        if not name.startswith(WIPE)
        and any(one.startswith("walsup.archive.wipe") for one in _imports(tree))
    }
    assert reaches == {"commands/wipe.py"}
    reaches = {name for name, tree in _modules() if "walsup.commands.wipe" in _imports(tree)}
    assert reaches == {"cli.py"}
