"""The password of a standby's primary, in a file that libpq reads at each connection."""

from pathlib import Path

from walsup.settings import Settings
from walsup.system.private_files import write_private

FILE = "primary.pass"


def content(known: Settings) -> str:
    """Return the content of the file, "" when no password is known."""
    found = known.primary_conninfo
    password = (found.password if found else "") or known.replication_password
    if not password:
        return ""
    # Source: PostgreSQL 15, fe-connect.c, passwordFromFile: a backslash escapes.
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def keep(run_dir: Path, known: Settings) -> bool:
    """Write the file, or remove it when there is no password; return whether it has changed."""
    path, wanted = run_dir / FILE, content(known)
    try:
        before = path.read_text(encoding="utf-8")
    except OSError:
        before = ""
    if wanted == before:
        return False
    if wanted:
        write_private(path, wanted)
    else:
        path.unlink(missing_ok=True)
    return True
