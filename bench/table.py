"""The rows as a table for people and as JSON for programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Row, Series

_HEAD = ("", "engine", "walsup", "peer", "ratio", "target", "")
_VERDICT = {True: "holds", False: "MISSED", None: "not judged"}


def show(rows: Sequence[Row]) -> str:
    """The table, and below it every run."""
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    table = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    table.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join((*(line.rstrip() for line in table), "", "All runs:", *_all_runs(rows)))


def write(rows: Sequence[Row], facts: dict[str, Any], file: Path) -> None:
    """The same as JSON."""
    content = facts | {"rows": [_as_json(row) for row in rows]}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.name}, {row.unit}",
        row.engine,
        _summary(row.walsup),
        f"{_summary(row.peer)} {row.peer.name}" if row.peer else "-",
        f"{row.ratio:.3f}\N{MULTIPLICATION SIGN}" if row.ratio is not None else "-",
        str(row.target or "-"),
        _VERDICT[row.holds],
    )


def _summary(series: Series) -> str:
    return f"{_show(series.median)} ({_show(min(series.runs))}…{_show(max(series.runs))})"


def _all_runs(rows: Sequence[Row]) -> list[str]:
    lines = []
    for row in rows:
        lines.append(f"  {row.name}, {row.unit} [{row.engine}]")
        sides = [row.walsup, *([row.peer] if row.peer else []), *row.others]
        width = max(len(side.name) for side in sides)
        for side in sides:
            runs = " ".join(_show(run) for run in side.runs)
            lines.append(f"    {side.name.ljust(width)}  median {_show(side.median)}:  {runs}")
    return lines


def _show(figure: float) -> str:
    """Four digits are more than a shared machine can promise."""
    return f"{figure:.4g}" if figure < 1000 else f"{figure:.0f}"  # noqa: PLR2004 (1e+03 is hard to read)


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "engine": row.engine,
        "unit": row.unit,
        "walsup": _side(row.walsup),
        "peer": _side(row.peer) if row.peer else None,
        "others": [_side(side) for side in row.others],
        "ratio": row.ratio,
        "target": str(row.target) if row.target else None,
        "holds": row.holds,
    }


def _side(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "median": series.median,
        "min": min(series.runs),
        "max": max(series.runs),
        "runs": list(series.runs),
    }
