"""Engines: what runs the many independent jobs of a build."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from enum import StrEnum
from multiprocessing import get_context
from typing import Any, TypeVar

from massie.types import BuildError, MassieError, MissingExtraError

Job = TypeVar("Job")
Result = TypeVar("Result")

_JOBS_EACH = 4
"""Fewer jobs for each worker than this, and starting workers takes longer than they save."""


class Engine(StrEnum):
    """Where jobs run."""

    LOCAL = "local"  # processes on this machine
    RAY = "ray"  # a Ray cluster whose machines share the build's folder


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    engine: Engine = Engine.LOCAL,
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield the results of all jobs, in any order.

    ``workers`` is how many processes run at once (None: as many as cores, or fewer where there are few jobs); with Ray
    the cluster decides. Raises MissingExtraError where the engine is not installed.
    """
    if engine is Engine.RAY:
        return _with_ray(function, jobs)
    number = workers or min(cores(), len(jobs) // _JOBS_EACH)
    return _with_processes(function, jobs, number) if number > 1 and len(jobs) > 1 else map(function, jobs)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _with_processes(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Generator[Result]:
    # "spawn": a fork of a process with threads, such as pyarrow's, may hang.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(function, job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool as error:
        raise BuildError(
            "a worker process was ended from outside, as systems do where memory is short; give the same command "
            "again with fewer --workers: it goes on where this one stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _with_ray(function: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[Result]:
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

    rows = ray.data.from_items([{"job": job} for job in jobs], override_num_blocks=max(1, len(jobs)))
    for row in rows.map(result).iter_rows():
        if row["error"]:
            raise row["error"]
        yield row["result"]
