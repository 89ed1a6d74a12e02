"""Which protocol answers in place of HTTP, by the first bytes. Pure."""

from walsup.archive.storage.s3.lines import CutOffError

_TLS = "TLS"
# Source: RFC 8446 (an alert, a handshake), 4253, 959 and 5321, 3501, 1939; Redis, MySQL's greeting.
_BEGINNINGS = (
    (b"\x15\x03", _TLS),
    (b"\x16\x03", _TLS),
    (b"SSH-", "SSH"),
    (b"220", "FTP or SMTP"),
    (b"* OK", "IMAP"),
    (b"+OK", "POP3"),
    (b"-ERR", "Redis's protocol"),
    (b"RFB ", "VNC"),
    (b"AMQP", "AMQP"),
    (b"\x00\x00", "HTTP/2"),
)


class OtherProtocolError(CutOffError):
    """The server speaks another protocol than HTTP."""

    def __init__(self, name: str) -> None:
        super().__init__(f"what answers there speaks {name}, not HTTP")
        self.is_tls = name == _TLS


def spoken(beginning: bytes) -> str:
    """Return the protocol that begins in this way, "" when it is not known."""
    return next((name for start, name in _BEGINNINGS if beginning.startswith(start)), "")
