"""The settings that postgres would start with, read without running it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

MAX_DEPTH = 10
PRELOADED = "shared_preload_libraries"

# Source: PostgreSQL 15, guc-file.l. Bytes from 0x80 on count as letters. They are given as a
# negated set: a range up to U+10FFFF takes `re` 15 ms to compile, at every start of a container.
_LETTER = r"[^\x00-@\[-\^`{-\x7f]"
_WORD = r"[^\x00-/:-@\[-\^`{-\x7f]"
# Patroni moves the first postgresql.conf there. Source: patroni, postgresql/config.py
PATRONIS = "postgresql.base.conf"
_LINE = re.compile(
    rf"""
    (?P<name>{_LETTER}{_WORD}*(?:\.{_LETTER}{_WORD}*)?)(?![-.:/])
    [ \t\r]*=?[ \t\r]*
    (?: '(?P<quoted>(?:[^'\\]|\\.|'')*)'
      | (?P<bare>
            {_LETTER}(?:{_WORD}|[-.:/])*
          | [-+]?(?:0x[0-9A-Fa-f]+|[0-9]+)[A-Za-z]*(?![.0-9])
          | [-+]?[0-9]*\.[0-9]*(?:[Ee][-+]?[0-9]+)?
        )
    )
    [ \t\r]*(?:\#.*)?
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"''|\\([0-7]{1,3}|.)")
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

# Source: PostgreSQL 15, postmaster.c and postgres.c.
_VALUE_OPTIONS = {
    "B": "shared_buffers",
    "h": "listen_addresses",
    "k": "unix_socket_directories",
    "N": "max_connections",
    "p": "port",
    "S": "work_mem",
    "W": "post_auth_delay",
}
_FLAG_OPTIONS = {
    "E": ("log_statement", "all"),
    "e": ("datestyle", "euro"),
    "F": ("fsync", "false"),
    "i": ("listen_addresses", "*"),
    "l": ("ssl", "true"),
    "O": ("allow_system_table_mods", "true"),
    "P": ("ignore_system_indexes", "true"),
    "s": ("log_statement_stats", "true"),
}
_PLANS = {
    "s": "enable_seqscan",
    "i": "enable_indexscan",
    "o": "enable_indexonlyscan",
    "b": "enable_bitmapscan",
    "t": "enable_tidscan",
    "n": "enable_nestloop",
    "m": "enable_mergejoin",
    "h": "enable_hashjoin",
}
_TIMINGS = {
    "pa": "log_parser_stats",
    "pl": "log_planner_stats",
    "ex": "log_executor_stats",
}
_WITH_VALUE = "BCcDdfhkNprStvW-"


# Where a file is to be read, by the name in the setting.
Place = Callable[[Path], Path]


class Assignment(NamedTuple):
    """One `name = value` of a file; an include is one too."""

    line: int
    name: str
    value: str


class Malformed(NamedTuple):
    """A line that postgres would reject."""

    line: int
    text: str


class Gucs(NamedTuple):
    """Values as written, by lower-case name, and what could not be read on the way."""

    values: dict[str, str]
    problems: tuple[str, ...]


def _escaped(match: re.Match[str]) -> str:
    if (escaped := match[1]) is None:
        return "'"
    if escaped[0] not in "01234567":
        return _CONTROL.get(escaped, escaped)
    return bytes([int(escaped, 8) & 0xFF]).decode(errors="surrogateescape")


def _unescape(quoted: str) -> str:
    """Return the text between two quotes; bytes written in octal may form one letter."""
    text = _ESCAPE.sub(_escaped, quoted)
    return text.encode(errors="surrogateescape").decode(errors="surrogateescape")


def parse(text: str) -> list[Assignment | Malformed]:
    """Return the lines of a postgresql.conf that have an effect, in order."""
    parsed: list[Assignment | Malformed] = []
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip(" \t\r")
        if not content or content.startswith("#"):
            continue
        if match := _LINE.fullmatch(content):
            quoted = match["quoted"]
            value = match["bare"] if quoted is None else _unescape(quoted)
            parsed.append(Assignment(line=number, name=match["name"].lower(), value=value))
        else:
            parsed.append(Malformed(line=number, text=content))
    return parsed


def _read(path: Path, problems: list[str], *, required: bool) -> list[Assignment | Malformed]:
    try:
        return parse(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        if required:
            problems.append(f"{path} does not exist")
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
    return []


def _same(path: Path) -> Path:
    return path


def _walk(
    path: Path,
    problems: list[str],
    above: tuple[Path, ...] = (),
    *,
    required: bool = True,
    place: Place = _same,
) -> Iterator[tuple[str, str]]:
    """Yield the assignments of a file and of its includes, in the order of their effect.

    `place`: where an included file is to be read.
    """
    if path in above or len(above) > MAX_DEPTH:
        problems.append(f"{path} is included by itself or deeper than {MAX_DEPTH} files")
        return
    for item in _read(path, problems, required=required):
        match item:
            case Malformed(line=line, text=content):
                problems.append(f"{path} line {line} is malformed: {content}")
            case Assignment(name="include" | "include_if_exists" as name, value=value):
                below = (*above, path)
                included = place(path.parent / value)
                found = name == "include"
                yield from _walk(included, problems, below, required=found, place=place)
            case Assignment(name="include_dir", value=value):
                for included in _directory(place(path.parent / value), problems):
                    yield from _walk(included, problems, (*above, path), place=place)
            case Assignment(name=name, value=value):
                yield name, value


def _directory(path: Path, problems: list[str]) -> list[Path]:
    """Return the files that include_dir reads, in the order of their bytes."""
    try:
        names = sorted(entry.name.encode(errors="surrogateescape") for entry in path.iterdir())
    except OSError as error:
        problems.append(f"{path} cannot be listed: {error.strerror}")
        return []
    found = [path / name.decode(errors="surrogateescape") for name in names]
    wanted = (file for file in found if file.name.endswith(".conf") and file.name[0] != ".")
    return [file for file in wanted if not file.is_dir()]


def flattened(config_file: Path, place: Place) -> Gucs:
    """Return what a file sets with its includes, each of which is read at its `place`."""
    problems: list[str] = []
    values = dict(_walk(config_file, problems, place=place))
    return Gucs(values=values, problems=tuple(problems))


def from_files(config_file: Path, data_directory: Path, *, moved: bool = True) -> Gucs:
    """Return what `config_file`, and then postgresql.auto.conf of the data directory, set.

    A `data_directory` in `config_file` moves postgresql.auto.conf, as it does for postgres, unless
    an argument says where it is (`moved` False).
    """
    problems: list[str] = []
    values = dict(_walk(config_file, problems))
    named = values.get("data_directory") if moved else None
    directory = Path(named or data_directory)
    values.update(_walk(directory / "postgresql.auto.conf", problems, required=False))
    return Gucs(values=values, problems=tuple(problems))


def _options(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield option letter and value as getopt does; `--name=value` is the letter "-"."""
    words = iter(argv)
    for word in words:
        if word == "--":
            return
        cluster = word[1:] if word.startswith("-") else ""
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            if letter in _WITH_VALUE:
                yield letter, cluster or next(words, "")
                break
            yield letter, ""


def _assigned(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the settings on a command line; "-D" for the directory, which is not a setting."""
    for letter, value in _options(argv):
        match letter:
            case "c" | "-" if "=" in value:
                name, _, text = value.partition("=")
                yield name.replace("-", "_").lower(), text
            case "D":
                yield "-D", value
            case "d":
                yield "log_min_messages", "notice" if value == "0" else f"debug{value}"
            case "f" if value in _PLANS:
                yield _PLANS[value], "false"
            case "t" if value[:2] in _TIMINGS:
                yield _TIMINGS[value[:2]], "true"
            case _ if letter in _VALUE_OPTIONS:
                yield _VALUE_OPTIONS[letter], value
            case _ if letter in _FLAG_OPTIONS:
                name, text = _FLAG_OPTIONS[letter]
                yield name, text


def listed(text: str) -> list[str]:
    """Return the names of a setting that is a list of libraries."""
    return [name for part in text.split(",") if (name := part.strip().strip('"'))]


def from_arguments(argv: Sequence[str]) -> dict[str, str]:
    """Return what postgres's arguments set, with or without the program in front; the last wins.

    Other arguments (-C, --single, a word without a dash) are ignored.
    """
    values = dict(_assigned(argv))
    directory = values.pop("-D", None)
    return values if directory is None else {"data_directory": directory, **values}


def as_arguments(values: Mapping[str, str]) -> list[str]:
    """Return postgres's arguments that set these values."""
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]


def effective(data_directory: Path, argv: Sequence[str]) -> Gucs:
    """Return the settings of a postgres that is started with `argv` and PGDATA=`data_directory`.

    -D only says where postgresql.conf is: data_directory takes precedence wherever it is set.
    """
    arguments = dict(_assigned(argv))
    home = Path(arguments.pop("-D", data_directory))
    config_file = Path(arguments.get("config_file") or home / "postgresql.conf")
    named = arguments.get("data_directory")
    files = from_files(config_file, Path(named or home), moved=not named)
    values = {"data_directory": str(home), **files.values, **arguments}
    return Gucs(values=values, problems=files.problems)
