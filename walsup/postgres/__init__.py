"""PostgreSQL's files on disk and its answers over SQL, as values."""

MIN_SEGMENT_BYTES = 1 << 20
MAX_SEGMENT_BYTES = 1 << 30


def is_segment_size(size: int) -> bool:
    """Return whether `size` (bytes) is one that initdb --wal-segsize allows."""
    return MIN_SEGMENT_BYTES <= size <= MAX_SEGMENT_BYTES and size.bit_count() == 1
