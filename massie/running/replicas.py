"""Replicas of a system in a Ray cluster, where whatever dies costs only what was in flight.

Each is a Ray actor that loads the adapter, prepares it, and answers chunks of neighbouring samples, so that
those of equal prompt heads stay together. Every answer comes to this process as soon as it is there. Where a replica
dies (its process or its machine), another takes its place, and only what has no answer is asked again: the chunk that
it died in first in parts, then sample by sample, so that a sample that kills every replica fails alone.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from massie.adapters import Adapter, Limits, Streaming, load_adapter, prepare
from massie.adapters.loading import told
from massie.build import Benchmark
from massie.running.asking import BATCH, answers, checked
from massie.running.store import as_json
from massie.types import AdapterError, BuildError, Failure, MassieError, Prediction, RunError, Sample

_AHEAD = 2
"""Chunks that a replica is given at once: it need not wait for the next."""
_DEATHS = 3
"""So many replicas may die of a sample: in its chunk, in a part of that, and with nothing but it in work."""
_PATIENCE = 60.0
"""Seconds until one replica at least must have found room in a cluster that others may be using."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """A system, and the replicas of it that are to answer.

    Each has ``cpus`` and ``gpus`` of its own (a part of one GPU, or whole ones; with none it may see none) and keeps to
    ``limits`` by itself. A replica is given ``limits.batch`` samples at once where its adapter takes a stream, else
    ``batch`` (as many as in a local run), but for its first, which goes alone: what it costs is known before more is
    asked.
    """

    adapter: str
    options: Mapping[str, Any]
    benchmark: Benchmark
    replicas: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    batch: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __str__(self) -> str:
        return f"{self.replicas} replica(s) of {self.cpus:g} CPUs and {self.gpus:g} GPUs each"


class _Worker:
    """What runs in the cluster: one replica of the system."""

    def __init__(self, spec: Replicas, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._adapter: Adapter | None = None

    def load(self) -> int | MassieError:
        """Load and prepare the adapter; how many samples it is to get at once, or why it cannot answer any."""
        spec = self._spec
        with suppress(OSError):  # where the machine lacks the folder, what is missing of it is told below
            os.chdir(self._folder)
        try:
            _check_files(spec)
            self._adapter = load_adapter(spec.adapter, spec.options)
            prepare(self._adapter, spec.benchmark)
        except MassieError as error:
            return error
        return spec.limits.batch if isinstance(self._adapter, Streaming) else spec.batch or BATCH

    def answer(self, samples: Sequence[Sample]) -> Iterator[Prediction | MassieError]:
        """Answer a chunk; an error, which is the last then, is handed over as it is: Ray would wrap what is raised."""
        adapter = self._adapter
        assert adapter is not None, "load is called before"
        streams = isinstance(adapter, Streaming)
        try:
            for prediction in _streamed(adapter, samples, self._spec.limits) if streams else answers(adapter, samples):
                yield _portable(prediction)
        except MassieError as error:
            yield error


def _check_files(spec: Replicas) -> None:
    """Raise the error that says so where a machine lacks what all machines must have."""
    here, shared = platform.node(), "the machines of a Ray cluster must share it"
    place, colon, _ = spec.adapter.rpartition(":")
    if colon and place.endswith(".py") and not Path(place).is_file():
        raise AdapterError(f"{spec.adapter}: there is no file {place} on {here}; {shared}")
    if spec.benchmark.folder is not None and not spec.benchmark.folder.is_dir():
        raise BuildError(f"there is no folder {spec.benchmark.folder} on {here}; {shared}")


def _streamed(adapter: Streaming, samples: Sequence[Sample], limits: Limits) -> Iterator[Prediction]:
    left = {sample.id for sample in samples}
    try:
        for prediction in adapter.stream(samples, limits):
            answered = checked(prediction, left)
            left.remove(answered.sample_id)
            yield answered
    except MassieError:
        raise
    except (Exception, SystemExit) as error:  # the adapter may raise anything
        raise AdapterError(f"the adapter's stream(samples) raises {told(error)}") from error


def _portable(prediction: Prediction) -> Prediction:
    """The prediction with the records as they will be stored: objects of an adapter's own mean nothing elsewhere."""
    if prediction.records is None:
        return prediction
    return replace(prediction, records=json.loads(as_json(prediction.records)))


@dataclass(slots=True)
class _Chunk:
    """Samples that are asked together, by id; how many replicas died of them; where their answers come."""

    left: dict[str, Sample]
    deaths: int = 0
    answers: Any = None

    @classmethod
    def of(cls, samples: Iterable[Sample], deaths: int = 0) -> _Chunk:
        return cls({sample.id: sample for sample in samples}, deaths)


@dataclass(slots=True, eq=False)
class _Replica:
    """One replica as this process sees it.

    ``starting`` is what is awaited before it can be asked: that its process is there, and that it has loaded.
    """

    actor: Any
    starting: deque[Any]
    takes: int = 0
    proven: bool = False
    chunks: deque[_Chunk] = field(default_factory=deque[_Chunk])

    @property
    def there(self) -> bool:
        """Whether it has found room in the cluster."""
        return len(self.starting) < 2

    @property
    def awaited(self) -> Any:
        """Where the next news of it come from; None where it has nothing to do."""
        if self.starting:
            return self.starting[0]
        return self.chunks[0].answers if self.chunks else None

    def ask(self, chunk: _Chunk) -> None:
        """Give it a chunk, which it answers after those that it has."""
        chunk.answers = self.actor.answer.options(num_returns="streaming").remote(list(chunk.left.values()))
        self.chunks.append(chunk)


class Fleet:
    """All replicas of a run, and what they are asked."""

    def __init__(self, ray: Any, spec: Replicas, samples: Iterator[Sample]) -> None:
        self._ray = ray
        self._spec = spec
        self._samples = samples
        self._again: deque[_Chunk] = deque()
        self._replicas: list[_Replica] = []
        self._failed_starts = 0
        limits = replace(spec.limits, stopping=Limits().stopping)  # who asks to stop asks here
        self._sent = ray.put(replace(spec, limits=limits))
        self._actor = ray.remote(num_cpus=spec.cpus, num_gpus=spec.gpus)(_Worker)

    def answers(self) -> Iterator[Prediction]:
        """Answers as they come, until every sample has one."""
        for _ in range(self._spec.replicas):
            self._start()
        while True:
            self._hand_out()
            idle = not any(replica.chunks for replica in self._replicas)
            if idle and any(replica.takes for replica in self._replicas):
                return
            for replica in self._with_news():
                yield from self._news(replica)

    def end(self) -> None:
        """End all replicas, whatever they do."""
        for replica in self._replicas:
            self._ray.kill(replica.actor)

    def _start(self) -> None:
        actor = self._actor.remote(self._sent, Path.cwd())
        self._replicas.append(_Replica(actor, deque([actor.__ray_ready__.remote(), actor.load.remote()])))

    def _hand_out(self) -> None:
        """Give chunks to replicas that have room: one to each before any gets a second."""
        for ahead in range(_AHEAD):
            for replica in self._replicas:
                if replica.takes and len(replica.chunks) <= ahead and self._may_take(replica):
                    chunk = self._next(1 if not replica.proven else replica.takes)
                    if chunk.left:
                        replica.ask(chunk)

    def _may_take(self, replica: _Replica) -> bool:
        """Whether there is room: what a replica may die of is never asked together with anything else."""
        if not replica.chunks:
            return True
        suspect = replica.chunks[0].deaths or (self._again and self._again[0].deaths)
        return replica.proven and not suspect

    def _next(self, number: int) -> _Chunk:
        return self._again.popleft() if self._again else _Chunk.of(islice(self._samples, number))

    def _with_news(self) -> list[_Replica]:
        """The replicas that have something to tell, once there is one."""
        awaited = {replica.awaited: replica for replica in self._replicas if replica.awaited is not None}
        patience = None if any(replica.there for replica in self._replicas) else _PATIENCE
        if not self._ray.wait(list(awaited), timeout=patience)[0]:
            raise RunError(
                f"{self._spec} asked for, but none found room in the Ray cluster within {_PATIENCE:g} s: others use "
                "it, or machines were lost; what is answered is kept: run the same command again later, or ask for less"
            )
        ready, _ = self._ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[one] for one in ready]

    def _news(self, replica: _Replica) -> Iterator[Prediction]:
        """What a replica has to tell: that it is there or has loaded, an answer, the end of a chunk, or its death."""
        errors = self._ray.exceptions
        try:
            if replica.starting:
                self._go_on_starting(replica, self._ray.get(replica.starting[0]))
                return
            reference = next(replica.chunks[0].answers, None)
            news = None if reference is None else self._ray.get(reference)
        except errors.RayTaskError as error:
            raise RunError(f"a replica failed: {_last_line(error)}") from error
        except errors.RayError as error:
            yield from self._replace(replica, _last_line(error))
            return
        if isinstance(news, MassieError):
            raise news
        replica.proven = True
        if news is None:
            replica.chunks.popleft()
        else:
            replica.chunks[0].left.pop(news.sample_id, None)
            yield news

    def _go_on_starting(self, replica: _Replica, news: Any) -> None:
        replica.starting.popleft()
        if isinstance(news, MassieError):
            raise news
        if not replica.starting:
            replica.takes = news
            self._failed_starts = 0

    def _replace(self, replica: _Replica, cause: str) -> Iterator[Prediction]:
        """Put another in the place of a replica that died; what it had in work fails where it was too often so."""
        self._replicas.remove(replica)
        self._ray.kill(replica.actor)  # where it is only cut off, it must not go on
        if replica.starting:
            self._failed_starts += 1
            if self._failed_starts >= _DEATHS * self._spec.replicas:
                raise RunError(f"the replicas die before they have loaded the adapter, the last with: {cause}")
        unanswered = [chunk for chunk in replica.chunks if chunk.left]
        for chunk in unanswered[1:]:
            self._again.append(_Chunk(chunk.left))
        for chunk in unanswered[:1]:
            if chunk.deaths + 1 < _DEATHS:
                self._again.extend(_parts(chunk))
            else:
                why = f"{_DEATHS} replicas died of this sample, the last with nothing else in work: {cause}"
                yield from (Prediction(key, error=why, failure=Failure.ADAPTER) for key in chunk.left)
        self._start()


def _parts(chunk: _Chunk) -> Iterator[_Chunk]:
    """What a replica died of, to be asked again: in parts, and at last sample by sample.

    There are as many parts as each has samples: so few are asked again where a machine was lost and no sample is at
    fault, and so few one by one where one is.
    """
    samples = list(chunk.left.values())
    size = 1 if chunk.deaths + 1 == _DEATHS - 1 else math.isqrt(len(samples))
    for start in range(0, len(samples), size):
        yield _Chunk.of(samples[start : start + size], chunk.deaths + 1)


def _last_line(error: Exception) -> str:
    """What Ray says of a death, in one line, without its guesses."""
    return str(error).strip().splitlines()[-1].partition(" Some common causes")[0][:300]
