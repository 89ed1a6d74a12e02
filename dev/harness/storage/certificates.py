"""A private CA, and a server's certificate that it has signed."""

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificates(folder: Path) -> None:
    """Write ca.pem, and s3.cert with s3.key for 127.0.0.1; readable for every user but the keys."""
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    ca = ("-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=walsup tests")
    server = ("-keyout", "s3.key", "-out", "s3.csr", "-subj", "/CN=localhost")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    for command in (
        ("req", "-x509", *_KEY, *ca),
        ("req", *_KEY, *server),
        ("x509", "-req", "-in", "s3.csr", *signed, "-extfile", "names", "-out", "s3.cert"),
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
