"""Replicas on a real Ray cluster of two CPUs: what is stored is what one process stores, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from massie.adapters import Limits, ResponseCache, load_adapter
from massie.build import Benchmark
from massie.results.scores import score
from massie.running import Progress, Stopping, Store, replicas, run
from massie.running.on_ray import room_for, stream_on_ray
from massie.running.replicas import Replicas
from massie.types import (
    AdapterError,
    BuildError,
    EndpointError,
    Failure,
    MassieError,
    MissingExtraError,
    Prediction,
    RunError,
    Sample,
    Usage,
    UserError,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

SYSTEM = '''
import os
import time
from pathlib import Path

from massie.types import EndpointError, Prediction, SystemCard


class System:
    """Notes whom it asks what, in a folder, and does to some samples what its options say."""

    def __init__(self, folder, dies_once=None, dies=(), raises=None, waits=None, dies_at_loading=False):
        self.folder = Path(folder)
        self.dies_once, self.dies, self.raises, self.waits = dies_once, dies, raises, waits
        if dies_at_loading:
            os._exit(1)

    def describe(self):
        return SystemCard(name="system")

    def predict(self, samples):
        for sample in samples:
            with (self.folder / "asked").open("a") as file:
                file.write(f"{os.getpid()} {sample.id}\\n")
            self.meet(sample.id)
            record = {"entity": sample.text[:4], "entity_type": sample.schemas[0].name}
            yield Prediction(sample.id, records=[record])

    def meet(self, key):
        if key in self.dies:
            os._exit(1)
        if key == self.dies_once and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os._exit(1)
        if key == self.raises:
            raise ValueError("boom")
        if key == self.waits:
            deadline = time.monotonic() + 30
            while not (self.folder / "go on").exists():
                if time.monotonic() > deadline:
                    raise TimeoutError(key)
                time.sleep(0.01)


class Whole(System):
    """Answers when it has been through all samples that it was given."""

    def predict(self, samples):
        return list(super().predict(samples))


class Mark:
    """What can neither be sent nor stored."""

    def __repr__(self):
        return "a mark"

    def __reduce__(self):
        raise TypeError("cannot be sent")


class Marking(System):
    def predict(self, samples):
        for sample in samples:
            yield Prediction(sample.id, records=[{"entity": Mark()}])


class Streaming(System):
    def stream(self, samples, limits):
        yield from self.predict(samples)


class Refused(System):
    def stream(self, samples, limits):
        for number, prediction in enumerate(self.predict(samples)):
            if (self.folder / "go on").exists():
                raise EndpointError("the key was withdrawn")
            yield prediction
'''

Asks = Callable[..., Replicas]


@pytest.fixture(scope="module")
def cluster() -> Generator[Any]:
    ray: Any = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        yield ray
        ray.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "predictions.sqlite")


@pytest.fixture(scope="session")
def ids(part: Benchmark) -> list[str]:
    return [sample.id for sample in part.iter_samples()]


@pytest.fixture
def system(cluster: Any, part: Benchmark, tmp_path: Path) -> Asks:
    """Two replicas of a class of ``SYSTEM`` with options, each given six samples at once."""
    (tmp_path / "system.py").write_text(SYSTEM, encoding="utf-8")

    def system(name: str = "System", number: int = 2, **options: Any) -> Replicas:
        options["folder"] = str(tmp_path)
        return Replicas(f"{tmp_path}/system.py:{name}", options, part, number, batch=6, limits=Limits(batch=6))

    return system


def asked(folder: Path) -> Counter[str]:
    return Counter(line.split()[1] for line in (folder / "asked").read_text().splitlines())


def run_on_ray(spec: Replicas, store: Store, **more: Any) -> Progress:
    adapter = load_adapter("empty")  # the replicas answer in its place
    return run(adapter, spec.benchmark, store, stream=lambda samples: stream_on_ray(spec, samples), **more)


def without_times(store: Store) -> list[Prediction]:
    return [replace(one, usage=None) for one in store.predictions()]


@pytest.mark.parametrize("name", ["lexicon", "System", "Marking", "Streaming"])
def test_what_replicas_answer_is_what_one_process_answers(
    name: str, system: Asks, store: Store, part: Benchmark, tmp_path: Path
) -> None:
    spec = replace(system(), adapter="lexicon", options={}) if name == "lexicon" else system(name)
    local = Store(tmp_path / "local.sqlite")
    run(load_adapter(spec.adapter, spec.options), part, local)
    progress = run_on_ray(spec, store)
    assert without_times(store) == without_times(local)
    assert score(part, store.predictions()).rows == score(part, local.predictions()).rows
    assert (progress.done, progress.failed) == (progress.total, 0)
    assert all((one.usage or Usage()).seconds is not None for one in store.predictions()) == (name != "Streaming")


def test_answers_are_stored_as_they_come(system: Asks, store: Store, ids: list[str], tmp_path: Path) -> None:
    last_of_a_chunk = ids[6]  # the first sample goes alone
    stored: list[int] = []

    def report(now: Progress) -> None:
        if now.done == 6:
            stored.append(len(store.answered()))
            (tmp_path / "go on").touch()

    run_on_ray(system(number=1, waits=last_of_a_chunk), store, report=report)
    assert stored == [6]
    assert store.answered() == set(ids)


def test_samples_are_taken_as_replicas_have_room_for_them(system: Asks, part: Benchmark, ids: list[str]) -> None:
    taken: list[str] = []

    def samples() -> Iterator[Sample]:
        for sample in part.iter_samples():
            taken.append(sample.id)
            yield sample

    ahead: list[int] = []
    for number, _ in enumerate(stream_on_ray(system(number=1), samples())):
        ahead.append(len(taken) - number)
    assert ahead[0] == 1
    assert max(ahead) <= 12
    assert taken == ids


def test_a_replica_that_dies_costs_what_was_in_flight(
    system: Asks, store: Store, ids: list[str], tmp_path: Path
) -> None:
    progress = run_on_ray(system(dies_once=ids[9]), store)
    assert (store.answered(), progress.failed) == (set(ids), 0)
    again = {key: times for key, times in asked(tmp_path).items() if times > 1}
    assert again[ids[9]] == 2
    assert len(again) <= 6


def test_replicas_that_are_killed_cost_what_was_in_flight(
    system: Asks, store: Store, ids: list[str], tmp_path: Path
) -> None:
    killed: set[int] = set()
    before: set[str] = set()

    def report(now: Progress) -> None:
        processes = {int(line.split()[0]) for line in (tmp_path / "asked").read_text().splitlines()} if now.done else {}
        if len(processes) == 2 and not killed:
            before.update(store.answered())
            killed.update(processes)
            (tmp_path / "go on").touch()
            for process in killed:
                os.kill(process, signal.SIGKILL)

    progress = run_on_ray(system("Whole", waits=ids[8]), store, report=report)
    again = {key for key, times in asked(tmp_path).items() if times > 1}
    assert killed
    assert (store.answered(), progress.failed) == (set(ids), 0)
    assert not again & before
    assert len(again) <= 2 * 6


def test_a_sample_that_kills_its_replicas_fails_alone(
    system: Asks, store: Store, ids: list[str], tmp_path: Path
) -> None:
    progress = run_on_ray(system("Whole", number=1, dies=[ids[10]]), store)
    (failed,) = [one for one in store.predictions() if one.error]
    assert (failed.sample_id, failed.failure) == (ids[10], Failure.ADAPTER)
    assert (failed.error or "").startswith("3 replicas died of this sample, the last with nothing else in work: ")
    assert "\n" not in (failed.error or "")
    assert asked(tmp_path)[ids[10]] == 3
    assert (progress.done, progress.failed) == (len(ids) - 1, 1)


def test_a_sample_that_the_adapter_raises_on_fails_alone_with_its_traceback(
    system: Asks, store: Store, ids: list[str]
) -> None:
    run_on_ray(system(raises=ids[4]), store)
    assert store.answered() == set(ids) - {ids[4]}
    assert store.failed()[ids[4]].strip().endswith("ValueError: boom")
    assert "system.py" in store.failed()[ids[4]]


def test_a_stream_that_raises_ends_the_run_in_one_sentence(system: Asks, store: Store, ids: list[str]) -> None:
    ends_the_run(system("Streaming", raises=ids[4]), store, AdapterError, r"stream\(samples\) raises ValueError: boom")


def test_an_endpoint_that_cannot_be_used_ends_the_run_and_answers_are_kept(
    system: Asks, store: Store, tmp_path: Path
) -> None:
    def report(now: Progress) -> None:
        if now.done == 8:
            (tmp_path / "go on").touch()

    ends_the_run(system("Refused"), store, EndpointError, "^the key was withdrawn$", report=report)
    assert len(store.answered()) >= 8
    assert store.failed() == {}


def ends_the_run(spec: Replicas, store: Store, kind: type[MassieError], words: str, **more: Any) -> None:
    with pytest.raises(kind, match=words) as raised:
        run_on_ray(spec, store, **more)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)


def test_what_is_in_flight_when_someone_asks_to_stop_is_awaited(system: Asks, store: Store, ids: list[str]) -> None:
    stopping = Stopping(asked=lambda: store.number_answered() >= 5)
    progress = run_on_ray(system(number=1), store, stopping=stopping)
    assert progress.stopped == "interrupted"
    assert progress.failed == 0
    assert 5 <= progress.done == len(store.answered()) < len(ids)


def test_replicas_end_with_the_iterator_even_in_the_middle_of_a_sample(
    system: Asks, cluster: Any, part: Benchmark, ids: list[str], tmp_path: Path
) -> None:
    answers = stream_on_ray(system(number=1, waits=ids[3]), part.iter_samples())
    assert [next(answers).sample_id for _ in range(3)] == ids[:3]
    processes = [psutil.Process(int(line.split()[0])) for line in (tmp_path / "asked").read_text().splitlines()]
    assert processes
    answers.close()
    assert psutil.wait_procs(processes, timeout=20)[1] == []
    assert cluster.is_initialized()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            {"options": {"folder": ".", "colour": 1}},
            AdapterError,
            r"system.py:System: options: .*unexpected keyword argument 'colour'",
        ),
        ({"adapter": "nowhere.py:System"}, AdapterError, r"there is no file nowhere.py on .*Ray cluster must share it"),
        ({"gpus": 4, "replicas": 2}, RunError, r"2 replica\(s\) of 1 CPUs and 4 GPUs each asked for.* has room for 0"),
        ({"replicas": 3}, RunError, r"the Ray cluster has room for 2: 1 machine\(s\) with 2 CPUs and 0 GPUs in all"),
        ({"gpus": 1.5}, UserError, "a replica has a part of one GPU, or a whole number"),
        ({"limits": Limits(batch_folder=Path("batches"))}, UserError, "neither a --cache nor batch jobs"),
    ],
)
def test_replicas_that_cannot_be_are_one_clear_line_soon_and_nothing_is_asked(
    system: Asks, store: Store, change: dict[str, Any], kind: type[MassieError], words: str
) -> None:
    started = time.monotonic()
    ends_the_run(replace(system(), **change), store, kind, words)
    assert time.monotonic() - started < 20
    assert list(store.predictions()) == []


def test_a_cluster_that_others_use_is_told_after_some_patience(
    system: Asks, store: Store, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        def here(self) -> None: ...

    other = cluster.remote(num_cpus=2)(Other).remote()
    cluster.get(other.here.remote())
    monkeypatch.setattr(replicas, "_PATIENCE", 1.0)
    ends_the_run(system(), store, RunError, r"none found room in the Ray cluster within 1 s: others use it")
    cluster.kill(other)


def test_replicas_that_die_before_they_have_loaded_end_the_run(system: Asks, store: Store) -> None:
    words = "the replicas die before they have loaded the adapter, the last with: .*"
    ends_the_run(system(number=1, dies_at_loading=True), store, RunError, words)


def test_a_benchmark_folder_that_a_machine_lacks_is_told(system: Asks, store: Store, tmp_path: Path) -> None:
    spec = system()
    away = replace(spec.benchmark, folder=tmp_path / "away")
    with pytest.raises(BuildError, match=r"there is no folder .*away on .*; the machines of a Ray cluster must share"):
        list(stream_on_ray(replace(spec, benchmark=away), spec.benchmark.iter_samples()))


@pytest.mark.parametrize(
    ("cpus", "gpus", "machines", "room"),
    [
        (1, 0, [(2, 0)], 2),
        (2, 0, [(3, 0), (3, 0)], 2),  # what is left on two machines makes no third
        (1, 4, [(64, 6), (64, 8), (64, 0)], 3),
        (8, 1, [(16, 8)], 2),
        (0, 0.1, [(2, 1)], 10),
        (0, 0.1, [(2, 0.3)], 3),
        (0, 1, [(2, 0)], 0),
    ],
)
def test_a_replica_finds_its_room_on_one_machine(
    cpus: float, gpus: float, machines: list[tuple[float, float]], room: int, part: Benchmark
) -> None:
    resources = [{"CPU": has[0], **({"GPU": has[1]} if has[1] else {})} for has in machines]
    assert room_for(Replicas("lexicon", {}, part, cpus=cpus, gpus=gpus), resources) == room


def test_a_cache_is_refused(part: Benchmark, tmp_path: Path) -> None:
    limits = Limits(cache=ResponseCache(tmp_path / "cache"))
    with pytest.raises(UserError, match="neither a --cache nor batch jobs"):
        list(stream_on_ray(Replicas("lexicon", {}, part, limits=limits), part.iter_samples()))


def test_where_ray_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, part: Benchmark) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs the package 'ray': pip install 'massie\[ray\]'"):
        list(stream_on_ray(Replicas("lexicon", {}, part), part.iter_samples()))


SCRIPT = """
import ray
from massie.build import load_benchmark
from massie.running.on_ray import stream_on_ray
from massie.running.replicas import Replicas
from massie.types import MassieError

part = load_benchmark("m-demo", task="NER", language="eng").select(limit=3)
try:
    answers = list(stream_on_ray(Replicas("system.py:System", {"folder": "."}, part), part.iter_samples()))
    print(len(answers) == len(part.samples()), ray.is_initialized())
except MassieError as error:
    print(error)
"""


def printed(folder: Path, **environment: str) -> str:
    """What a process says that has no Ray yet."""
    (folder / "system.py").write_text(SYSTEM, encoding="utf-8")
    inherited = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**inherited, "RAY_USAGE_STATS_ENABLED": "0", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_ray_that_was_started_here_ends_here_and_relative_paths_are_seen_from_here(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    assert printed(tmp_path).split() == ["True", "False"]


@pytest.mark.parametrize(
    ("address", "why"), [("127.0.0.1:1", "Connection refused"), ("nonsense", "Invalid address format")]
)
def test_a_cluster_that_is_not_there_is_one_clear_line_soon(address: str, why: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    started = time.monotonic()
    (line,) = printed(tmp_path, RAY_ADDRESS=address).splitlines()
    assert line.startswith(f"Ray can neither be reached nor started (RAY_ADDRESS='{address}'): ")
    assert why in line
    assert time.monotonic() - started < 30
