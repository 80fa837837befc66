"""What the engine ``ray`` runs on the cluster: an actor that labels chunks, and how chunks travel through Ray Data."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from conflict_nlp import __version__
from conflict_nlp.batch.engine import Chunk, Labelled
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.manifest import hash_model
from conflict_nlp.batch.worker import Seat, take_seat
from conflict_nlp.loading import first_line, locate

if TYPE_CHECKING:
    import pyarrow

    from conflict_nlp.batch.labeller import Labeller


@dataclass(frozen=True)
class Actors:
    """The workers: how many, the CPUs that each takes of its node, and whether it takes a GPU."""

    count: int
    cpus: int
    gpu: bool


@dataclass(frozen=True)
class Build:
    """What has to be the same on every node, or the parts would not be of one job."""

    version: str
    model_hash: str

    @classmethod
    def of(cls, labeller: Labeller) -> Build:
        """What is installed here.

        Raises:
            conflict_nlp.ModelError: the model is not here.
        """
        return cls(__version__, hash_model(locate(labeller.model)[0]))


@dataclass(frozen=True)
class Failure:
    """Why a worker gave up; travels in place of what it labelled, without Ray's account of where it happened."""

    reason: str


class Actor:
    """A worker: labels chunks with the model that it loads for the first, if that and the package are ``expected``."""

    def __init__(self, labeller: Labeller, actors: Actors, expected: Build) -> None:
        self.labeller = replace(labeller, device="cuda" if actors.gpu else "cpu")  # Ray shows an actor no GPU but its own
        self.expected = expected
        self._threads = actors.cpus
        self._ready = False

    def __call__(self, batch: pyarrow.Table) -> Iterator[pyarrow.Table]:
        """What each chunk of a batch became: :class:`Labelled`, or a :class:`Failure`."""
        for chunk in unpacked(batch):
            yield packed(self._label(chunk))

    def _label(self, chunk: Chunk) -> Labelled | Failure:
        try:
            if not self._ready:
                self._prepare()
            return self.labeller.label(chunk)
        except Exception as error:  # rows' errors are in what was labelled; this one every worker would meet
            return Failure(first_line(error))

    def _prepare(self) -> None:
        found = Build.of(self.labeller)
        if found.version != self.expected.version:
            raise BatchError(f"it has conflict-nlp {found.version}, the job {self.expected.version}: install the same on every node")
        if found.model_hash != self.expected.model_hash:
            raise BatchError("its model is another than the job's, by the hash of its files: put the same on every node")
        take_seat(Seat(self.labeller.device, self._threads, None))
        self._ready = True


def packed(content: Chunk | Labelled | Failure) -> pyarrow.Table:
    """A table of one row that holds this, since what Ray Data moves is rows."""
    import pyarrow

    return pyarrow.table({"packed": pyarrow.array([pickle.dumps(content)], pyarrow.large_binary())})


def unpacked(table: pyarrow.Table) -> Iterator[Any]:
    """What the rows of a table hold."""
    return (pickle.loads(content.as_buffer()) for content in table["packed"])
