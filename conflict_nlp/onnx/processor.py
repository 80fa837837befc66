"""What the processor can do that decides on the weights; without torch, which would take longer than the rest of a start."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def saturates() -> bool:
    """Whether it adds products of unsigned and signed bytes in 16 bits, where two of them may not fit, as x86 processors do before VNNI.

    Not known but on Linux, where it is taken not to.
    """
    if platform.machine() != "x86_64" or not CPUINFO.is_file():
        return False
    return "vnni" not in CPUINFO.read_text(encoding="utf-8", errors="replace")  # avx512_vnni or avx_vnni
