"""Linux and the processes of this container: nothing here knows PostgreSQL or an archive."""
