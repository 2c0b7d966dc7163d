"""Running a system: asks it for what has no answer yet, and stores each answer as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from massie.adapters import Adapter, Limits, Streaming, prepare
from massie.build import Benchmark
from massie.running.asking import BATCH, SILENT, answers_in_batches, answers_of_stream
from massie.running.pending import Pending
from massie.running.store import Store
from massie.types import Failure, Prediction, RunError, Sample, Usage

_HOPELESS = 50
"""So many samples that fail one after the other are nobody's fault but the system's: the run stops."""
_ROUNDING = 1 + 1e-9
"""Sums of dollars are that much off at most: ten answers of a cent are within ten cents."""


@dataclass(slots=True)
class Progress:
    """Where a run stands: samples in all, answered before and now, failed now; tokens of now, US dollars of all starts.

    ``done`` also counts what failed before for a lasting reason, and is not asked again. ``note`` is what the system
    says of where it stands. ``stopped`` says why the run ended before its last sample, where it did.
    """

    total: int
    done: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    note: str = ""
    stopped: str | None = None


@dataclass(slots=True)
class Stopping:
    """What ends a run before its last sample: someone who asks for it, or a budget.

    ``max_cost`` is in US dollars, ``price`` what the usage of an answer costs; ``spent`` is what all answers have cost,
    those of earlier starts too, ``dearest`` what the dearest one did. What is in flight counts as if each cost as much
    as that one: a run stops before it would spend more. It also stops where what an answer cost cannot be told.
    """

    asked: Callable[[], bool] = lambda: False
    price: Callable[[Usage], float | None] | None = None
    max_cost: float | None = None
    spent: float = 0.0
    dearest: float = 0.0
    unknown: bool = False

    def reason(self, in_flight: int) -> str | None:
        """Why no further sample is to be asked, if so."""
        if self.asked():
            return "interrupted"
        if self.max_cost is None:
            return None
        if self.unknown:
            return f"what an answer cost cannot be told from its usage, so --max-cost {self.max_cost:g} cannot be kept"
        if self.spent + (in_flight + 1) * self.dearest > self.max_cost * _ROUNDING:
            return f"the next answer could exceed --max-cost {self.max_cost:g}"
        return None

    def count(self, prediction: Prediction) -> None:
        """Count what an answer cost; one from the cache, and a failed one that states no tokens, cost nothing."""
        usage = prediction.usage or Usage()
        told = usage.input_tokens is not None and usage.output_tokens is not None
        if usage.requests != 0 and (told or prediction.error is None):
            self.pay(usage)

    def pay(self, usage: Usage) -> None:
        """Count what was asked for."""
        if self.price is None:
            return
        cost = self.price(usage)
        if cost is None:
            self.unknown = True
        else:
            self.spent += cost
            self.dearest = max(self.dearest, cost)


def run(
    adapter: Adapter,
    benchmark: Benchmark,
    store: Store,
    *,
    batch: int | None = None,
    limits: Limits | None = None,
    stopping: Stopping | None = None,
    retry_failed: bool = False,
    stream: Callable[[Iterable[Sample]], Iterator[Prediction]] | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Progress:
    """Answer every sample of the benchmark's selection that has no answer in the store.

    What the adapter raises on a sample is recorded as that sample's failure, and the run goes on; what failed before is
    asked again, with ``retry_failed`` also what failed for a lasting reason. ``stream`` answers in place of the adapter
    itself, where its replicas do that elsewhere. Memory is bounded by a part of a cell and what is in flight.

    Raises RunError where nothing but failures comes, EndpointError where an endpoint cannot be used, and AdapterError
    where an adapter that takes a stream breaks its contract.
    """
    pending = Pending(benchmark, store, retry_failed)
    left = pending.numbers()
    total = sum(benchmark.numbers().values())
    progress = Progress(total, done=total - sum(left.values()))
    if report:
        report(progress)
    if left:
        if stream is None:
            prepare(adapter, benchmark)
        if stream is None and isinstance(adapter, Streaming):
            limits = replace(limits or Limits(), report=partial(_noted, progress, report))
            stream = partial(_streamed, adapter, limits)
        samples = pending.samples(list(left), by_head=isinstance(adapter, Streaming))
        # In batch mode all was asked before the first answer comes, and failures come together.
        hopeless = _HOPELESS if limits is None or limits.batch_folder is None else total + 1
        session = _Session(store, progress, stopping or Stopping(), report, hopeless)
        asked = session.asked(samples)
        if stream is not None:
            session.keep(answers_of_stream(stream, asked, session.in_flight), to_the_end=True)
        else:
            session.keep(answers_in_batches(adapter, asked, batch or BATCH), to_the_end=False)
    return progress


def _noted(progress: Progress, report: Callable[[Progress], None] | None, note: str) -> None:
    progress.note = note
    if report:
        report(progress)


def _streamed(adapter: Streaming, limits: Limits, samples: Iterable[Sample]) -> Iterator[Prediction]:
    return adapter.stream(samples, limits)


class _Session:
    """One start of a run: what is in flight, what came, and when to stop."""

    def __init__(
        self,
        store: Store,
        progress: Progress,
        stopping: Stopping,
        report: Callable[[Progress], None] | None,
        hopeless: int,
    ) -> None:
        """After ``hopeless`` failures in a row the run stops."""
        self._hopeless = hopeless
        self._store = store
        self._progress = progress
        self._stopping = stopping
        self._report = report
        self.in_flight: set[str] = set()
        self._failed_in_a_row = 0
        self._started = time.time()
        self._clock = self._noted = time.monotonic()

    def asked(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples, as long as nothing says to stop."""
        for sample in samples:
            if (reason := self._stopping.reason(len(self.in_flight))) is not None:
                self._progress.stopped = reason
                return
            self.in_flight.add(sample.id)
            yield sample

    def keep(self, predictions: Generator[Prediction], *, to_the_end: bool) -> None:
        """Store the predictions as they come; when someone asks to stop, what is in flight too if ``to_the_end``.

        What gets no answer has failed, unless someone asked to stop: then it is left for the next start.
        """
        try:
            with closing(predictions):
                for prediction in predictions:
                    self._keep(prediction)
                    if not to_the_end and self._stopping.asked():
                        self._progress.stopped = "interrupted"
                        return
        finally:
            self._note_time()
        if self.in_flight and self._stopping.asked():
            self._progress.stopped = "interrupted"
            return
        for sample_id in list(self.in_flight):
            self._keep(Prediction(sample_id, error=SILENT, failure=Failure.ADAPTER))

    def _keep(self, prediction: Prediction) -> None:
        self._store.add(prediction)
        self.in_flight.discard(prediction.sample_id)
        self._count(prediction)
        if time.monotonic() - self._noted > 1:
            self._note_time()
        if self._report:
            self._report(self._progress)
        if self._failed_in_a_row >= self._hopeless:
            raise RunError(
                f"{self._hopeless} samples failed one after the other, the last with: {_last_line(prediction.error)}; "
                "the run was stopped and what is answered is kept: mend the cause and run the same command again"
            )

    def _count(self, prediction: Prediction) -> None:
        progress, usage = self._progress, prediction.usage or Usage()
        if prediction.error is None:
            progress.done += 1
            self._failed_in_a_row = 0
        else:
            progress.failed += 1
            self._failed_in_a_row += not (prediction.failure and prediction.failure.lasting)
        progress.input_tokens += usage.input_tokens or 0
        progress.output_tokens += usage.output_tokens or 0
        self._stopping.count(prediction)
        if self._stopping.price is not None:
            progress.cost = self._stopping.spent

    def _note_time(self) -> None:
        self._noted = time.monotonic()
        self._store.spent(self._started, self._noted - self._clock)


def _last_line(error: str | None) -> str:
    return ((error or "").strip().splitlines() or ["no reason was given"])[-1][:300]
