"""The settings of a start with their secrets as they are now; nothing else changes in a run."""

from types import MappingProxyType

from walsup.settings.schema import Settings, declared, is_secret, with_fields

_KEYS = ("access_key_id", "secret_access_key", "session_token")


def renewed(known: Settings, again: Settings) -> Settings:
    """Return `known` with the secrets that `again` has; what `again` lacks stays as it was.

    The bucket's keys change together: permanent keys have no session token.
    """
    changed: dict[str, object] = {
        row.field: secret
        for row in declared()
        if row.secret and row.field not in _KEYS and (secret := getattr(again, row.field))
    }
    if again.access_key_id and again.secret_access_key:
        changed |= {field: getattr(again, field) for field in _KEYS}
    engines = {name: text for name, text in again.passed_on.items() if is_secret(name)}
    changed["passed_on"] = MappingProxyType({**known.passed_on, **engines})
    if again.source and again.restore_from == known.restore_from:
        changed["source"] = renewed(known.source or again.source, again.source)
        changed["source_faults"] = ()
    return with_fields(known, changed)
