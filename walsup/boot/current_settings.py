"""The settings of a start that may wait for hours: each wait reads the secrets again."""

import time
from collections.abc import Callable, Mapping

from walsup import log, settings
from walsup.errors import WalsupError
from walsup.settings import ArchiveUrl, FileArchive, Settings
from walsup.settings.renewed import renewed

# Kubernetes swaps all files at once, other programs write one after the other.
_SETTLE_S = 0.5


class Current:
    """The settings of this start, with the secrets as their files have them now.

    `secrets`: every secret that this start has had; the list grows. `looks`: how often the files
    were read.
    """

    def __init__(self, known: Settings, environ: Mapping[str, str]) -> None:
        self.known = known
        self.secrets = list(known.secrets)
        self.looks = 0
        self._environ = environ
        self._wrong = ""
        self._rejected: Settings | None = None
        self._write: Callable[[], None] | None = None

    def move_archive(self, archive: ArchiveUrl | FileArchive | None) -> None:
        """Use the archive in another place from now on."""
        self.known = self.known._replace(archive=archive)

    def follow(self, write: Callable[[], None]) -> None:
        """Call `write` now and whenever a secret has changed, instead of an earlier `write`."""
        self._write = write
        write()

    def look(self, accepts: Callable[[Settings], bool] | None = None) -> bool:
        """Read the secrets again; return whether one has changed.

        Files that are missing or half written change nothing. `accepts` decides whether changed
        secrets are used.
        """
        self.looks += 1
        reloaded = self._read()
        if reloaded is None or reloaded in (self.known, self._rejected):
            return False
        time.sleep(_SETTLE_S)
        if reloaded != self._read():
            return False
        if accepts and not accepts(reloaded):
            self._rejected = reloaded
            return False
        self._rejected = None
        self.known = reloaded
        self.secrets += [text for text in reloaded.secrets if text not in self.secrets]
        log.info("settings.reloaded", changed=True)
        if self._write:
            self._write()
        return True

    def _read(self) -> Settings | None:
        try:
            again = settings.load(self._environ)
        except WalsupError as wrong:
            if wrong.problem != self._wrong:
                self._wrong = wrong.problem
                log.warning(
                    "settings.wrong",
                    problem=wrong.problem,
                    hint="the previous settings stay in use",
                )
            return None
        self._wrong = ""
        return renewed(self.known, again)
