"""Engines: what runs many independent jobs, the cells of a build or of a run to score."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from types import ModuleType
from typing import Any, Protocol, TypeVar

from massie.types import BuildError, MassieError, MissingExtraError

Job = TypeVar("Job")
Result = TypeVar("Result")


class Engine(StrEnum):
    """Where jobs run."""

    LOCAL = "local"  # processes on this machine
    RAY = "ray"  # a Ray cluster whose machines share the build's folder


class Runner(Protocol):
    """Runs jobs that are independent of one another."""

    def __call__(self, function: Callable[[Job], Result], jobs: Sequence[Job], /) -> Iterator[Result]:
        """Yield the results of all jobs, in any order."""
        ...


@contextmanager
def job_runner(engine: Engine = Engine.LOCAL, workers: int = 1) -> Generator[Runner]:
    """What runs jobs: this process, so many ``workers`` of this machine, or a Ray cluster, which has its own number.

    Raises MissingExtraError where the engine is not installed; a runner raises BuildError where a worker is killed.
    """
    if engine is Engine.RAY:
        yield _on_ray
    elif workers == 1:
        yield map
    else:
        # "spawn": a fork of a process with threads, such as pyarrow's, may hang.
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
        try:
            yield partial(_on_pool, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """Have a worker end when its parent does, even where that is killed: nobody else would end it."""
    parent = parent_process()
    if parent is not None:
        Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@contextmanager
def _no_main_module() -> Generator[None]:
    """Keep workers that start now from importing the caller's script, of which they need nothing.

    It would run once more: a script without the usual guard would build in each of its workers.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextmanager
def _one_thread_each() -> Generator[None]:
    """Have workers that start now make NumPy's products in one thread each, where the user does not say otherwise.

    By default each takes as many threads as there are cores, which get in one another's way: up to four times as long.
    """
    unset = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        yield
    finally:
        for name in unset:
            del os.environ[name]


def _on_pool(pool: ProcessPoolExecutor, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
    with _no_main_module(), _one_thread_each():
        done = as_completed([pool.submit(function, job) for job in jobs])  # who keeps the futures keeps all results
    try:
        for future in done:
            yield future.result()
    except BrokenProcessPool as error:
        raise BuildError(
            "a worker process was ended from outside, as systems do where memory is short; give the same command "
            "again with fewer --workers: what was built or answered is kept"
        ) from error


_BLOCKS = 16
"""Blocks of jobs for each processor of a cluster: a block costs Ray some hundredths of a second."""


def _on_ray(function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
    try:
        import ray as ray_module  # pyright: ignore
        import ray.data  # pyright: ignore
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "--engine ray") from error
    ray: Any = ray_module  # its types are partly unknown
    if not ray.is_initialized():
        ray.init(logging_level="ERROR", log_to_driver=False)  # RAY_ADDRESS names a cluster; else one starts here
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # the build has a progress bar of its own

    def result(row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": function(row["job"]), "error": None}
        except MassieError as error:  # Ray would wrap it in a traceback
            return {"result": None, "error": error}

    # Jobs come the largest first: dealt out, so that no block has many large ones.
    blocks = max(1, min(len(jobs), _BLOCKS * int(ray.cluster_resources().get("CPU", 1))))
    dealt = [{"job": job} for block in range(blocks) for job in jobs[block::blocks]]
    rows = ray.data.from_items(dealt, override_num_blocks=blocks)
    for row in rows.map(result).iter_rows():
        if row["error"]:
            raise row["error"]
        yield row["result"]
