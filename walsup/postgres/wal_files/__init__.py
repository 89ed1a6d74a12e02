"""The files of pg_wal: segments, history files, files that wait for the archiver, the reserve."""
