"""Where things lie below an archive's prefix."""

WAL_FOLDER = "wal_005"
BACKUP_FOLDER = "basebackups_005"
# Ours. No key of ours below the engine's folders, and none with 24 hexadecimal digits in a row:
# they look like WAL to WAL-G's delete (rule archive-names).
OWNER_KEY = "walsup/owner.json"
CONDITIONS_KEY = "walsup/conditions"
AUDIT_KEY = "walsup/audit.json"
