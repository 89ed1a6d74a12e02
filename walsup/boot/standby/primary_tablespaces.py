"""The directories of a primary's tablespaces, which pg_basebackup fills beside its target.

It demands that they are empty. When it is killed it leaves what it has copied. The directories are
therefore noted in the stage before it runs, and a later start empties them with the stage.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from walsup import log, units
from walsup.archive.faults import Fault, FaultKind
from walsup.boot import inspect
from walsup.boot.run_program import OneShot
from walsup.errors import ProgramMissingError
from walsup.settings import Settings
from walsup.system.output_tail import last_lines

_LOCATIONS = """
select pg_catalog.pg_tablespace_location(t.oid)
  from pg_catalog.pg_tablespace t
"""
_TIMEOUT_S = 20.0
# Messages may be translated, with other quotes.
_QUOTED = re.compile('["\u00ab\u00bb\u201c\u201d\u201e](/[^"\u00ab\u00bb\u201c\u201d\u201e]+)')


def ask(known: Settings, one_shot: OneShot, conninfo: str) -> list[str]:
    """Return the directories of the primary's tablespaces; none when it does not report them.

    A role that may only replicate, or a pg_hba.conf that admits only replication, does not.
    """
    path = one_shot.environment.get("PATH", "")
    given = known.primary_conninfo
    named = any(name == "dbname" for name, _ in given.parameters) if given else False
    target = conninfo if named else f"{conninfo} dbname=postgres"
    program = inspect.program("psql", known.pg_bindir, path)
    argv = [program, "--no-psqlrc", "--no-password", "-A", "-t", "-0", "-d", target]
    output = one_shot.run_dir / "tablespaces.log"
    try:
        child = one_shot.begin([*argv, "-c", _LOCATIONS], output, one_shot.environment)
        code = _end_of(child)
    except ProgramMissingError as missing:
        log.warning("standby.tablespaces_unknown", problem=str(missing))
        return []
    if code:
        problem = last_lines(output, known.secrets)
        log.warning("standby.tablespaces_unknown", problem=problem)
        return []
    content = output.read_text(encoding="utf-8", errors="surrogateescape")
    return sorted(place for line in content.split("\0") if (place := line.strip("\n"))[:1] == "/")


def not_empty(places: Iterable[str]) -> Fault | None:
    """Return why pg_basebackup cannot fill these directories; None: all are empty, or absent."""
    for place in places:
        try:
            names = _names(Path(place))
        except OSError as fault:
            return Fault(
                kind=FaultKind.TABLESPACE,
                problem=f"the primary has a tablespace in {place}, but that directory cannot be"
                f" read here: {str(fault.strerror).lower()}",
                remedy="give that directory, empty, to the database's user",
            )
        if names:
            return Fault(
                kind=FaultKind.TABLESPACE,
                problem=f"the primary has a tablespace in {place}, but that directory is not"
                " empty here, and pg_basebackup needs an empty one: it holds"
                f" {units.abbreviate(names)}",
                remedy="mount an empty volume there that only this instance uses (above the"
                " tablespace's directory, if the volume has a lost+found); if the"
                f" files are left from an earlier copy, delete the content of {place}",
            )
    return None


def named_in(text: str) -> Fault | None:
    """Return the same for the directories that pg_basebackup's message names."""
    return not_empty(_QUOTED.findall(text))


def _names(place: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _end_of(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait(_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
