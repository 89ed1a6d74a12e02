"""Rejects SQL in walsup/ whose names depend on search_path; `python -m dev.sqllint` runs it.

A statement is what is passed to a session, and every other text that reads like one. Each name of
a relation, function, type, operator or collation has to begin with `pg_catalog.`; constructs that
look an operator up by its bare name (`=`, `in`, `like`, `is distinct from`, …) are rejected.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).parent.parent / "walsup"
# What runs a statement, and which argument is it.
_RUNS = {"row": 0, "rows": 0, "fetchrow": 0, "fetchval": 0, "ask_all": 1}
# These are also names of other things: they count where asyncpg is imported.
_RUNS_WITH_ASYNCPG = {"fetch": 0, "execute": 0, "executemany": 0, "prepare": 0, "cursor": 0}
_PAGES_OF_S3 = ("page", "answer")  # they have rows too
_QUOTES = ("identifier", "literal")

_OBJECTS = (
    "access|aggregate|cast|collation|conversion|database|default|domain|event|extension|foreign"
    "|function|group|index|language|large|materialized|operator|policy|procedure|publication|role"
    "|routine|rule|schema|sequence|server|statistics|subscription|system|table|tablespace|temp"
    "|temporary|text|trigger|type|unlogged|user|view|or\\s+replace|unique|owned|replication"
)
_STATEMENT = re.compile(
    r"\s*(?:select\s+\S+.*|select|with\s+\w+(?:\s*\([^)]*\))?\s+as\s*\(.*|insert\s+into\s.*"
    r"|update\s+\S+\s+(?:\w+\s+)?set\s.*|delete\s+from\s.*|truncate\s.*|values\s*\(.*"
    rf"|(?:alter|create|drop|comment\s+on)\s+(?:{_OBJECTS})\s.*|grant\s.*\sto\s.*"
    r"|revoke\s.*\sfrom\s.*|copy\s+\S+\s+(?:from|to)\s.*|call\s+\S+\s*\(.*|do\s+(?:\$|').*"
    # In lower case: what an operator sets has a name in capitals.
    r"|set\s+(?:local\s+|session\s+)?(?-i:[a-z][a-z_.]*)\s*(?:=|to\s).*|reset\s+(?-i:[a-z_]+)"
    r"|checkpoint|begin|commit|lock\s+table\s.*|(?:vacuum|analyze)(?:\s*\(.*|\s+[\w.]+)?"
    r"|reindex\s+(?-i:index|table|schema|database|system)\s+\S+|refresh\s+materialized\s.*"
    r"|declare\s+\w+\s.*cursor.*|explain\s+select\s.*|security\s+label\s.*"
    r"|base_backup\b.*|start_replication\b.*|create_replication_slot\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<text>[eEbBxXnN]?'(?:[^']|'')*'|\$\w*\$.*?\$\w*\$)
      | (?P<name>"(?:[^"]|"")+"|[A-Za-z_][\w$]*)
      | (?P<parameter>\$\d+) | (?P<number>\d[\d.]*) | (?P<cast>::)
      | (?P<mark>[(),.;\[\]:]) | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)""",
    re.VERBOSE | re.DOTALL,
)
# Words of the grammar, which no schema can hold.
_KEYWORDS = frozenset(
    """
    all alter and any array as asc by case cast checkpoint coalesce collate create cross current
    database default delete desc disable distinct do drop else end except exists false fetch
    file_copy first for from full greatest group having inner insert intersect into is join last
    lateral least left limit login not null nulls of offset on only operator or order ordinality
    outer over partition password replication returning right role select set some strategy
    subscription then to true union update values when where with
    """.split()  # noqa: SIM905 (a list would take a line a word)
)
_BY_BARE_NAME = frozenset(
    ("between", "ilike", "in", "like", "natural", "nullif", "similar", "using")
)
_SPECIAL_CALLS = frozenset(("cast", "extract", "overlay", "position", "substring", "trim"))
_ENDS_FROM = frozenset(
    ("where", "group", "order", "having", "limit", "union", "returning", "set", "except")
)
_BEFORE_A_SIGN = ("(", ",", "select", "then", "else")
_CATALOG = "pg_catalog"


class Token(NamedTuple):
    """A piece of a statement; a word is in lower case unless it is quoted."""

    kind: str
    text: str


def problems(statement: str) -> list[str]:
    """Return what in a statement depends on search_path, in its order."""
    tokens = _tokens(statement)
    if isinstance(tokens, list) and tokens and tokens[0].text in ("set", "reset"):
        return [
            f"{tokens[0].text}: a session's settings are in walsup/postgres/sql/startup_settings.py"
        ]
    return list(_Reader(tokens).read()) if isinstance(tokens, list) else [tokens]


def _tokens(statement: str) -> list[Token] | str:
    found: list[Token] = []
    at = 0
    while at < len(statement):
        match = _TOKEN.match(statement, at)
        if match is None:
            return f"cannot be read from {statement[at : at + 20]!r} on"
        kind = match.lastgroup or ""
        text = match[0].lower() if kind == "name" and match[0][0] != '"' else match[0]
        if kind != "space":
            found.append(Token(kind, text))
        at = match.end()
    return found


class _Reader:
    """Reads tokens once, and keeps for each parenthesis whether a FROM list is open in it."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._in_from = [False]

    def read(self) -> Iterator[str]:
        at = 0
        while at < len(self._tokens):
            token, before = self._tokens[at], self._at(at - 1)
            if token == ("name", "operator") and self._is_qualified_operator(at):
                at += 6
                continue
            match token.kind:
                case "operator":
                    yield from self._operator(at)
                case "cast":
                    yield from self._cast(at)
                case "mark":
                    self._mark(token.text)
                case "name" if before.text != ".":
                    yield from self._name(at)
            if token.text == "," and self._in_from[-1]:
                yield from self._relation(at + 1)
            at += 1

    def _at(self, at: int) -> Token:
        return self._tokens[at] if 0 <= at < len(self._tokens) else Token("end", "")

    def _is_qualified_operator(self, at: int) -> bool:
        words = [self._at(at + step) for step in range(1, 6)]
        begins = [word.text for word in words[:3]] == ["(", _CATALOG, "."]
        return begins and words[3].kind == "operator" and words[4].text == ")"

    def _mark(self, text: str) -> None:
        if text == "(":
            self._in_from.append(False)
        elif text == ")" and len(self._in_from) > 1:
            self._in_from.pop()

    def _operator(self, at: int) -> Iterator[str]:
        token, before, after = self._at(at), self._at(at - 1), self._at(at + 1)
        if token.text == "*" and before.text in ("(", "select", ".", ","):
            return
        if token.text == "=" and self._at(at - 2).text == "set":
            return  # UPDATE … SET column =
        if token.text == "-" and after.kind == "number" and before.text in _BEFORE_A_SIGN:
            return
        yield f"the operator {token.text}: write operator({_CATALOG}.{token.text})"

    def _cast(self, at: int) -> Iterator[str]:
        yield from self._qualified(at + 1, "the type")
        if self._at(at - 1).kind not in ("text", "parameter"):
            yield "a cast of a value: its function is whatever CREATE CAST says"

    def _qualified(self, at: int, what: str) -> Iterator[str]:
        token = self._at(at)
        if (token.text, self._at(at + 1).text) != (_CATALOG, "."):
            yield f"{what} {token.text}: write {_CATALOG}.{token.text}"

    def _relation(self, at: int) -> Iterator[str]:
        while self._at(at).text in ("only", "lateral", "table"):
            at += 1
        if self._at(at).text != "(":
            yield from self._qualified(at, "the relation")

    def _name(self, at: int) -> Iterator[str]:
        word, after = self._at(at).text, self._at(at + 1)
        if word in _ENDS_FROM:
            self._in_from[-1] = False
        if word in ("from", "join"):
            yield from self._source(at)
        elif word in ("into", "update", "table") and self._at(at - 1).text != "for":
            yield from self._qualified(at + 1, "the relation")
        elif word == "collate":
            yield from self._qualified(at + 1, "the collation")
        elif word in _BY_BARE_NAME:
            yield f"{word}: it looks an operator up by its bare name"
        elif word == "case" and after.text != "when":
            yield "case with a value: it looks up the operator ="
        else:
            yield from self._call(at)

    def _source(self, at: int) -> Iterator[str]:
        if self._at(at - 1).text == "distinct":
            yield "is distinct from: it looks up the operator ="
            return
        self._in_from[-1] = True
        yield from self._relation(at + 1)

    def _call(self, at: int) -> Iterator[str]:
        word, after = self._at(at).text, self._at(at + 1)
        if after.text == "(":
            if word in _SPECIAL_CALLS:
                yield f"{word}(…): write it as a function of {_CATALOG}"
            elif word not in _KEYWORDS:
                yield f"the function {word}: write {_CATALOG}.{word}"
        elif after.text == "." and word != _CATALOG and self._at(at + 3).text == "(":
            yield f"the function {word}.{self._at(at + 2).text}: write {_CATALOG}."
        elif after.kind == "text" and word not in _KEYWORDS:
            yield f"the type {word}: write '…'::{_CATALOG}.{word}"


class Finding(NamedTuple):
    """A place in the sources, and what is wrong there."""

    path: Path
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


class Statement(NamedTuple):
    """A statement in the sources; a part that is filled in later is `"?"`."""

    path: Path
    line: int
    text: str


def statements(sources: Path = SOURCES) -> Iterator[Statement | Finding]:
    """Return every statement, and each call that runs what cannot be looked at."""
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in _python(sources)}
    for path, tree in modules.items():
        yield from _of_module(path, tree)
    for path in sorted(sources.rglob("*")):
        if path.suffix in (".sql", ".bash", ".sh"):
            yield from _of_script(path)


def findings(sources: Path = SOURCES) -> list[Finding]:
    """Return everything that is wrong in the sources."""
    found: list[Finding] = []
    for each in statements(sources):
        if isinstance(each, Finding):
            found.append(each)
        else:
            found += [Finding(each.path, each.line, told) for told in problems(each.text)]
    return found


def _python(sources: Path) -> list[Path]:
    return sorted(sources.rglob("*.py"))


def _of_script(path: Path) -> Iterator[Statement | Finding]:
    """A script's SQL would be part of a shell's line: there is none."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(
            r"(?:--command|\s-c)[= ]+['\"]?\s*(?:select|alter|create)\b", line, re.IGNORECASE
        ):
            yield Finding(path, number, "SQL in a script: move it to a module")


def _of_module(path: Path, tree: ast.Module) -> Iterator[Statement | Finding]:
    named, runs = _assigned(tree), dict(_RUNS)
    if any(isinstance(node, ast.Import) and node.names[0].name == "asyncpg" for node in tree.body):
        runs |= _RUNS_WITH_ASYNCPG
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        argument = _statement_of(node, runs) if isinstance(node, ast.Call) else None
        if argument is None or (isinstance(argument, ast.Name) and _is_parameter(tree, argument)):
            continue  # a session's own method passes on what its callers give
        targets = named.get(argument.id, []) if isinstance(argument, ast.Name) else [argument]
        if not targets or any(_text(target) is None for target in targets):
            yield Finding(path, argument.lineno, "a statement that is no literal of this module")
        for target in set(targets) - seen:
            seen |= set(ast.walk(target))
            yield from _examined(path, target)
    seen |= set(_docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)) and node not in seen:
            seen |= set(ast.walk(node))
            if _STATEMENT.fullmatch(_text(node) or ""):
                yield from _examined(path, node)


def _examined(path: Path, node: ast.expr) -> Iterator[Statement | Finding]:
    text = _text(node)
    if text is not None:
        yield Statement(path, node.lineno, text)
        yield from _unquoted(path, node)


def _assigned(tree: ast.Module) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                | ast.AugAssign(target=ast.Name(id=name), value=value)
            ):
                found.setdefault(name, []).append(value)
    return found


def _is_parameter(tree: ast.Module, name: ast.Name) -> bool:
    """Return whether a name is `statement`, a parameter of the function that it stands in."""
    return name.id == "statement" and any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(argument.arg == "statement" for argument in node.args.args)
        and name in set(ast.walk(node))
        for node in ast.walk(tree)
    )


def _statement_of(call: ast.Call, runs: Mapping[str, int]) -> ast.expr | None:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    place = runs.get(name)
    if place is None or len(call.args) <= place:
        return None
    owner = function.value if isinstance(function, ast.Attribute) else None
    if isinstance(owner, ast.Name) and owner.id in _PAGES_OF_S3:
        return None
    return call.args[place]


def _text(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or '"?"' for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _text(left), _text(right)
            return (first or '"?"') + (second or '"?"')
        case _:
            return None


def _unquoted(path: Path, node: ast.AST) -> Iterator[Finding]:
    """Only what is quoted as a name or a literal may be filled in."""
    filled = [part.value for part in ast.walk(node) if isinstance(part, ast.FormattedValue)]
    for part in ast.walk(node):
        if isinstance(part, ast.BinOp):
            sides = (part.left, part.right)
            filled += [side for side in sides if _text(side) is None]
    for value in filled:
        called = value.func if isinstance(value, ast.Call) else None
        if not isinstance(called, ast.Name) or called.id not in _QUOTES:
            yield Finding(path, value.lineno, "fill in identifier(…) or literal(…) directly")


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr):
            yield node.body[0].value


if __name__ == "__main__":
    wrong = findings()
    print("\n".join(map(str, wrong)) or "sqllint: every name in SQL is qualified")
    sys.exit(bool(wrong))
