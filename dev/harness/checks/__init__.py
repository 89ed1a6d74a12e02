"""What is looked at: the status, the archive, the rows, and the words for a fault."""
