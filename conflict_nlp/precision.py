"""Which half precision a device computes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def half_of(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device computes in it, else float16 on a GPU; ``None`` for a CPU that would only be slower."""
    import torch

    if device.type == "cuda":  # one before Ampere only emulates bfloat16
        native = torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if native else torch.float16
    if device.type == "mps":
        return torch.float16
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # an older torch does not tell
    return torch.bfloat16 if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else None
