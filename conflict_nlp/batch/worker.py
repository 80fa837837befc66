"""A worker process: a labeller on one device, on cores of its own."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Lock

from conflict_nlp.batch.engine import Chunk, Labelled
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.labeller import Labeller
from conflict_nlp.loading import first_line


@dataclass(frozen=True)
class Seat:
    """Where a worker works: its device, the threads of its tensors' operations, and its cores (``None``: any)."""

    device: str
    threads: int
    cores: list[int] | None


def take_seat(seat: Seat) -> None:
    """Keep this process to its seat: threads of several workers on the same cores would wait for one another."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a text at a time is tokenized: threads have nothing to share
    if seat.cores and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, seat.cores)
    import torch

    torch.set_num_threads(seat.threads)


@dataclass(frozen=True)
class _Failure:
    """An exception in a worker, as its message: not every exception can be sent."""

    message: str


class Worker:
    """A process that labels chunks, the side of the job.

    Args:
        labeller: what the process calls.
        seat: where it works.
        threads: chunks that it has in hand at once.
    """

    def __init__(self, labeller: Labeller, seat: Seat, threads: int) -> None:
        context = get_context("spawn")  # torch does not survive a fork
        self.end, other = context.Pipe()
        self.in_hand = 0
        self._process = context.Process(target=_work, args=(labeller, seat, threads, other), daemon=True)
        self._process.start()
        other.close()  # so that the end of the process ends the connection

    def send(self, chunk: Chunk) -> None:
        """Have a chunk labelled.

        Raises:
            BatchError: the process is gone.
        """
        try:
            self.end.send(chunk)
        except OSError:
            raise self._gone() from None
        self.in_hand += 1

    def receive(self) -> Labelled:
        """A labelled chunk, as soon as there is one.

        Raises:
            BatchError: the process is gone, or labelling failed for another reason than the text.
        """
        try:
            answer = self.end.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(answer, _Failure):
            raise BatchError(answer.message)
        self.in_hand -= 1
        labelled: Labelled = answer
        return labelled

    def close(self) -> None:
        """End the process."""
        self.end.close()
        self._process.kill()
        self._process.join()

    def _gone(self) -> BatchError:
        self._process.join(5)
        code = self._process.exitcode
        why = "killed, by the system for its memory perhaps: fewer --workers need less" if code == -getattr(signal, "SIGKILL", 9) else f"exit code {code}"
        return BatchError(f"a worker process ended ({why})")


def _work(labeller: Labeller, seat: Seat, threads: int, end: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # they may come to all processes of a job, which decides when to stop
        signal.signal(number, signal.SIG_IGN)
    take_seat(seat)
    sending = Lock()

    def answer(chunk: Chunk) -> None:
        try:
            found: Labelled | _Failure = labeller.label(chunk)
        except BaseException as error:  # a panic in a library of another language is no Exception
            found = _Failure(first_line(error))
        try:
            with sending:
                end.send(found)
        except BaseException:  # the job would wait for the answer: let it see that there is none
            os._exit(1)

    pool = ThreadPoolExecutor(threads)
    with suppress(EOFError, OSError):
        while True:
            pool.submit(answer, end.recv())
    os._exit(0)  # the job is gone or done: what is in hand is nobody's
