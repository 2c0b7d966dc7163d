"""The content of ``metrics/``: MASSIE meets every vector, and its results hold what the metric cards say."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from massie._content import content_folder
from massie.catalogue import Vector, conformance_vectors, metric_cards
from massie.results import rates
from massie.scoring import DIAGNOSTICS, SCORES
from massie.scoring.text_overlap import TEXT_OVERLAP

VECTORS = conformance_vectors()
BY_ID = {vector.id: vector for vector in VECTORS}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
def test_massie_meets_the_vector(vector: Vector, product: Any) -> None:
    assert scored(product, vector) == pytest.approx(vector.expect.pinned(), abs=1e-6)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
def test_the_reference_meets_the_vector(vector: Vector, naive: ModuleType) -> None:
    assert scored(naive.score, vector) == pytest.approx(vector.expect.pinned(), abs=1e-6)


@pytest.mark.parametrize(
    ("case", "lf1", "f1"),
    [("figure-2-boundaries", 63.9, 28.6), ("figure-2-types", 0.0, 0.0), ("figure-2-invalid", 0.0, 0.0)],
)
def test_the_paper_s_figure_2_is_reproduced(case: str, lf1: float, f1: float, product: Any) -> None:
    scores = scored(product, BY_ID[case])
    assert (round(100 * scores["lf1"], 1), round(100 * scores["f1"], 1)) == (lf1, f1)


def test_the_paper_s_printed_equation_gives_another_number_for_figure_2(product: Any) -> None:
    vector = BY_ID["figure-2-boundaries"]
    assert len(vector.schemas) == 3
    assert round(100 * product(*arguments(vector))["lf1_by_schema"], 1) == 58.2


@pytest.mark.parametrize("name", ["product", "naive"])
def test_ten_thousand_levels_of_brackets_are_an_invalid_structure(name: str, request: pytest.FixtureRequest) -> None:
    scorer = request.getfixturevalue(name)
    score = scorer if name == "product" else scorer.score
    scores = score("NER", ["person"], [], "[" * 10_000 + "]" * 10_000)
    assert (scores["invalid"], scores["lf1"]) == (True, 0)


def test_every_metric_card_validates_and_is_named_as_its_file() -> None:
    files = {path.stem for path in content_folder("metrics").glob("*.yaml")} - {"vectors"}
    assert set(metric_cards()) == files


def test_every_score_has_a_card() -> None:
    scores = {name: card.on_request for name, card in metric_cards().items() if card.kind == "score"}
    assert scores == dict.fromkeys(SCORES, False) | dict.fromkeys(TEXT_OVERLAP, True)


def test_every_diagnostic_card_is_a_rate_that_a_result_holds() -> None:
    counts: dict[str, int] = dict.fromkeys((*DIAGNOSTICS, "empty_predictions", "empty_gold"), 1)
    found = rates(counts, samples=2)
    assert {name for name, card in metric_cards().items() if card.kind == "diagnostic"} == set(found)


def test_one_score_alone_ranks() -> None:
    assert [name for name, card in metric_cards().items() if card.ranked] == ["lf1"]


def scored(scorer: Any, vector: Vector) -> dict[str, Any]:
    """What the vector expects, as a scorer has it."""
    scores = scorer(*arguments(vector))
    return {name: scores[name] for name in vector.expect.pinned()}


def arguments(vector: Vector) -> tuple[Any, ...]:
    told = vector.question()
    prediction = told["output"] if "output" in told else told["prediction"]
    return told["task"], told["schemas"], told["gold"], prediction, told.get("text")
