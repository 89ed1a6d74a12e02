"""What a setting's text means: each reader gives a value or a ValueError that shows the text."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from walsup import units


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveUrl:
    """A place for an archive: a bucket and a prefix without slashes at its ends."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """Where HTTP answers."""

    host: str
    port: int


def choice(*words: str) -> Callable[[str], str]:
    """Give a reader of one of these words."""
    def read(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        near = difflib.get_close_matches(text.lower(), words, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{text!r} is not one of {', '.join(words)}{meant}")

    return read


def archive(text: str) -> ArchiveUrl:
    """Read `s3://bucket/prefix`."""
    scheme, found, rest = text.partition("://")
    if not found or scheme != "s3":
        raise ValueError(
            f"{text!r} is not s3://bucket/prefix: this version archives to S3 and what speaks"
            " its protocol (MinIO, Ceph, SeaweedFS, R2, GCS with HMAC keys), nothing else"
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not bucket or not prefix or "//" in prefix:
        raise ValueError(
            f"{text!r} needs a bucket and a prefix, as in s3://bucket/name: two databases in"
            " one place destroy each other's archive"
        )
    return ArchiveUrl(bucket=bucket, prefix=prefix)


def endpoint(text: str) -> str:
    """Read a host or URL; without a scheme it is https."""
    url = text if "://" in text else f"https://{text}"
    host = url.partition("://")[2].strip("/")
    if not host or "/" in host or not url.startswith(("http://", "https://")):
        raise ValueError(f"{text!r} is not a host, host:port or http(s)://host:port")
    return url.rstrip("/")


def http(text: str) -> HttpAddress:
    """Read `host:port`."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 (TCP)
        raise ValueError(f"{text!r} is not host:port")
    return HttpAddress(host=host.strip("[]") or "0.0.0.0", port=int(port))  # noqa: S104 (a probe)


def port(text: str) -> int:
    """Read a TCP port."""
    if text.isdigit() and 0 < int(text) < 65536:  # noqa: PLR2004 (TCP)
        return int(text)
    raise ValueError(f"{text!r} is not a port (1 to 65535)")


def grace(text: str) -> float:
    """Read a stop grace, in seconds."""
    if (seconds := units.duration(text)) < 5:  # noqa: PLR2004 (S23)
        raise ValueError(f"{text!r} is too short: 5s is the least in which nothing is lost")
    return seconds


def timeout(text: str) -> int:
    """Read an archive_timeout, in whole seconds."""
    if not 1 <= (seconds := round(units.duration(text))) <= 3600 * 24:
        raise ValueError(f"{text!r} is not between 1s and 1d")
    return seconds


def absolute(text: str) -> Path:
    """Read an absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return Path(text)


def names(text: str) -> tuple[str, ...]:
    """Read names between commas or spaces."""
    return tuple(part for part in text.replace(",", " ").split() if part)
