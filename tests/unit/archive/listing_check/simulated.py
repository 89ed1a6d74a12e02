"""An archive and its database in simulated time: uploads, base backups, promotions, retention."""

import json
import random
from collections.abc import AsyncIterator, Sequence

from walsup.archive.catalog.scope import Scope, Stamp
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.storage.bucket import Listed, Object
from walsup.postgres.wal import Segment, Switch

SIZE = 16 << 20
_PAGE = 200


class Store:
    """Objects by key, with the times of the bucket's clock, in whole seconds."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[Stamp, bytes]] = {}
        self.between_pages: list[str] = []  # keys that vanish while a listing is under way

    def put(self, key: str, at: float, size: int = 1000, content: bytes = b"") -> None:
        """Write an object."""
        self.objects[key] = (Stamp(size, float(int(at))), content)

    async def get(self, key: str) -> Object:
        """Read an object."""
        if key not in self.objects:
            raise FileNotFoundError(key)
        return Object(content=self.objects[key][1], etag="")

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """A part of it."""
        return (await self.get(key)).content[begin:][:size_bytes]

    async def tree(self, under: str, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """List everything below a folder, in pages that see what happens between them."""
        while True:
            keys = sorted(k for k in self.objects if k.startswith(f"{under}/") and k > after)
            if not keys:
                return
            yield [Listed(key, *self.objects[key][0]) for key in keys[:_PAGE]]
            after = keys[_PAGE - 1] if len(keys) >= _PAGE else keys[-1]
            for key in self.between_pages:
                self.objects.pop(key, None)
            self.between_pages.clear()


class Database:
    """Writes WAL and archives it as an engine does: in parallel, late, repeated after a failure."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.now = 1_000_000.0
        self.history: list[Switch] = []
        self.timeline = 1
        self.number = 1  # of the segment that is written
        self.verified: dict[str, Stamp] = {}
        self.backups: list[tuple[str, int]] = []

    @property
    def line(self) -> TimelineHistory:
        """The line of the timelines."""
        return TimelineHistory.of(self.timeline, self.history)

    def segment(self, number: int) -> Segment:
        """Give the segment with this number on the line."""
        return Segment(timeline=self.line.at(number, SIZE).timeline, number=number, size=SIZE)

    def write(self, segments: int, *, takes_s: float) -> None:
        """Fill segments within so long; all are archived at the end, not in their order."""
        for _ in range(segments):
            late_s = self.chance.choice((0.2, 0.5, 1.0, 6.0))
            if self.chance.random() < 0.01:
                late_s = 600.0  # it failed, and is pushed again long after its successors
            name = self.segment(self.number).name
            self.store.put(f"wal_005/{name}.zst", self.now + late_s, self.chance.randint(600, 9000))
            self.verified[name] = self.store.objects[f"wal_005/{name}.zst"][0]
            self.number += 1
            self.now += takes_s / segments
        self.now += 1.0

    def back_up(self) -> None:
        """Take a base backup."""
        first = self.segment(self.number)
        below, finish = f"basebackups_005/base_{first.name}", first.start_lsn + SIZE + 100
        sizes = [self.chance.randint(10, 999) for _ in range(3)]
        for part, size in zip(("part_001", "part_002", "pg_control"), sizes, strict=True):
            self.store.put(f"{below}/tar_partitions/{part}.tar.zst", self.now, size)
        self.write(2, takes_s=20.0)
        listed: list[str] = []
        parts = {"TarFileSets": {"part_001.tar.zst": listed, "part_002.tar.zst": listed}}
        content = json.dumps(parts).encode()
        self.store.put(f"{below}/files_metadata.json", self.now, len(content), content)
        told = {"LSN": first.start_lsn + 40, "FinishLSN": finish, "SystemIdentifier": 7}
        content = json.dumps(told | {"CompressedSize": sum(sizes)}).encode()
        key = f"{below}_backup_stop_sentinel.json"
        self.store.put(key, self.now, len(content), content)
        self.backups.append((first.name, first.number))

    def promote(self) -> None:
        """Go on with a new timeline in the middle of a segment."""
        lsn = self.number * SIZE + 4242
        self.history.append(Switch(timeline=self.timeline, switch_lsn=lsn, reason=""))
        old = self.segment(self.number).name
        self.store.put(f"wal_005/{old}.partial.zst", self.now)
        self.timeline += 1
        self.store.put(f"wal_005/{self.timeline:08X}.history.zst", self.now, 100)
        self.back_up()

    def retain(self, backups: int, *, while_listed: bool) -> None:
        """Delete older base backups and the WAL before them, WAL first, as an operator does."""
        while len(self.backups) > backups:
            name, _ = self.backups.pop(0)
            until = self.backups[0][0]
            gone = [k for k in self.store.objects if k.startswith("wal_005/") and k[8:32] < until]
            gone = [k for k in gone if k[16:] and "history" not in k]
            gone += [k for k in self.store.objects if k.startswith(f"basebackups_005/base_{name}")]
            if while_listed:
                self.store.between_pages += gone
            else:
                for key in gone:
                    del self.store.objects[key]

    def scope(self, **remembered: object) -> Scope:
        """Give the question of a round now."""
        known = {**remembered.pop("known", {}), **self.verified}  # type: ignore[dict-item]
        return Scope(
            system_id=7,
            line=self.line,
            size=SIZE,
            head=self.number - 1,
            known=known,
            **remembered,  # type: ignore[arg-type]
        )
