"""The engine that carries the bytes: WAL-G or WAL-RUS, behind one adapter."""
