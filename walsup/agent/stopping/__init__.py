"""The end of a stop: a last push, and the check of what the bucket then has."""
