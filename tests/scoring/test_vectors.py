"""The content of ``metrics/``: MASSIE meets every vector, and its results hold what the metric cards say."""

from __future__ import annotations

from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from massie._content import content_folder
from massie.catalogue import metric_cards, read_yaml
from massie.results import rates
from massie.scoring import DIAGNOSTICS, SCORES
from massie.types import Task

VECTORS: list[dict[str, Any]] = read_yaml(content_folder("metrics") / "vectors.yaml")
BY_ID = {vector["id"]: vector for vector in VECTORS}
KEYS = {"id", "task", "about", "schemas", "gold", "prediction", "output", "text", "expect"}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_massie_meets_the_vector(vector: dict[str, Any], product: Any) -> None:
    assert scored(product, vector) == pytest.approx(vector["expect"], abs=1e-6)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_the_reference_meets_the_vector(vector: dict[str, Any], naive: ModuleType) -> None:
    assert scored(naive.score, vector) == pytest.approx(vector["expect"], abs=1e-6)


def test_vectors_are_well_formed() -> None:
    for vector in VECTORS:
        assert set(vector) <= KEYS, vector["id"]
        assert ("prediction" in vector) != ("output" in vector), f"{vector['id']}: needs a prediction or an output"
        assert ("text" in vector) == ("hallucinated" in vector["expect"]), vector["id"]
        assert vector["about"].strip(), f"{vector['id']}: about says which rule it pins"


def test_vector_ids_are_unique() -> None:
    assert len(BY_ID) == len(VECTORS)


def test_at_least_sixty_vectors_cover_the_five_tasks() -> None:
    assert len(VECTORS) >= 60
    number = Counter(vector["task"] for vector in VECTORS)
    assert set(number) == set(Task)
    assert min(number.values()) >= 5


@pytest.mark.parametrize(
    ("case", "lf1", "f1"),
    [("figure-2-boundaries", 63.9, 28.6), ("figure-2-types", 0.0, 0.0), ("figure-2-invalid", 0.0, 0.0)],
)
def test_the_paper_s_figure_2_is_reproduced(case: str, lf1: float, f1: float, product: Any) -> None:
    scores = scored(product, BY_ID[case])
    assert (round(100 * scores["lf1"], 1), round(100 * scores["f1"], 1)) == (lf1, f1)


def test_the_paper_s_printed_equation_gives_another_number_for_figure_2(product: Any) -> None:
    vector = BY_ID["figure-2-boundaries"]
    assert len(vector["schemas"]) == 3
    assert round(100 * product(*arguments(vector))["lf1_by_schema"], 1) == 58.2


def test_every_metric_card_validates_and_is_named_as_its_file() -> None:
    files = {path.stem for path in content_folder("metrics").glob("*.yaml")} - {"vectors"}
    assert set(metric_cards()) == files


def test_every_score_has_a_card() -> None:
    assert {name for name, card in metric_cards().items() if card.kind == "score"} == set(SCORES)


def test_every_diagnostic_card_is_a_rate_that_a_result_holds() -> None:
    counts: dict[str, int] = dict.fromkeys((*DIAGNOSTICS, "empty_predictions", "empty_gold"), 1)
    found = rates(counts, samples=2)
    assert {name for name, card in metric_cards().items() if card.kind == "diagnostic"} == set(found)


def test_one_score_alone_ranks() -> None:
    assert [name for name, card in metric_cards().items() if card.ranked] == ["lf1"]


def scored(scorer: Any, vector: dict[str, Any]) -> dict[str, Any]:
    """What the vector expects, as a scorer has it."""
    scores = scorer(*arguments(vector))
    return {name: scores[name] for name in vector["expect"]}


def arguments(vector: dict[str, Any]) -> tuple[Any, ...]:
    prediction = vector["output"] if "output" in vector else vector["prediction"]
    return vector["task"], vector["schemas"], vector["gold"], prediction, vector.get("text")
