"""The engines' own messages, as real runs against a real server gave them, and their classes."""

import pytest

from walsup.archive.engine.output import classify_output
from walsup.archive.faults import REMEDIES
from walsup.archive.s3_error_codes import kind_of

G = "ERROR: 2026/11/23 22:11:28.329664 "
R = "2026-11-23T22:11:28.531194Z ERROR "
SEGMENT = "wal_005/000000010000000000000009"
READ = f"{G}Couldn't check whether there is an overwrite attempt due to inner error: read object"
READ += f" from \"default\": failed to read object: 'p/{SEGMENT}.zst' from S3: "


def walg(code: str, status: int) -> str:
    """WAL-G's words for an answer to a GET."""
    return f"{READ}{code}: it says: why\n\tstatus code: {status}, request id: 18E, host id: \n"


def walrus(code: str, status: int) -> str:
    """WAL-RUS's words for an answer to a PUT."""
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return f"{R}put {SEGMENT}.lz4: http {status}: {document}\n"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchBucket", 404, "no bucket"),
        ("SignatureDoesNotMatch", 403, "auth"),
        ("InvalidAccessKeyId", 403, "auth"),
        ("ExpiredToken", 400, "auth"),
        ("AccessDenied", 403, "no rights"),
        ("InvalidObjectState", 403, "engine disagrees"),  # in GLACIER
        ("RequestTimeTooSkewed", 403, "clock skew"),
        ("InternalError", 500, "server error"),
        ("SlowDown", 503, "throttled"),
        ("AuthorizationHeaderMalformed", 400, "wrong region"),
        ("SomethingNew", 502, "server error"),
    ],
)
def test_answers_of_the_server(code: str, status: int, kind: str) -> None:
    """Code and status, wherever the engine puts them; the last answer counts."""
    for text in (walg(code, status), walrus(code, status)):
        noise = walg("InternalError", 500) + f"{G}Error of parallel upload: open x: no such file\n"
        fault = classify_output(noise + text + "INFO: a b FILE PATH: x\n", ())
        assert fault.kind == kind
        assert code in fault.problem
        assert "2026" not in fault.problem


DENIED = ": AccessDenied: Access Denied.\n\tstatus code: 403, request id: 18E, host id: \n"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (walrus("AccessDenied", 403), f"s3:PutObject on {SEGMENT}.lz4"),
        (walg("AccessDenied", 403), f"s3:GetObject on p/{SEGMENT}.zst"),
        (f"{G}failed to upload 'p/x' to bucket 'b'{DENIED}", "s3:PutObject on p/x"),
        (f"{G}failed to list s3 folder: 'p/'{DENIED}", "s3:ListBucket on p/"),
        (f"{G}failed to check s3 object 'p/x' existence{DENIED}", "s3:GetObject on p/x"),
    ],
)
def test_the_right_that_is_missing_is_named(text: str, right: str) -> None:
    """A person can act on it."""
    fault = classify_output(text, ())
    assert fault.kind == "no rights"
    assert fault.problem.startswith(right)


URL = "http://127.0.0.1:9/b/p"
HBA = 'no pg_hba.conf entry for host "[local]", user "u", database "postgres", no encryption'
SENT = f"{R}check existence: transport error: error sending request for url ({URL})"
LOOK_UP = "lookup no-such-host.invalid on 10.255.255.53:53: no such host"
LOGIN = "failed to connect to `user=u database=postgres`: /s/.s.PGSQL.5432 (/s): "
REFUSED_AFTER = f"\n{G}Connect: postgres connection failed: {LOGIN}dial tcp 127.0.0.1:5432:"
REFUSED_AFTER += " connect: connection refused"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f'caused by: Get "{URL}": dial tcp 127.0.0.1:9: connect: connection refused', "refused"),
        (f'caused by: Get "{URL}": dial tcp: {LOOK_UP}', "dns"),
        (f'caused by: Get "{URL}": dial tcp 10.0.0.1:9: i/o timeout', "timeout"),
        (f'caused by: Get "{URL}": tls: failed to verify certificate: x509: certificate', "tls"),
        (f'caused by: Get "{URL}": http: server gave HTTP response to HTTPS client', "tls"),
        (f"{R}failed to verify TLS certificate: invalid peer certificate: Unknown\n{SENT}", "tls"),
        (SENT, "refused"),
        (f"{R}auth: FATAL 28000: {HBA}", "database login"),
        (f"{R}server requires SCRAM auth but PGPASSWORD unset", "database login"),
        (f"{R}connect to unix:/s/.s.PGSQL.5432: No such file or directory", "database login"),
        (f"{G}{LOGIN}server error: FATAL: {HBA} (SQLSTATE 28000){REFUSED_AFTER}", "database login"),
        (f"{R}write /x: No space left on device (os error 28)", "disk full"),
        (f"{G}WAL file 'x' already archived, contents differ, unable to overwrite", "overwrite"),
        (f"{R}WAL x already present with different bytes (prevent-wal-overwrite)", "overwrite"),
        (f"{G}can't configure crypter: but wal-g was not compiled with libsodium", "engine unable"),
        (f"{R}auth error: imds: no IAM role on instance", "auth"),
        (f"{G}NoCredentialProviders: no valid providers in chain", "auth"),
        (f"{R}thread 'main' panicked at src/main.rs", "engine broken"),
        ("", "engine broken"),
    ],
)
def test_words_of_the_engines(text: str, kind: str) -> None:
    """What is no answer of the server; the last line is shown when nothing is known."""
    fault = classify_output(f"INFO: 2026/11/23 22:11:28 begun\n{text}\n", ())
    assert fault.kind.startswith(kind)
    assert fault.problem
    assert fault.cure


def test_wal_rus_does_not_say_why_nobody_answers() -> None:
    """The agent's own listing does: the remedy says so."""
    assert "check the fault of the bucket" in classify_output(SENT, ()).cure


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 412, 429, 500, 503])
@pytest.mark.parametrize(
    "code", ["", "AccessDenied", "NoSuchBucket", "NewCode", "PreconditionFailed"]
)
def test_every_class_has_a_remedy(code: str, status: int) -> None:
    """Nothing is classified into a class that nobody knows."""
    kind = kind_of(code, status)
    assert kind is None or kind in REMEDIES


def test_a_secret_is_cut_and_does_not_hide_the_class() -> None:
    """Nor does one that is an ordinary word hide what is told."""
    told = classify_output("postgres connection failed: postgres:p/w'x", ("postgres", "p/w'x"))
    assert told.kind == "database login"
    assert told.problem == "postgres connection failed: postgres:***"


def test_a_wrong_passphrase_is_told_from_a_damaged_object() -> None:
    """The object may be whole, and another base backup would help nothing."""
    said = "download the file: failed to init decrypt reader: openpgp: invalid data: private key"
    assert classify_output(f"{G}{said} checksum failure\n", ()).kind == "no private key"
