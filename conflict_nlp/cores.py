"""The cores of the processor that are there for this process."""

from __future__ import annotations

import os


def cores() -> list[int]:
    """Their numbers; all of the machine's where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
