"""A data directory that Patroni has configured, as in Spilo: what its settings lack here.

Spilo preloads libraries of its own, makes a certificate at each start, and logs into files. None of
that is in another image, and postgres would not start. Nothing is edited (S9).
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from walsup import log, units
from walsup.postgres import guc
from walsup.programs import which
from walsup.settings import Settings

# Source: zalando/spilo, configure_spilo.py and spilo_commons.py
SPILOS = frozenset(
    (
        *("bg_mon", "pg_auth_mon", "pg_cron", "pg_mon", "pg_stat_kcache", "pgextwlist"),
        *("pg_stat_statements", "set_user", "timescaledb"),
    )
)
_OPENSSL_TIMEOUT_S = 20.0
_DAYS = "3650"


def instead(
    effective: Mapping[str, str],
    known: Settings,
    arguments: Sequence[str],
    postgres: str,
    run_dir: Path,
) -> list[str]:
    """Give arguments in the place of what is not here; to be put before the operator's own."""
    libraries = _libraries(Path(postgres).resolve())
    found = _preloaded(effective, lambda name: not libraries or name in libraries)
    if _is_on(effective.get("logging_collector", "off")):
        # The files' directory belongs to another user, and who reads a container's log is misled.
        found |= {"logging_collector": "off", "log_destination": "stderr"}
    if _is_on(effective.get("ssl", "off")) and not _has_certificate(effective, known.pgdata):
        found |= _certificate(run_dir, os.environ.get("PATH", ""))
    own = guc.from_arguments(arguments)
    for name, value in found.items():
        if name not in own:
            was = effective.get(name, "")
            log.warning("setting.of_patroni", name=name, value=value, instead_of=was)
    return [word for name, value in found.items() for word in ("-c", f"{name}={value}")]


def _preloaded(effective: Mapping[str, str], is_here: Callable[[str], bool]) -> dict[str, str]:
    """Leave out what Spilo preloads of itself and is not here; anything else postgres refuses."""
    names = guc.listed(effective.get(guc.PRELOADED, ""))
    kept = [name for name in names if name not in SPILOS or is_here(name)]
    return {} if kept == names else {guc.PRELOADED: ",".join(kept)}


def _libraries(postgres: Path) -> set[str]:
    """Give the libraries beside the programs; none when their place is not known."""
    for folder in (postgres.parent.parent / "lib", postgres.parent.parent / "lib/postgresql"):
        if (folder / "plpgsql.so").exists():
            return {file.stem for file in folder.glob("*.so")}
    return set()


def _has_certificate(effective: Mapping[str, str], pgdata: Path) -> bool:
    names = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
    return all((pgdata / effective.get(name, usual)).exists() for name, usual in names.items())


def _certificate(run_dir: Path, path: str) -> dict[str, str]:
    """Make one signed by itself, as Spilo does at each start; without openssl there is no TLS."""
    key, certificate = run_dir / "server.key", run_dir / "server.crt"
    key.unlink(missing_ok=True)
    argv = [
        *(which("openssl", path) or "openssl", "req", "-new", "-x509", "-nodes"),
        *("-subj", "/CN=walsup", "-days", _DAYS, "-newkey", "rsa:2048"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=_OPENSSL_TIMEOUT_S)
        key.chmod(0o600)
    except (OSError, subprocess.SubprocessError) as fault:
        log.warning("certificate.missing", problem=str(fault), effect="hostssl lines let nobody in")
        return {"ssl": "off"}
    return {"ssl_cert_file": str(certificate), "ssl_key_file": str(key), "ssl_ca_file": ""}


def _is_on(text: str) -> bool:
    try:
        return units.boolean(text)
    except ValueError:
        return False
