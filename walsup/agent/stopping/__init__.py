"""What the end of a stop is made of: a last push, and what the bucket then has."""
