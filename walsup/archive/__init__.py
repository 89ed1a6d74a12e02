"""The bucket: what is in it, who owns it, and the engine that fills it."""
