"""The engine ``local``: this machine's GPUs or CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from conflict_nlp.batch.engine import Chunk, Labelled
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.labeller import Labeller
from conflict_nlp.batch.worker import Seat, Worker, take_seat
from conflict_nlp.cores import cores

CPU_WORKERS = 2  # faster than one with twice the threads: training/results/batch.json
IN_HAND = 2  # chunks a worker has: while the model reads one, the other is tokenized or assembled


@dataclass(frozen=True)
class Workers:
    """How many workers, on which devices, with how many threads each."""

    devices: tuple[str, ...]
    threads: int

    @classmethod
    def of(cls, device: str, workers: int | None, threads: int | None) -> Workers:
        """One worker a GPU, or on a CPU up to ``CPU_WORKERS`` that share the cores; what is given counts instead.

        Raises:
            BatchError: a number is below 1.
            conflict_nlp.ModelError: the device is not there.
        """
        for name, number in (("workers", workers), ("threads", threads)):
            if number is not None and number < 1:
                raise BatchError(f"--{name} is {number}, it has to be 1 or more")
        import torch

        from conflict_nlp.loading import resolve_device

        place = resolve_device(device)
        every = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if device in ("auto", "cuda") and place.type == "cuda" else [str(place)]
        workers = workers or (min(CPU_WORKERS, len(cores())) if place.type == "cpu" else len(every))
        return cls(tuple(every[i % len(every)] for i in range(workers)), threads or max(1, len(cores()) // workers))


class LocalEngine:
    """Labels chunks in this process, or in several of its own.

    Args:
        labeller: labels the chunks.
        workers: one works in this process, more in one each, on cores of their own where the system allows it.
    """

    def __init__(self, labeller: Labeller, workers: Workers) -> None:
        self.labeller = labeller
        self.workers = workers
        self._processes: list[Worker] = []
        self._pool: ThreadPoolExecutor | None = None

    def label(self, chunks: Iterator[Chunk]) -> Iterator[Labelled]:
        """See :class:`conflict_nlp.batch.engine.Engine`."""
        devices, threads = self.workers.devices, self.workers.threads
        if len(devices) == 1:
            take_seat(Seat(devices[0], threads, None))
            self._pool = ThreadPoolExecutor(IN_HAND)
            pool, labeller = self._pool, replace(self.labeller, device=devices[0])
            return _threads(lambda chunk: pool.submit(labeller.label, chunk), chunks)
        own = cores()
        pinned = [own[i * threads : (i + 1) * threads] if len(devices) * threads <= len(own) else None for i in range(len(devices))]
        seats = [Seat(device, threads, pinned[i]) for i, device in enumerate(devices)]
        self._processes = [Worker(replace(self.labeller, device=seat.device), seat, IN_HAND) for seat in seats]
        return _processes(self._processes, chunks)

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._processes:
            worker.close()


def _threads(submit: Callable[[Chunk], Future[Labelled]], chunks: Iterator[Chunk]) -> Iterator[Labelled]:
    pending: set[Future[Labelled]] = set()
    while True:
        while len(pending) < IN_HAND and (chunk := next(chunks, None)) is not None:
            pending.add(submit(chunk))
        if not pending:
            return
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()


def _processes(workers: list[Worker], chunks: Iterator[Chunk]) -> Iterator[Labelled]:
    from multiprocessing.connection import wait as wait_for

    by_end = {worker.end: worker for worker in workers}
    while True:
        for worker in sorted(workers, key=lambda w: w.in_hand):
            while worker.in_hand < IN_HAND and (chunk := next(chunks, None)) is not None:
                worker.send(chunk)
        busy = [worker.end for worker in workers if worker.in_hand]
        if not busy:
            return
        for end in wait_for(busy):
            yield by_end[end].receive()  # type: ignore[index]
