"""The bucket: its contents, its owner, and the engine that fills it."""
