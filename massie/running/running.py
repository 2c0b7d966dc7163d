"""Running a system: asks it for what has no answer yet, and stores each answer as it comes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from massie.adapters import Adapter, check_prediction, prepare
from massie.build import Benchmark
from massie.running.store import Store
from massie.types import AdapterError, Cell, Prediction, PredictionsError, Sample, Usage

BATCH = 256


@dataclass(slots=True)
class Progress:
    """Where a run stands: samples in all, done before and now, failed now."""

    total: int
    done: int = 0
    failed: int = 0


_SILENT = "the adapter gave no answer to this sample"


def run(
    adapter: Adapter,
    benchmark: Benchmark,
    store: Store,
    *,
    batch: int = BATCH,
    report: Callable[[Progress], None] | None = None,
) -> Progress:
    """Answer every sample of the benchmark's selection that has no answer in the store.

    What the adapter raises on a sample is recorded as that sample's failure, and the run goes on. Memory is bounded by
    a cell and a batch.
    """
    answered = store.answered()
    progress = Progress(total=0)
    unfinished: list[Cell] = []
    for cell in benchmark.cells():
        ids = benchmark.sample_ids(cell)
        done = len(answered.intersection(ids))
        progress.total += len(ids)
        progress.done += done
        if done < len(ids):
            unfinished.append(cell)
    if report:
        report(progress)
    pending = (
        sample.without_gold()
        for cell in unfinished
        for sample in benchmark.cell_samples(cell)
        if sample.id not in answered
    )
    prepared = False
    while samples := list(islice(pending, batch)):
        if not prepared:
            prepare(adapter, benchmark)
            prepared = True
        for prediction in _answers(adapter, samples):
            store.add(prediction)
            progress.done += prediction.error is None
            progress.failed += prediction.error is not None
            if report:
                report(progress)
    return progress


def _answers(adapter: Adapter, samples: Sequence[Sample]) -> Iterator[Prediction]:
    """An answer or a failure for each sample of a batch, exactly once.

    Where the batch breaks off, the samples that are left are asked one by one, so that only the one that is at fault
    fails.
    """
    left = {sample.id: sample for sample in samples}
    started = time.perf_counter()
    try:
        for prediction in adapter.predict(samples):
            answered = _checked(prediction, left)
            now = time.perf_counter()
            yield _timed(answered, now - started)
            started = now
    except (AdapterError, PredictionsError) as error:
        failure = str(error)
    except (Exception, SystemExit):  # noqa: BLE001 (the adapter may raise anything)
        failure = traceback.format_exc(limit=-5)
    else:
        failure = _SILENT
    if len(samples) == 1 or failure is _SILENT:
        yield from (Prediction(sample_id, error=failure) for sample_id in left)
        return
    for sample in list(left.values()):
        yield from _answers(adapter, [sample])


def _checked(prediction: Prediction, left: dict[str, Sample]) -> Prediction:
    """The prediction, if it answers a sample that is still open; takes that off ``left``."""
    if not isinstance(prediction, Prediction):  # pyright: ignore[reportUnnecessaryIsInstance] (it is user code)
        raise AdapterError(f"predict yields {type(prediction).__name__}, not massie.Prediction")
    if left.pop(prediction.sample_id, None) is None:
        raise AdapterError(f"predict answers {prediction.sample_id!r}, which was not asked or is already answered")
    try:
        check_prediction(prediction)
    except PredictionsError as error:
        return Prediction(prediction.sample_id, error=str(error))
    return prediction


def _timed(prediction: Prediction, seconds: float) -> Prediction:
    usage = prediction.usage or Usage()
    return prediction if usage.seconds is not None else replace(prediction, usage=replace(usage, seconds=seconds))
