"""A walsup in a root file system of its own, as a container has it; needs root."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.harness.processes.machine import PYTHON, ROOT, Machine
from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server

# The machine's own root, read only as far as the machine is concerned, and what is mounted in it.
_ENTER = """
set -e
room=$1
shift
mount -t tmpfs none "$room"
mkdir "$room/upper" "$room/work" "$room/root"
mount -t overlay -o "lowerdir=/,upperdir=$room/upper,workdir=$room/work" overlay "$room/root"
for system in proc sys dev tmp; do
    mount --rbind "/$system" "$room/root/$system"
done
while [ "$1" != -- ]; do
    mkdir -p "$room/root$1"
    mount --bind "$2" "$room/root$1"
    shift 2
done
shift
exec chroot "$room/root" "$@"
"""


class Pod(Walsup):
    """One container of a manifest: its environment, its arguments, its mounts.

    Of its own it has what tells it from others on this machine: run directory, ports, programs.
    """

    def __init__(  # noqa: PLR0913 (what a manifest says)
        self,
        machine: Machine,
        *,
        env: Mapping[str, str],
        args: Sequence[str] = (),
        volume: str = "",
        engine: str | None = None,
        s3: S3Server | None = None,
    ) -> None:
        """`volume`: where its volume is mounted, whose content is `layout.volume`."""
        super().__init__(machine, engine=engine, s3=None, args=args)
        self.s3 = s3
        for name in ("PGDATA", "POSTGRES_PASSWORD", "PG_BINDIR", "WALSUP_ENGINE"):
            del self.environment[name]
        self.environment |= {
            "PATH": f"{machine.bindir}:{machine.search_path(self.engine)}",
            "WALSUP_PYTHON": str(PYTHON),
            **env,
        }
        self.program = [str(ROOT / "entrypoint.sh")]
        self._room = self.layout.base / "room"
        self._room.mkdir()
        self._mounts: list[tuple[str, Path]] = []
        if volume:
            self.layout.volume.chmod(0o755)
            self.mount(volume, self.layout.volume)

    def mount(self, point: str, source: Path) -> Path:
        """Mount a directory of the machine at `point`; gives it."""
        source.mkdir(parents=True, exist_ok=True)
        self._mounts.append((point, source))
        words = [word for at, directory in self._mounts for word in (at, str(directory))]
        self.before = (
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "pod"),
            *(str(self._room), *words, "--"),
        )
        return source

    def files(self, point: str, content: Mapping[str, str], mode: int = 0o644) -> Path:
        """Mount a directory of files, as a Secret or a ConfigMap is mounted."""
        directory = self.mount(point, self.layout.base / point.strip("/").replace("/", "-"))
        for name, text in content.items():
            (directory / name).write_text(text)
            (directory / name).chmod(mode)
        return directory
