"""The files of pg_wal: segments, history files, what waits for the archiver, the reserve."""
