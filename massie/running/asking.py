"""Asking an adapter, which may do anything: every sample gets an answer or a failure, exactly once."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from massie.adapters import Adapter, check_prediction
from massie.adapters.loading import told
from massie.types import (
    AdapterError,
    EndpointError,
    Failure,
    MassieError,
    MissingExtraError,
    Prediction,
    PredictionsError,
    Sample,
    Usage,
)

BATCH = 256
"""Samples that an adapter gets at once."""
SILENT = "the adapter gave no answer to this sample"


def answers_of_stream(
    stream: Callable[[Iterable[Sample]], Iterator[Prediction]], samples: Iterator[Sample], in_flight: Collection[str]
) -> Generator[Prediction]:
    """What an adapter that takes a stream answers; raises AdapterError where it breaks off by a fault of its own."""
    try:
        for prediction in stream(samples):
            yield checked(prediction, in_flight)
    except MassieError:
        raise
    except (Exception, SystemExit) as error:  # the adapter may raise anything
        raise AdapterError(
            f"the adapter's stream raises {told(error)}; the answers so far are kept, the same command goes on"
        ) from error


def answers_in_batches(adapter: Adapter, samples: Iterator[Sample], batch: int) -> Generator[Prediction]:
    """What an adapter answers that takes so many samples at once."""
    while asked := list(islice(samples, batch)):
        yield from answers(adapter, asked)


def answers(adapter: Adapter, samples: Sequence[Sample]) -> Iterator[Prediction]:
    """An answer or a failure for each sample of a batch, exactly once.

    Where the batch breaks off, the samples that are left are asked one by one, so that only the one that is at fault
    fails.
    """
    left = {sample.id: sample for sample in samples}
    started = time.perf_counter()
    try:
        for prediction in adapter.predict(samples):
            answered = checked(prediction, left.keys())
            del left[answered.sample_id]
            now = time.perf_counter()
            yield _timed(answered, now - started)
            started = now
    except (EndpointError, MissingExtraError):
        raise  # no other sample could fare better
    except (AdapterError, PredictionsError) as error:
        failure = str(error)
    except (Exception, SystemExit):  # noqa: BLE001 (the adapter may raise anything)
        failure = traceback.format_exc(limit=-5)
    else:
        failure = SILENT
    if len(samples) == 1 or failure is SILENT:
        yield from (Prediction(sample_id, error=failure, failure=Failure.ADAPTER) for sample_id in left)
        return
    for sample in list(left.values()):
        yield from answers(adapter, [sample])


def checked(prediction: Prediction, left: Collection[str]) -> Prediction:
    """The prediction, if it answers a sample that is still open."""
    if not isinstance(prediction, Prediction):  # pyright: ignore[reportUnnecessaryIsInstance] (it is user code)
        raise AdapterError(f"predict yields {type(prediction).__name__}, not massie.Prediction")
    if prediction.sample_id not in left:
        raise AdapterError(f"predict answers {prediction.sample_id!r}, which was not asked or is already answered")
    try:
        check_prediction(prediction)
    except PredictionsError as error:
        return Prediction(prediction.sample_id, error=str(error), failure=Failure.ADAPTER)
    return prediction


def _timed(prediction: Prediction, seconds: float) -> Prediction:
    usage = prediction.usage or Usage()
    return prediction if usage.seconds is not None else replace(prediction, usage=replace(usage, seconds=seconds))
