"""The engine that transfers the bytes: WAL-G or WAL-RUS, behind one adapter."""
