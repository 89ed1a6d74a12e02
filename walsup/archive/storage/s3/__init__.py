"""The client of an S3 server: what the archive's truth is read from and written with."""
