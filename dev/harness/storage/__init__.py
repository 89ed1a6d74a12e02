"""Where an archive may lie: S3 servers, their keys and rights, and their certificates."""
