"""Memory that a training frees stays with the process: given back, it costs a page fault for every 4 KB next time."""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt's names for them, in glibc's malloc.h


def keep_freed_memory() -> None:
    """Have glibc's malloc take large blocks from its heap too, and give nothing back; others do as they did."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
