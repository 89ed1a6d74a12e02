"""Durations and booleans as an operator writes them, sizes and lists as one reads them.

Loaded in PID 1: nothing is imported.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_BOOLEANS = {
    **dict.fromkeys(("on", "true", "yes", "t", "y", "1"), True),
    **dict.fromkeys(("off", "false", "no", "f", "n", "0"), False),
}
_SHOWN_DURATIONS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SHOWN_SIZES = ("B", "kB", "MB", "GB", "TB")
_FINITE_S = 1e15
_NEXT_SMALL_UNIT = 1000
_NEXT_SIZE = 1024


def _split(text: str) -> tuple[str, str, str]:
    """Return the leading number, the unit after it and the rest of `text`."""
    start = 0
    while start < len(text) and text[start] in "0123456789.":
        start += 1
    end = start
    while end < len(text) and text[end] not in "0123456789.":
        end += 1
    return text[:start], text[start:end].strip(), text[end:]


def duration(text: str) -> float:
    """Return the seconds of "25s", "1min", "1m", "500ms", "2h", "1d", "1h 30min" or "25".

    Raises: ValueError, with the known units, for anything else.
    """
    total_s, rest = 0.0, text.strip()
    if not rest.strip("0123456789."):
        rest += "s"
    try:
        while rest:
            number, unit, rest = _split(rest)
            total_s += float(number) * _SECONDS[unit]
    except (ValueError, KeyError):
        problem = f"{text!r} is not a duration: expected a number and us, ms, s, min, h or d"
        raise ValueError(problem) from None
    return total_s


def boolean(text: str) -> bool:
    """Return the truth of on/off, true/false, yes/no, 1/0, in any case.

    Raises: ValueError for anything else, the empty text included.
    """
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        problem = f"{text!r} is not a boolean: expected on or off"
        raise ValueError(problem) from None


def show_duration(duration_s: float) -> str:
    """Return a duration in its two largest units ("1d 3h"), in a form that `duration` reads."""
    if not -_FINITE_S < duration_s < _FINITE_S:
        return f"{duration_s:g}"
    if duration_s < 0:
        return "-" + show_duration(-duration_s)
    for unit, unit_s in (("us", 1e-6), ("ms", 1e-3)):
        if 0 < (count := round(duration_s / unit_s)) < _NEXT_SMALL_UNIT:
            return f"{count}{unit}"
    if (shown_s := round(duration_s, 3)) < _SECONDS["min"]:
        return f"{shown_s:g}s"
    rest = round(duration_s)
    for index, (unit, unit_s) in enumerate(_SHOWN_DURATIONS[:-1]):
        if rest >= unit_s:
            smaller, smaller_s = _SHOWN_DURATIONS[index + 1]
            count, left = divmod(rest, unit_s)
            return f"{count}{unit}" + (
                f" {left // smaller_s}{smaller}" if left >= smaller_s else ""
            )
    raise AssertionError(duration_s)


def show_bytes(count: int) -> str:
    """Return a size in the largest unit with at most one decimal ("1.5GB")."""
    if count < 0:
        return "-" + show_bytes(-count)
    shown, unit = float(count), _SHOWN_SIZES[0]
    for unit in _SHOWN_SIZES:
        if round(shown, 1) < _NEXT_SIZE or unit == _SHOWN_SIZES[-1]:
            break
        shown /= _NEXT_SIZE
    return f"{shown:.1f}".removesuffix(".0") + unit


def abbreviate(names: "Sequence[str]", most: int = 5, separator: str = ", ") -> str:
    """Return the first `most` names, and how many more there are ("a, b, and 3 more")."""
    shown = separator.join(names[:most])
    more = len(names) - most
    return f"{shown}{separator.rstrip()} and {more} more" if more > 0 else shown


def backoff(failures: int, first_s: float, longest_s: float) -> float:
    """Return the seconds to wait after so many failures (1 or more) in a row: doubled each time."""
    return float(min(longest_s, first_s * 2.0 ** min(max(failures, 1) - 1, 32)))
