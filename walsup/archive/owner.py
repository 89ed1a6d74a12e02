"""walsup/owner.json: who may write into this archive. Pure; the gate does the requests.

The lease (renewal, takeover, fencing) comes with S2's second half; its fields are here.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Self

from walsup.archive.names import OWNER_KEY

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner object.

    `timeline`, `lsn`: everything from the claim up to there was proven in the bucket.
    """

    system_id: int
    instance: str
    boot: str
    epoch: int
    timeline: int
    lsn: int
    state: str
    compression: str
    version: int = VERSION

    def to_json(self) -> bytes:
        """Give the object's content. The system identifier is text: JavaScript rounds 64 bits."""
        fields = asdict(self) | {"system_id": str(self.system_id)}
        return json.dumps(fields, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read one.

        Raises:
            ValueError: it is no owner object, or of a later version.
        """
        try:
            fields = json.loads(content)
            _check_version(int(fields["version"]))
            return cls(
                system_id=int(fields["system_id"]),
                instance=str(fields["instance"]),
                boot=str(fields["boot"]),
                epoch=int(fields["epoch"]),
                timeline=int(fields["timeline"]),
                lsn=int(fields["lsn"]),
                state=str(fields["state"]),
                compression=str(fields["compression"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as fault:
            raise ValueError(f"{OWNER_KEY} cannot be read: {fault}") from fault

    def next_boot(self, boot: str) -> Self:
        """Give what a new start of the same instance writes: its boot, the next epoch."""
        return replace(self, boot=boot, epoch=self.epoch + 1, state="running")


def _check_version(found: int) -> None:
    if found > VERSION:
        raise ValueError(f"its version is {found}, this walsup knows {VERSION}")
