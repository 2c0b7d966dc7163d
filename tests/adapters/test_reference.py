from __future__ import annotations

import pytest

from massie.adapters import Prepared, load_adapter
from massie.build import Benchmark
from massie.results.scores import Scores, score
from massie.types import AdapterError, Sample


def scores_of(name: str, demo: Benchmark) -> Scores:
    adapter = load_adapter(name)
    if isinstance(adapter, Prepared):
        adapter.prepare(demo)
    return score(demo, adapter.predict([sample.without_gold() for sample in demo.iter_samples()]), replicates=20)


def test_gold_scores_exactly_100_at_every_level_and_every_score(demo: Benchmark) -> None:
    rows = scores_of("gold", demo).rows
    assert {row.level for row in rows} == {"overall", "task", "language", "family", "script", "dataset", "cell"}
    for row in rows:
        for name, interval in row.scores.items():
            assert (interval.value, interval.low, interval.high) == (100, 100, 100), (row.level, row.key, name)


def test_the_lf1_of_empty_is_the_share_of_empty_samples_of_every_cell(demo: Benchmark) -> None:
    found = {
        (row.task, row.key): row.scores["lf1"].value for row in scores_of("empty", demo).rows if row.level == "cell"
    }
    assert len(found) == len(demo.cells())
    for cell in demo.cells():
        samples = list(demo.cell_data(cell).samples())
        share = sum(not sample.gold for sample in samples) / len(samples)
        assert found[cell.task, f"{cell.dataset}/{cell.language}"] == pytest.approx(100 * share, abs=1e-3)


def test_gold_answers_samples_of_mixed_cells_and_splits(demo: Benchmark) -> None:
    adapter = load_adapter("gold")
    assert isinstance(adapter, Prepared)
    adapter.prepare(demo)
    mixed = [*demo.samples("dev")[::40], *demo.samples("test")[::40], *demo.samples("train")[::100]]
    answers = {one.sample_id: one.records for one in adapter.predict([sample.without_gold() for sample in mixed])}
    assert {key: len(records or ()) for key, records in answers.items()} == {s.id: len(s.gold or ()) for s in mixed}


def test_gold_says_that_it_must_be_prepared(samples: list[Sample]) -> None:
    with pytest.raises(AdapterError, match="needs the benchmark"):
        list(load_adapter("gold").predict(samples))
