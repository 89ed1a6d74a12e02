"""What is wrong with settings although each of them can be read."""
