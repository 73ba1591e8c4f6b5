"""How many processors this process may use."""

import os


def usable_processors() -> int:
    """Return the processors that this process may run on: those of the machine where the system knows no affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
