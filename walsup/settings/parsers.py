"""What a setting's text means: each reader gives a value or a ValueError that shows the text."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from walsup import units

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?"
_OF_A_URL = "?#%\\"
# Listings are XML, which cannot hold these. Source: XML 1.0, 2.2 Characters
_NOT_IN_XML = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST_KEY_BYTES = 1024  # Source: Amazon S3, "Naming objects"
_BELOW_A_PREFIX_BYTES = 124  # the longest key of an engine's below its prefix
_DAY_S = 24 * 3600
_LONGEST_LEASE_S = 600


class ArchiveUrl(NamedTuple):
    """A place for an archive: a bucket and a prefix without slashes at its ends."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


class FileArchive(NamedTuple):
    """An archive's directory, without links resolved: it may hang (rule hung-filesystem)."""

    directory: str

    def __str__(self) -> str:
        return f"file://{self.directory}"


class HttpAddress(NamedTuple):
    """Where HTTP answers; without a host on all addresses, of IPv4 and IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.host:
            return f"port {self.port}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopbacks(self) -> tuple[str, ...]:
        """The addresses under which it answers on this machine."""
        return {
            "": ("127.0.0.1", "::1"),
            "0.0.0.0": ("127.0.0.1",),  # noqa: S104 (it is only compared)
            "::": ("::1", "127.0.0.1"),
        }.get(self.host, (self.host,))


def choice(*words: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""

    def read(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        import difflib  # noqa: PLC0415 (only for a fault)

        near = difflib.get_close_matches(text.lower(), words, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{text!r} is not one of {', '.join(words)}{meant}")

    return read


def archive(text: str) -> ArchiveUrl | FileArchive:
    """Read `s3://bucket/prefix`, `file:///directory`, or a bare directory as WAL-G has it.

    WAL-G reads it as a URL, WAL-RUS as it is written: what a URL gives a meaning is no name.
    """
    if odd := next((one for one in text if one in _OF_A_URL or one.isspace()), ""):
        raise ValueError(
            f"it has {odd!r}, which not every program accepts in a name: use a name without"
            " blanks, ?, #, % and \\"
        )
    if unfit := _NOT_IN_XML.search(text):
        raise ValueError(
            f"it has U+{ord(unfit[0]):04X}, which a listing of a bucket cannot show: write"
            " the name in UTF-8, without control characters"
        )
    scheme, found, rest = text.partition("://")
    if text.startswith("/") or (found and scheme == "file"):
        return _directory(text, text if text.startswith("/") else rest.removeprefix("localhost"))
    if not found or scheme != "s3":
        raise ValueError(
            f"{text!r} is neither s3://bucket/prefix nor file:///directory: this version archives"
            " only to S3 and compatible servers (MinIO, Ceph, SeaweedFS, R2, GCS with HMAC keys)"
            " and to directories"
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if "@" in bucket:
        raise ValueError("it has a user or a key before the bucket: set AWS_ACCESS_KEY_ID instead")
    if bucket and not re.fullmatch(r"[\w.-]+", bucket, re.ASCII):
        raise ValueError(
            f"{text!r} has the bucket {bucket!r}: a bucket's name contains only letters, digits,"
            " . and -"
        )
    if not bucket or not prefix:
        raise ValueError(
            f"{text!r} needs a bucket and a prefix, as in s3://bucket/name: two databases in one"
            " prefix destroy each other's archive"
        )
    if wrong := {"", ".", ".."} & set(prefix.split("/")):
        named = next(iter(wrong)) or "two slashes in a row"
        meant = "/".join(part for part in prefix.split("/") if part not in wrong)
        raise ValueError(
            f"{text!r} has {named} in its prefix, which engines and servers interpret"
            f" differently: write s3://{bucket}/{meant}"
        )
    if (length := len(prefix.encode())) > _LONGEST_KEY_BYTES - _BELOW_A_PREFIX_BYTES:
        raise ValueError(
            f"its prefix has {length} bytes: {_LONGEST_KEY_BYTES - _BELOW_A_PREFIX_BYTES} is the"
            f" most, because a key has at most {_LONGEST_KEY_BYTES}"
        )
    return ArchiveUrl(bucket=bucket, prefix=prefix)


def _directory(text: str, path: str) -> FileArchive:
    if not path.startswith("/") or {".", ".."} & set(path.split("/")):
        raise ValueError(f"{text!r} is not an absolute directory, as in file:///srv/archive/name")
    if not (inner := "/".join(part for part in path.split("/") if part)):
        raise ValueError(f"{text!r} is the root directory: use a directory for this archive only")
    return FileArchive(directory=f"/{inner}")


def endpoint(text: str) -> str:
    """Read a host or URL; without a scheme it is https."""
    scheme, found, host = text.partition("://")
    if not found:
        scheme, host = "https", text
    host = host.rstrip("/")
    if "@" in host:
        raise ValueError("it has a user or password: set AWS_ACCESS_KEY_ID instead")
    if scheme.lower() not in ("http", "https") or not re.fullmatch(_HOST, host, re.ASCII):
        raise ValueError(f"{text!r} is not a host, host:port or http(s)://host:port")
    return f"{scheme.lower()}://{host}"


def http(text: str) -> HttpAddress:
    """Read `host:port`; `:port` and `*:port` are all addresses."""
    host, _, number = text.rpartition(":")
    try:
        return HttpAddress(host="" if host == "*" else host.strip("[]"), port=port(number))
    except ValueError:
        raise ValueError(f"{text!r} is not host:port") from None


def port(text: str) -> int:
    """Read a TCP port."""
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and 0 < int(text) < 65536:  # noqa: PLR2004 (TCP)
        return int(text)
    raise ValueError(f"{text!r} is not a port (1 to 65535)")


def grace(text: str) -> float:
    """Read a stop grace, in seconds."""
    if (seconds := units.duration(text)) < 5:  # noqa: PLR2004 (rule stop-ladder)
        raise ValueError(f"{text!r} is too short: the minimum is 5s")
    return seconds


def patience(text: str) -> float:
    """Read how long a stop waits for the bucket, in seconds."""
    return units.duration(text)


def lease(text: str) -> float:
    """Read a lease, in seconds."""
    if not 1 <= (seconds := units.duration(text)) <= _LONGEST_LEASE_S:
        raise ValueError(f"{text!r} is not between 1s and 10m")
    return seconds


def timeout(text: str) -> int:
    """Read an archive_timeout, in whole seconds."""
    if not 1 <= (seconds := units.duration(text)) <= _DAY_S:
        raise ValueError(f"{text!r} is not between 1s and 1d")
    return round(seconds)


def absolute(text: str) -> Path:
    """Read an absolute path."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    return Path(text)


def word(text: str) -> str:
    """Read one word."""
    if len(text.split()) != 1:
        raise ValueError("it has a blank")
    return text


def unquoted(text: str) -> str:
    """Read one word that no quotes belong to: `docker run --env-file` keeps those around it."""
    if text[0] in "\"'" and text[0] == text[-1]:
        raise ValueError("it has quotes around it: write it without them")
    return word(text)


def names(text: str) -> tuple[str, ...]:
    """Read names between commas or spaces."""
    return tuple(part for part in text.replace(",", " ").split() if part)


def words(text: str) -> str:
    """Read arguments in a shell's quoting, and keep them as they are written."""
    try:
        shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"{text!r} cannot be split into arguments: {str(fault).lower()}") from None
    return text
