"""A self-signed certificate, in place of one that another image makes at each start."""

import subprocess
from pathlib import Path

from walsup import log
from walsup.system.programs import which

_OPENSSL_TIMEOUT_S = 20.0
_DAYS = "3650"


def certificate(run_dir: Path, path: str) -> dict[str, str]:
    """Make one in the run directory; return the settings. Without openssl there is no TLS.

    It is its own CA, so rules that demand a client's certificate can be read but admit no client.
    """
    key, made = run_dir / "server.key", run_dir / "server.crt"
    key.unlink(missing_ok=True)
    argv = [
        *(which("openssl", path) or "openssl", "req", "-new", "-x509", "-nodes"),
        *("-subj", "/CN=walsup", "-days", _DAYS, "-newkey", "rsa:2048"),
        *("-keyout", str(key), "-out", str(made)),
    ]
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=_OPENSSL_TIMEOUT_S)
        key.chmod(0o600)
    except (OSError, subprocess.SubprocessError) as fault:
        log.warning(
            "certificate.missing",
            problem=str(fault),
            effect="no client can connect through a hostssl line",
        )
        return {"ssl": "off"}
    return {
        "ssl_cert_file": str(made),
        "ssl_key_file": str(key),
        "ssl_ca_file": str(made),
        "ssl_crl_file": "",
        "ssl_dh_params_file": "",
        "ssl_passphrase_command": "",
    }
