"""Asking the archive whether it holds a cluster, before anything new is made (S11)."""

import time

from walsup import units
from walsup.archive.bucket import open_bucket
from walsup.archive.classify import classify
from walsup.archive.names import BACKUP_FOLDER, WAL_FOLDER
from walsup.boot import waiting
from walsup.boot.waiting import Send
from walsup.settings import Settings

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 10.0


def ask_archive(known: Settings, send: Send) -> str | None:
    """Give a key that shows a cluster, None after a listing that found none; waits for ever.

    Only a successful listing allows an initdb: 403, no bucket and silence do not (S11).
    """
    bucket = open_bucket(known)
    failures, told = 0, ""
    send({"detail": "waiting for the archive"})
    while True:
        try:
            found = bucket.first_key_now(BACKUP_FOLDER) or bucket.first_key_now(WAL_FOLDER) or None
        except Exception as raised:  # noqa: BLE001 (any failure is no answer)
            fault = classify(raised)
        else:
            send({"detail": ""})
            return found
        failures += 1
        told = waiting.tell(send, fault, told)
        time.sleep(units.backoff(failures, _FIRST_RETRY_S, _LONGEST_RETRY_S))
