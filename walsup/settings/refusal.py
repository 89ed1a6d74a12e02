"""What is said of settings that are wrong: all of it at once."""

from collections.abc import Sequence

from walsup.errors import ContractError, SettingsError

BOTH_SET = " are both set: keep one of them"


def refusal(faults: Sequence[str]) -> SettingsError | ContractError:
    """Return the refusal of these faults, a line each."""
    return (ContractError if all(map(_is_contracts, faults)) else SettingsError)(
        f"{len(faults)} of the settings are wrong:\n" + "\n".join(f"  {f}" for f in faults),
        hint="correct the container's environment; docs/reference/settings.md lists all settings",
    )


def _is_contracts(fault: str) -> bool:
    return fault.startswith("POSTGRES_") and fault.endswith(BOTH_SET)
