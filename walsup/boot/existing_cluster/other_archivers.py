"""Another program's archive_command and restore_command in the settings of a volume."""

import os
import re
from collections.abc import Iterator, Mapping

from walsup import log
from walsup.system.programs import which

# Archives in another format. Those of WAL-G and WAL-RUS are continued.
_ARCHIVERS = (
    ("pgbackrest", "pgBackRest"),
    ("barman", "Barman"),
    ("/controller/manager", "CloudNativePG (Barman)"),
    ("wal-e", "WAL-E"),
    ("pg_probackup", "pg_probackup"),
    ("pghoard", "PGHoard"),
    ("pgmoneta", "pgmoneta"),
    ("pg_rman", "pg_rman"),
    ("basic_archive", "basic_archive"),
    ("omnipitr", "OmniPITR"),
    ("stackgres", "StackGres"),
)
_PROGRAM = re.compile(r"[A-Za-z0-9_./-]+")
_BUILTINS = ("cd", "exit", "exec", "set", "if", ".", "eval", "export", "while", "for")
_OTHER = (
    "walsup cannot continue this program's archive, which has another format; keep that archive"
    " until a base backup in WALSUP_ARCHIVE, at a separate prefix, protects this database"
)


def report(effective: Mapping[str, str], *, has_archive: bool) -> None:
    """Log the programs that they belong to, and whether WAL would be kept for a missing one."""
    for name, archiver in leftovers(effective):
        log.warning("archive.of_other_program", setting=name, program=archiver, problem=_OTHER)
    words = (word for word in effective.get("archive_command", "").split() if "=" not in word)
    program = next(words, "")
    if has_archive or not _PROGRAM.fullmatch(program) or program in _BUILTINS:
        return
    if effective.get("archive_mode", "off") in ("off", "false", "no"):
        return
    path = os.environ.get("PATH", "")
    if not os.path.isfile(program) and not which(program, path):  # noqa: PTH113 (cheap)
        log.error(
            "archive.command_missing",
            problem=f"archive_mode is on, but {program} (archive_command) is not installed"
            " here: WAL is kept until the disk is full",
            remedy="set WALSUP_ARCHIVE; or start without archiving: -c archive_mode=off",
        )


def leftovers(effective: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each setting in which another program archives or fetches WAL, and that program."""
    for name in ("archive_command", "restore_command", "archive_library"):
        text = effective.get(name, "")
        if found := next((program for word, program in _ARCHIVERS if word in text), ""):
            yield name, found
