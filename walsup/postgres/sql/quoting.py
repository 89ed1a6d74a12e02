"""Names and texts as parts of a statement, where the grammar takes no parameter. Pure.

Sessions of walsup have standard_conforming_strings on, so a backslash is an ordinary character.
"""

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def identifier(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def shown(name: str) -> str:
    """Return a name for an operator: in quotes only when it is not a plain word."""
    return name if _PLAIN.fullmatch(name) else identifier(name)


def literal(text: str) -> str:
    """Return a text in single quotes."""
    return "'" + text.replace("'", "''") + "'"
