"""The engine ``ray``: a job's chunks labelled on Ray Data, with one actor a GPU, or CPU actors where the cluster has no GPU.

The driver reads the input in order, as every engine's driver does (duplicate ids and what a chunk holds depend on all that came before), and keeps a
few chunks a worker on the way; the actors label them. What comes back is what the local engine gives.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from conflict_nlp.batch.engine import Chunk, Labelled
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.local import IN_HAND
from conflict_nlp.batch.ray_worker import Actor, Actors, Build, Failure, packed, unpacked
from conflict_nlp.loading import first_line

if TYPE_CHECKING:
    import pyarrow

    from conflict_nlp.batch.labeller import Labeller

KNOCK_SECONDS = 10.0


class RayEngine:
    """Labels chunks on a Ray cluster.

    A cluster that is named is joined; without one, Ray is started on this machine, for the time of the job. Where Ray runs in this process already
    (a notebook), it is used and left running.

    Args:
        labeller: labels the chunks; its model has to be on every node under the same name.
        workers: actors; ``None`` for one a GPU, or, where there is none or the labeller's device is ``cpu``, as many as the cluster's CPUs carry.
        address: of the cluster, as ``ray.init`` takes it; ``None`` for the environment's ``RAY_ADDRESS``.
        threads: CPUs an actor takes.

    Raises:
        BatchError: Ray is not installed, the cluster cannot be reached, or it has not as many GPUs or CPUs as the workers need.
    """

    def __init__(self, labeller: Labeller, workers: int | None = None, address: str | None = None, threads: int = 1) -> None:
        if importlib.util.find_spec("ray") is None:
            raise BatchError('--engine ray needs Ray, which is not installed: pip install "conflict-nlp[ray]"')
        import ray

        self.labeller = labeller
        self._owned = not ray.is_initialized()
        if self._owned:
            connect(address or os.environ.get("RAY_ADDRESS"))
        try:
            self.actors = _actors(labeller.device, workers, threads)
        except BatchError:
            self.close()
            raise

    def label(self, chunks: Iterator[Chunk]) -> Iterator[Labelled]:
        """Each chunk labelled, in the order in which they are finished; two a worker and two more are on the way.

        A worker that dies is started again, and what it had is labelled by another.

        Raises:
            BatchError: a worker failed for good, or chunks were lost with a node; what was given before is good, and the job can be resumed.
        """
        from ray.util.queue import Queue

        queue = Queue(actor_options={"num_cpus": 0, **_this_node()})
        waiting: set[int] = set()

        def draw(count: int) -> None:
            for _ in range(count):
                chunk = next(chunks, None)
                queue.put(chunk)
                if chunk is None:
                    return
                waiting.add(chunk.number)

        try:
            draw(IN_HAND * self.actors.count + 2)
            if not waiting:
                return
            with _one_line():
                for batch in self._pipeline(queue).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                    for result in unpacked(batch):
                        if isinstance(result, Failure):
                            raise BatchError(f"a worker of the Ray cluster stopped: {result.reason}")
                        if result.chunk.number in waiting:  # a node that was lost may have done it before
                            waiting.remove(result.chunk.number)
                            yield result
                        draw(1)
            if waiting:
                raise BatchError(f"{len(waiting)} chunks were lost with a node of the cluster: give the same command again, it goes on with them")
        finally:
            with suppress(Exception):  # the cluster may be gone
                queue.shutdown(force=True)

    def close(self) -> None:
        """Leave the cluster, and stop it if it was started for the job."""
        import ray

        if self._owned:
            ray.shutdown()

    def _pipeline(self, queue: Any) -> Any:
        import ray.data

        source = ray.data.from_items([{"row": 0}])
        source.context.target_max_block_size = 1  # a chunk is a row, and each row goes on at once, as a block of its own
        source.context.enable_progress_bars = False
        drawn = source.map_batches(_drawn(queue), num_cpus=0, **_this_node())
        return drawn.map_batches(
            Actor,
            fn_constructor_args=(self.labeller, self.actors, Build.of(self.labeller)),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=self.actors.count),
            num_cpus=self.actors.cpus,
            num_gpus=1 if self.actors.gpu else None,
        )


def _drawn(queue: Any) -> Callable[[Any], Iterator[pyarrow.Table]]:
    def draw(_: Any) -> Iterator[pyarrow.Table]:
        while (chunk := queue.get()) is not None:
            yield packed(chunk)

    return draw


def connect(address: str | None) -> None:
    """Join a cluster, or start Ray on this machine.

    Raises:
        BatchError: it cannot be reached.
    """
    _knock(address or "")
    import ray
    import ray.data

    for name, level in (("ray.data", logging.WARNING), ("ray.data._internal.progress", logging.ERROR), ("ray.data.exceptions", logging.CRITICAL)):
        logging.getLogger(name).setLevel(level)  # the job has its own progress and one line for an error
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if address is None:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise BatchError(f"the Ray cluster {address or 'on this machine'} cannot be reached: {first_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():  # Ray takes the signals, by which a job is stopped
            for number, handler in before.items():
                signal.signal(number, handler)


def _knock(address: str) -> None:
    """Fail soon where nothing listens; Ray tries for minutes."""
    if match := re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address):
        try:
            socket.create_connection((match[1], int(match[2])), KNOCK_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise BatchError(f"the Ray cluster {address} cannot be reached: {first_line(error)}: check the address, or RAY_ADDRESS") from error


def _actors(device: str, count: int | None, threads: int) -> Actors:
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = 0 if device == "cpu" else sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus == 0 and device.startswith("cuda"):
        raise BatchError(f"the Ray cluster has no GPU, and the device is {device}: use auto or cpu")
    there = gpus or sum(int(node.get("CPU", 0)) // threads for node in nodes)
    what = "GPUs" if gpus else f"workers of {threads} CPUs" if threads > 1 else "CPUs"
    if there < (count or 1):
        raise BatchError(f"the Ray cluster has room for {there} {what}, not {count or 1}: give fewer --workers, or add nodes")
    return Actors(count or there, threads, bool(gpus))


def _this_node() -> dict[str, Any]:
    """The option that keeps something where the driver runs: what is drawn there is lost with no other node."""
    import ray

    return {"label_selector": {"ray.io/node-id": ray.get_runtime_context().get_node_id()}}


@contextmanager
def _one_line() -> Iterator[None]:
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause: BaseException = error
        while (inner := getattr(cause, "cause", None) or cause.__cause__) is not None and inner is not cause:
            cause = inner
        raise BatchError(f"the Ray cluster failed: {first_line(cause)}") from error
