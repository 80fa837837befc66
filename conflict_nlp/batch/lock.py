"""One job at a time in a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from conflict_nlp.batch.errors import BatchError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder; the system lets it go with the process, however that ends.

    Raises:
        BatchError: another process holds it, or the folder cannot be written to or locked.
    """
    path = folder / ".lock"
    try:
        file = path.open("a+b")
    except OSError as error:
        raise BatchError(f"{folder}: cannot be written to: {error.strerror or error}") from error
    with file:
        if not _lock(file):
            file.seek(0)
            holder = file.read(100).decode("utf-8", "replace").strip()
            raise BatchError(f"{folder}: another job ({holder or 'unknown'}) is writing there: wait for it, or name another folder")
        file.truncate(0)
        file.write(f"process {os.getpid()}".encode())
        file.flush()
        yield


def _lock(file: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise BatchError(f"{file.name}: its file system cannot lock files ({error.strerror or error}): name a folder on another one") from error
    return True
