"""An engine with a script in front of it, as a fault of the engine itself."""

from pathlib import Path

from dev.harness.processes.walsup import Walsup


def wrap_engine(one: Walsup, script: str) -> None:
    """Have this walsup find `script` as its engine; `{program}` in it stands for the real one."""
    folder = Path(one.environment["PATH"].partition(":")[0])
    wrapped = one.layout.base / "engines"
    wrapped.mkdir(mode=0o755)
    for other in folder.iterdir():
        if other.name != one.engine:
            (wrapped / other.name).symlink_to(other)
    program = wrapped / one.engine
    program.write_text(script.replace("{program}", str(folder / one.engine)))
    program.chmod(0o755)
    one.environment["PATH"] = f"{wrapped}:{one.environment['PATH']}"
