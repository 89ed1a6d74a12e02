"""The certificates that are trusted."""

import ssl
from pathlib import Path

from walsup.archive.faults import Fault, FaultError, FaultKind


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return the system's CAs, and those of WALSUP_CA_FILE.

    Raises:
        FaultError: the file cannot be read.
    """
    context = ssl.create_default_context()
    # Python 3.13 requires more of a private CA than the engines do (a key identifier, for example).
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # An end that TLS does not announce may be forged; Python hides it.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as raised:
            problem = f"WALSUP_CA_FILE cannot be read: {raised}"
            raise FaultError(Fault(kind=FaultKind.TLS, problem=problem)) from raised
    return context
