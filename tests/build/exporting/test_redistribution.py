"""The licence gate: only what may be passed on is exported, unless the export is private."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from massie.build import Benchmark
from massie.build.exporting.exports import HF, JSONL, ExportPlan, export_to
from massie.build.exporting.redistribution import standings
from massie.catalogue import Access, Catalogue
from massie.types import BuildError, Split

FREE = {"spdx": "CC-BY-4.0", "redistributable": True}


def plan_of(benchmark: Benchmark, catalogue: Catalogue, *, private: bool = False, form: Any = JSONL) -> ExportPlan:
    return ExportPlan(benchmark, catalogue, form, tuple(Split), "massie export …", "2026-01-02T03:04:05Z", private)


@pytest.fixture
def gated(workshop: Any, line: Any) -> Any:
    """A workshop with one dataset that may be passed on and others that may not."""
    for dataset, said in {
        "open": {"licence": FREE},
        "noncommercial": {"licence": {"spdx": "CC-BY-NC-4.0"}},
        "unstated": {"licence": {"spdx": None, "note": "see <b>|</b> the README"}},
        "ldc": {"licence": FREE, "access": "LDC"},
        "asked": {"licence": FREE, "access": "on request"},
    }.items():
        workshop.dataset(dataset, [line(f"The Tana of {dataset}.", ("RIV", "Tana"))], **said)
    return workshop


def test_only_what_may_be_passed_on_is_exported_and_the_others_are_named(gated: Any, tmp_path: Path) -> None:
    made = export_to(tmp_path / "out", plan_of(Benchmark.of_build(gated.build()), gated.catalogue))
    assert [*made.datasets] == ["open"]
    assert made.redistributable
    assert made.left_out == {
        "asked": "CC-BY-4.0; access: on request",
        "ldc": "CC-BY-4.0; access: LDC",
        "noncommercial": "CC-BY-NC-4.0",
        "unstated": "see <b>|</b> the README",
    }
    lines = (tmp_path / "out" / "NER" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(each)["dataset"] for each in lines} == {"open"}
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "- noncommercial: CC-BY-NC-4.0\n" in readme


@pytest.mark.parametrize("form", [JSONL, HF], ids=lambda form: form.name)
def test_a_private_export_has_all_and_says_of_each_what_stands_against_passing_it_on(
    form: Any, gated: Any, tmp_path: Path
) -> None:
    plan = plan_of(Benchmark.of_build(gated.build()), gated.catalogue, private=True, form=form)
    made = export_to(tmp_path / "out", plan)
    assert {dataset: said.obstacle is None for dataset, said in made.datasets.items()} == {
        "asked": False, "ldc": False, "noncommercial": False, "open": True, "unstated": False,
    }  # fmt: skip
    assert made.left_out == {}
    assert made.redistributable is False
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| unstated | NER | swa | see &lt;b&gt;\\|&lt;/b&gt; the README | no | 1 |" in readme
    assert "<b>" not in readme


def test_where_nothing_may_be_passed_on_the_error_says_why_and_names_private(gated: Any, tmp_path: Path) -> None:
    benchmark = Benchmark.of_build(gated.build()).select(datasets=["ldc", "noncommercial"])
    with pytest.raises(BuildError, match=r"ldc \(.*access: LDC\), noncommercial \(CC-BY-NC-4\.0\); --private"):
        export_to(tmp_path / "out", plan_of(benchmark, gated.catalogue))
    assert not (tmp_path / "out").exists()


def test_a_card_that_became_stricter_holds_for_builds_made_before(gated: Any, line: Any) -> None:
    benchmark = Benchmark.of_build(gated.build())
    gated.dataset("open", [], licence={"spdx": "CC-BY-NC-4.0"})
    (standing,) = standings(benchmark.manifest, ["open"], gated.catalogue)
    assert standing.obstacle == "CC-BY-NC-4.0, by its card of today"


def test_a_card_that_became_laxer_does_not_free_builds_made_before(gated: Any) -> None:
    benchmark = Benchmark.of_build(gated.build())
    gated.dataset("noncommercial", [], licence=FREE)
    (standing,) = standings(benchmark.manifest, ["noncommercial"], gated.catalogue)
    assert standing.obstacle == "CC-BY-NC-4.0"


def test_a_dataset_whose_card_is_not_at_hand_is_not_passed_on(gated: Any) -> None:
    (standing,) = standings(Benchmark.of_build(gated.build()).manifest, ["open"], Catalogue.default())
    assert "its card is not at hand" in str(standing.obstacle)


def test_no_card_of_the_catalogue_marks_data_on_request_as_redistributable() -> None:
    for card in Catalogue.default().cards():
        assert not (card.licence.redistributable and card.access in (Access.LDC, Access.ON_REQUEST)), card.id
