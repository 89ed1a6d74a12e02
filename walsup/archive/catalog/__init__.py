"""What an archive holds: listings, base backups, timelines, commit times."""
