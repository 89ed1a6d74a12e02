"""Rejects in walsup/ what hides a bug or cannot be understood; `python -m dev.sourcelint` runs it.

Words: a text that is shown (each string but a docstring) names no rule of a document that its
reader has not (S14, rule 7), and no module, file, function or class of walsup's.
Handlers: one for any exception raises it again, passes it on, or has it logged when it is a bug.
Plain words: see dev/plainwords.py.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dev import plainwords

SOURCES = Path(__file__).parent.parent / "walsup"

# S3 is the service, and S3's own words begin so too (S3_ENDPOINT).
_RULE = re.compile(r"(?<![\w.$-])S(?!3\b)[1-9]\d?[a-z]?(?![\w-])|\([^()]*\bS3[a-z]\b|\brules? \d+")
_MODULE = re.compile(r"(?<![\w./-])walsup(?:\.[a-z]\w*)+|\b\w+\.py\b")
_FUNCTION = re.compile(r"(?<![\w.:])_?[a-z]\w*\(\)(?! \{)")  # not a shell's
_PRIVATE = re.compile(r"(?<![\w%.{])_[a-z]\w+")
_WORD = re.compile(r"(?<![\w.])[A-Z][a-z]+[A-Z]\w*(?![\w.])")
# What a person reads: not an event of the log, a key, or the name of a module to be started.
_PROSE = re.compile(r"\S [a-z]\S* |[a-z,;:] \S+ \S+")
# PostgreSQL's functions, which an operator calls.
_POSTGRES = re.compile(r"\b(?:pg|txid)_\w+\(\)|\bnow\(\)")
_LOGS = frozenset(("classify", "classify_raised", "note", "unexpected", "exception", "throw"))
_ANY = frozenset(("Exception", "BaseException"))
# It is what logs, and may not raise.
_THE_LOG = "log.py"


def words(source: str, classes: frozenset[str] = frozenset()) -> list[str]:
    """Return what a module's texts name that its readers do not know; `classes`: walsup's own."""
    return list(_words(ast.parse(source), classes))


def handlers(source: str) -> list[str]:
    """Return the handlers of a module that hide a bug."""
    return list(_handlers(ast.parse(source)))


def defined(source: str) -> frozenset[str]:
    """Return the names of a module's classes."""
    return frozenset(n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef))


def _words(tree: ast.Module, classes: frozenset[str]) -> Iterator[str]:
    hidden = {id(node) for node in _not_shown(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in hidden:
            continue
        for named in _unknown(node.value, classes):
            yield f"{node.lineno}: {named!r} in {node.value[:60]!r}"


def _not_shown(tree: ast.Module) -> Iterator[ast.AST]:
    """Give docstrings and annotations, which nobody is shown."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if not _is_help(tree, node):
                yield node.value
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            yield from ast.walk(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            yield from ast.walk(node.returns)


def _is_help(tree: ast.Module, text: ast.Expr) -> bool:
    """Tell whether a docstring is what `--help` shows of a command, or a row of the exit codes."""
    return any(
        node.body and node.body[0] is text and (_is_command(node) or _is_exit_code(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )


def _is_command(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(
        re.search(r"\b(?:main|click)\.(?:command|group)\b", ast.unparse(one))
        for one in node.decorator_list
    )


def _is_exit_code(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(
        isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code"
        for line in node.body
    )


def _unknown(text: str, classes: frozenset[str]) -> Iterator[str]:
    yield from (found[0] for found in _RULE.finditer(text))
    if not _PROSE.search(text) or "import " in text:
        return
    plain = _POSTGRES.sub("", text)
    for pattern in (_MODULE, _FUNCTION, _PRIVATE):
        yield from (found[0] for found in pattern.finditer(plain))
    yield from (found[0] for found in _WORD.finditer(plain) if found[0] in classes)


def _handlers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _is_any(node) and not _shows(node):
            yield f"{node.lineno}: hides bugs: call classify() or note(), or log.unexpected()"
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and _ANY & {ast.unparse(one) for one in node.args}
        ):
            yield f"{node.lineno}: hides bugs: name what is expected"


def _is_any(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    of = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return bool(_ANY & {ast.unparse(one) for one in of})


def _shows(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler raises, logs, or keeps the exception for somebody else."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _LOGS:
            return True
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == handler.name:
            return True
    return False


def main() -> int:
    """Check walsup/; 1 when something was found."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py"))}
    classes = frozenset().union(*(defined(source) for source in files.values()))
    found = 0
    for path, source in files.items():
        of_file = words(source, classes)
        if path.name != _THE_LOG:
            of_file += handlers(source)
        for one in of_file:
            found += 1
            print(f"{path.relative_to(SOURCES.parent)}:{one}")
    for one in plainwords.found():
        found += 1
        print(one)
    print(
        f"sourcelint: {found} to correct" if found else "sourcelint: texts and handlers are clear"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
