"""The places below an archive's prefix."""

WAL_FOLDER = "wal_005"
BACKUP_FOLDER = "basebackups_005"
# walsup's own. No key of walsup is below the engine's folders, and none has 24 hexadecimal digits
# in a row: such keys look like WAL to WAL-G's delete (rule archive-names).
OWNER_KEY = "walsup/owner.json"
CONDITIONS_KEY = "walsup/conditions"
AUDIT_KEY = "walsup/audit.json"
