"""``--engine ray``: a system is run as replicas on a Ray cluster, and its answers come to this process."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from massie.running.replicas import Fleet, Replicas
from massie.types import MissingExtraError, Prediction, RunError, Sample, UserError

_ADDRESS = "RAY_ADDRESS"
_PATIENCE = 10.0
"""Seconds within which a cluster must take a connection."""


def stream_on_ray(spec: Replicas, samples: Iterable[Sample]) -> Iterator[Prediction]:
    """Answer the samples, in any order; they are taken as replicas have room for them.

    RAY_ADDRESS names a cluster, else one starts here and ends with the iterator. Relative paths are seen from this
    process's folder; they, the benchmark's folder and an adapter's file must be there on every machine. Once no more
    samples come, what is in flight is awaited; closing the iterator ends all replicas at once. Raises MissingExtraError
    without Ray, RunError where the replicas find no room or never start, and what ends a local run too.
    """
    if spec.limits.cache is not None or spec.limits.batch_folder is not None:
        raise UserError("--engine ray shares neither a --cache nor batch jobs between its replicas: leave them out")
    if spec.gpus > 1 and spec.gpus % 1:
        raise UserError(f"--gpus {spec.gpus:g}: a replica has a part of one GPU, or a whole number of them")
    with _cluster() as ray:
        _check_room(spec, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        fleet = Fleet(ray, spec, iter(samples))
        try:
            yield from fleet.answers()
        finally:
            fleet.end()


@contextmanager
def _cluster() -> Generator[Any]:
    """Ray, connected, and left as it was found."""
    try:
        import ray as ray_module  # pyright: ignore
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "--engine ray") from error
    ray: Any = ray_module  # its types are partly unknown
    if ray.is_initialized():
        yield ray
        return
    named = os.environ.get(_ADDRESS, "")
    try:
        _check_address(named)
        ray.init(logging_level="ERROR", log_to_driver=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(
            f"Ray can neither be reached nor started ({_ADDRESS}={named!r}): {reason}; start the cluster, or unset "
            f"{_ADDRESS} to have one here"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_address(named: str) -> None:
    """Raise OSError where nothing answers at HOST:PORT: Ray would wait for minutes."""
    host, _, port = named.rpartition(":")
    if port.isdigit() and "://" not in named:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


def room_for(spec: Replicas, machines: Sequence[Mapping[str, float]]) -> int:
    """How many such replicas machines with these resources could hold if nobody else used them; each is on one."""
    asked = {name: amount for name, amount in (("CPU", spec.cpus), ("GPU", spec.gpus)) if amount}
    if not asked:
        return spec.replicas
    return sum(min(int(has.get(name, 0) / amount + 1e-9) for name, amount in asked.items()) for has in machines)


def _check_room(spec: Replicas, machines: Sequence[Mapping[str, float]]) -> None:
    room = room_for(spec, machines)
    if room < spec.replicas:
        cpus, gpus = (sum(has.get(name, 0) for has in machines) for name in ("CPU", "GPU"))
        raise RunError(
            f"{spec} asked for, but the Ray cluster has room for {room}: {len(machines)} machine(s) with {cpus:g} CPUs "
            f"and {gpus:g} GPUs in all; ask for less (--replicas, --gpus) or name a larger cluster ({_ADDRESS})"
        )
