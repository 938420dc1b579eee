"""Peak memory of this process."""

import re
import resource
from pathlib import Path

FORGET = Path("/proc/self/clear_refs")  # Linux only: writing "5" there resets the peak


def peak_mb() -> float:
    """In megabytes. Linux's own file comes first: getrusage's peak of a new process starts at its parent's peak."""
    status = Path("/proc/self/status")
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="ascii"))):
        return int(peak[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # in bytes on a Mac
