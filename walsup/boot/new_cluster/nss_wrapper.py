"""initdb under a uid that has no name: initdb demands a name, which libnss-wrapper provides.

Rule any-uid.
"""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from walsup.errors import BootstrapError
from walsup.system.private_files import write_private

_LIBRARIES = ("/usr/lib/libnss_wrapper.so", "/usr/lib64/libnss_wrapper.so")


def environment(run_dir: Path) -> dict[str, str]:
    """Return the extra variables for initdb's environment; none when this user has a name.

    Raises:
        BootstrapError: the user has none, and libnss-wrapper is not installed.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        pass
    else:
        return {}
    library = next((path for path in _candidates() if path.exists()), None)
    if library is None:
        raise BootstrapError(
            f"uid {uid} has no user name, and initdb does not run without one",
            hint="install libnss-wrapper, or run as a user that is in /etc/passwd",
        )
    passwd, group = run_dir / "passwd", run_dir / "group"
    write_private(passwd, f"postgres:x:{uid}:{gid}:PostgreSQL:{run_dir}:/bin/false\n")
    write_private(group, f"postgres:x:{gid}:\n")
    return {
        "LD_PRELOAD": str(library),
        "NSS_WRAPPER_PASSWD": str(passwd),
        "NSS_WRAPPER_GROUP": str(group),
    }


def _candidates() -> Iterator[Path]:
    yield from Path("/usr/lib").glob("*/libnss_wrapper.so")
    yield from map(Path, _LIBRARIES)
