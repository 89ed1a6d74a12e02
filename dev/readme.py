"""README's generated tables: `python -m dev.readme` writes them, `--check` shows what differs."""

import difflib
import re
import sys
from collections.abc import Iterable, Sequence

from dev.harness.machine import ROOT
from walsup import settings
from walsup.agent.http import metrics
from walsup.errors import exit_code_rows

README = ROOT / "README.md"


def settings_table() -> str:
    """Give the declared settings; aliases stand below the name, secrets are marked."""
    rows = []
    for row in settings.declared():
        names = "<br>".join(f"`{name}`" for name in (row.name, *row.aliases))
        secret = " (secret)" if row.secret else ""
        rows.append((names + secret, row.shown.strip(), row.says))
    return _markdown(("setting", "default", "meaning"), rows)


def exit_codes_table() -> str:
    """Give the container's exit codes."""
    return _markdown(("code", "name", "meaning"), exit_code_rows())


def metrics_table() -> str:
    """Give the metrics."""
    rows = [(f"`{name}`", kind, says) for name, kind, says in metrics.table()]
    return _markdown(("metric", "type", "meaning"), rows)


TABLES = {
    "settings": settings_table,
    "exit-codes": exit_codes_table,
    "metrics": metrics_table,
}


def with_tables(text: str) -> str:
    """Give README's text with each table anew between its markers.

    Raises:
        ValueError: a pair of markers is missing, or stands there twice.
    """
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        parts = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", text, flags=re.DOTALL)
        if len(parts) != 2:  # noqa: PLR2004 (before and after)
            raise ValueError(f"README needs the markers {begin} and {end} once")
        text = f"{parts[0]}{begin}\n{table()}{end}{parts[1]}"
    return text


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def main(arguments: Sequence[str]) -> int:
    """Write the tables, or with `--check` print the difference and give 1."""
    before = README.read_text(encoding="utf-8")
    after = with_tables(before)
    if "--check" not in arguments:
        README.write_text(after, encoding="utf-8")
        return 0
    difference = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), "README.md", "generated"
    )
    sys.stdout.writelines(difference)
    if before != after:
        print("README's tables are old: run `python -m dev.readme`")
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
