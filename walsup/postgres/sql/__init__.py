"""walsup's sessions in the database: connections, their settings, parts of statements."""
