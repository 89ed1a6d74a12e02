"""Where things lie below an archive's prefix."""

WAL_FOLDER = "wal_005"
BACKUP_FOLDER = "basebackups_005"
# Ours. No key of ours below the engine's folders, and none with 24 hexadecimal digits in a row:
# WAL-G's delete takes those for WAL (S6c).
OWNER_KEY = "walsup/owner.json"
CONDITIONS_KEY = "walsup/conditions"
AUDIT_KEY = "walsup/audit.json"
