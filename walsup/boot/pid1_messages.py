"""What prepare sends to PID 1, which shows some of it: in the state file, at the end of a start."""

from collections.abc import Callable

from walsup.redaction import redact_known

Send = Callable[[dict[str, object]], None]
_SHOWN = ("refused", "detail")


def without_secrets(send: Send) -> Send:
    """Return a `send` that cuts secrets from what PID 1 shows; launches go as they are."""

    def shown(message: dict[str, object]) -> None:
        words: dict[str, object] = {
            name: redact_known(str(message[name])) for name in _SHOWN if name in message
        }
        if isinstance(fault := message.get("fault"), list):
            words["fault"] = [redact_known(str(word)) for word in fault]
        send({**message, **words})

    return shown
