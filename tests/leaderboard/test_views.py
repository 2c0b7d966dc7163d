from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from massie._content import content_folder

Publish = Callable[..., Path]

PAGES = ("overview", "languages", "system", "status")
HOSTILE_NAME = "<script>alert(1)</script> [a](javascript:alert(1)) ![i](https://example.org/i.png) $x$ :red[r] `c`"


def opened(page: str, **address: str | list[str]) -> AppTest:
    """A page after its first run, opened at an address."""
    app = AppTest.from_string(f"from views import {page}\n{page}.page()", default_timeout=30)
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def systems(app: AppTest, table: int = 0) -> list[str]:
    return list(app.dataframe[table].value["System"])


def said(app: AppTest) -> str:
    """All text of the page that is not in a table."""
    kinds = (app.title, app.subheader, app.caption, app.text, app.info, app.warning, app.markdown)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.fixture
def three(publish: Publish) -> None:
    """Three results: the first two rank, the third is partial and would win."""
    publish("strong", 60.0, 1.0, system={"parameters": 8_000_000_000, "open_weights": True, "prompt": "zero-shot"})
    publish("weak", 40.0, 1.0, system={"kind": "encoder", "parameters": 300_000_000, "open_weights": False})
    publish("partial", 90.0, 1.0, partial=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(three: None, page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert not app.error
    assert app.title


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_any_result(runs: Path, page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert page == "status" or "no results yet" in said(app)


def test_the_application_opens_on_the_overview(three: None) -> None:
    app = AppTest.from_file(content_folder("leaderboard") / "app.py", default_timeout=30).run()
    assert not app.exception
    assert app.title[0].value == "MASSIE leaderboard"


@pytest.mark.parametrize("page", PAGES)
def test_hostile_texts_are_only_ever_shown_as_text(publish: Publish, page: str) -> None:
    publish("other", 70.0)
    publish(
        HOSTILE_NAME,
        60.0,
        folder="hostile",
        system=dict.fromkeys(("model", "organisation", "licence", "prompt", "url", "description"), HOSTILE_NAME),
        command=HOSTILE_NAME,
        options={HOSTILE_NAME: HOSTILE_NAME},
        adapter=HOSTILE_NAME,
        benchmark={"id": HOSTILE_NAME, "languages": [HOSTILE_NAME]},
    )
    app = opened(page)
    assert not app.exception
    spoken = [
        element.value for kind in (app.title, app.subheader, app.caption, app.markdown, app.info) for element in kind
    ]
    assert not [text for text in spoken if "alert(1)" in str(text)]


# ---- Overview


def test_a_partial_result_stands_below_and_never_ranks(three: None) -> None:
    app = opened("overview")
    assert systems(app, 0) == ["strong", "weak"]
    assert list(app.dataframe[0].value["Rank"]) == [1, 2]
    assert systems(app, 1) == ["partial"]
    assert list(app.dataframe[1].value["Why"]) == ["partial"]


def test_the_score_can_be_switched_to_any_metric_card(three: None) -> None:
    app = opened("overview")
    app.selectbox(key="score").set_value("Micro F1").run()
    assert "Micro F1" in app.dataframe[0].value
    app.selectbox(key="score").set_value("Invalid").run()
    assert list(app.dataframe[0].value["Invalid"]) == [2.0, 2.0]


def test_a_score_that_no_result_has_is_not_offered(three: None) -> None:
    options = opened("overview").selectbox(key="score").options
    assert "F1" in options and "SacreBLEU" not in options


def test_a_score_that_some_result_has_is_offered(three: None, publish: Publish) -> None:
    scores = {name: {"value": 40, "low": 39, "high": 41} for name in ("lf1", "sacrebleu")}
    row = {"level": "overall", "task": None, "key": "overall", "instances": 10, "samples": 20, "diagnostics": {}}
    publish("with-overlap", rows=[row | {"scores": scores}])
    app = opened("overview", score="SacreBLEU")
    assert not app.exception
    assert systems(app)[0] == "with-overlap"


MICRO = {"aggregation": {"score": "micro_f1", "over": "datasets"}}


def test_systems_are_ranked_by_the_score_that_their_benchmark_goes_by(publish: Publish) -> None:
    scores = {"lf1": {"value": 40, "low": 39, "high": 41}, "micro_f1": {"value": 90, "low": 89, "high": 91}}
    counts = {"level": "overall", "task": None, "key": "overall", "instances": 1, "samples": 1, "diagnostics": {}}
    publish("by-lf1", 60.0, benchmark=MICRO)
    publish("by-micro-f1", benchmark=MICRO, rows=[counts | {"scores": scores}])
    app = opened("overview")
    assert app.selectbox(key="score").value == "Micro F1"
    assert systems(app) == ["by-micro-f1", "by-lf1"]
    assert "Overall Micro F1" in [metric.label for metric in opened("system").metric]


def test_the_benchmarks_score_comes_to_the_fore_when_another_benchmark_is_picked(three: None, publish: Publish) -> None:
    publish("other", benchmark={"id": "other", "manifest_digest": "1" * 64} | MICRO)
    app = opened("overview")
    assert app.selectbox(key="score").value == "LF1"
    m_demo, other = app.selectbox(key="benchmark").options
    app.selectbox(key="score").set_value("F1").run()
    app.selectbox(key="benchmark").set_value(other).run()
    assert app.selectbox(key="score").value == "Micro F1"
    app.selectbox(key="benchmark").set_value(m_demo).run()
    assert app.selectbox(key="score").value == "LF1"


def test_a_link_may_show_another_score_than_the_benchmarks(publish: Publish) -> None:
    publish("mine", benchmark=MICRO)
    assert opened("overview", score="F1").selectbox(key="score").value == "F1"


def test_a_language_recomputes_the_scores_and_keeps_every_system(three: None) -> None:
    app = opened("overview")
    app.selectbox(key="task").set_value("NER named entity recognition").run()
    app.selectbox(key="languages").set_value("Language: Swahili (swa)").run()
    table = app.dataframe[0].value
    assert dict(zip(table["System"], table["LF1"], strict=True)) == {"strong": 44.0, "weak": 24.0}
    assert systems(app, 1) == ["partial"]


def test_a_filter_hides_rows_says_so_and_keeps_the_ranks(three: None) -> None:
    app = opened("overview")
    app.multiselect(key="kind").set_value(["encoder"]).run()
    assert systems(app) == ["weak"]
    assert list(app.dataframe[0].value["Rank"]) == [2]
    assert "2 hidden by filters" in said(app)


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("size", "4B to 10B", ["strong"]),
        ("size", "under 1B", ["weak"]),
        ("weights", "closed", ["weak"]),
        ("weights", "open", ["strong"]),
    ],
)
def test_systems_are_filtered_by_size_and_weights(three: None, key: str, value: str, left: list[str]) -> None:
    app = opened("overview")
    app.multiselect(key=key).set_value([value]).run()
    assert systems(app) == left


def test_columns_can_be_chosen(three: None) -> None:
    app = opened("overview")
    app.multiselect(key="columns").set_value(["Model"]).run()
    assert list(app.dataframe[0].value) == ["Rank", "System", "LF1", "95% interval", "Against above", "Model"]


def test_the_address_reproduces_the_view(three: None) -> None:
    app = opened("overview", score="F1", task="RE relation extraction", kind="encoder", languages="Script: Arab")
    assert app.selectbox(key="score").value == "F1"
    assert app.selectbox(key="task").value == "RE relation extraction"
    table = app.dataframe[0].value
    assert dict(zip(table["System"], table["F1"], strict=True)) == {"weak": 31.0}
    assert "score=F1" in app.code[0].value
    assert "languages=Script:+Arab" in app.code[0].value


def test_an_address_that_names_what_is_not_there_opens_the_usual_view(three: None) -> None:
    app = opened("overview", score="<script>", benchmark="nowhere", size="huge")
    assert not app.exception
    assert systems(app) == ["strong", "weak"]


# ---- Languages


def test_the_heat_map_has_every_system_and_language(three: None) -> None:
    app = opened("languages")
    table = app.dataframe[0].value
    assert set(table["System"]) == {"strong", "weak", "partial"}
    assert set(table.columns) == {"System", "ara", "eng", "swa", "tur", "vie"}


def test_languages_are_ordered_by_family_name_or_score(three: None) -> None:
    app = opened("languages")
    assert list(app.dataframe[0].value)[1:] == ["ara", "vie", "eng", "swa", "tur"]
    app.selectbox(key="order").set_value("by name").run()
    assert list(app.dataframe[0].value)[1:] == ["ara", "eng", "swa", "tur", "vie"]
    app.selectbox(key="order").set_value("by score").run()
    assert list(app.dataframe[0].value)[1:] == ["eng", "vie", "tur", "ara", "swa"]


def test_the_best_system_for_a_language_is_a_complete_one(three: None) -> None:
    best = opened("languages").dataframe[1].value
    assert set(best["Best system"]) == {"strong"}
    assert set(best["Against next"]) == {"apart"}


def test_the_gap_is_over_the_same_languages_for_every_system(three: None) -> None:
    gaps = opened("languages").dataframe[2].value.set_index("System")
    assert gaps.loc["weak", "Gap"] == 40.0
    assert gaps.loc["strong", "High"] - gaps.loc["strong", "Low"] == 40.0


# ---- System


def test_a_system_shows_card_command_scores_and_diagnostics(three: None) -> None:
    app = opened("system", system="weak")
    assert app.selectbox(key="system").value == "weak"
    assert app.code[0].value == "massie run m-demo --adapter openai --model weak"
    assert {metric.label: metric.value for metric in app.metric} == {
        "Overall LF1": "40.0",
        "95% interval": "39.0 to 41.0",
        "Rank": "2",
        "Cells covered": "10 of 10",
        "Parameters": "300M",
    }
    assert app.dataframe[1].value["Invalid"].iloc[0] == "2.0% (4 of 200)"
    assert app.dataframe[1].value["Off schema"].iloc[0] == "10.0% (9 of 90)"


def test_a_partial_system_has_no_rank(three: None) -> None:
    app = opened("system", system="partial")
    assert next(metric.value for metric in app.metric if metric.label == "Rank") == "–"
    assert "Not ranked" in said(app)


def test_all_cells_are_listed_with_all_scores(three: None) -> None:
    app = opened("system", system="weak", level="Cells")
    cells = app.dataframe[0].value
    assert len(cells) == 10
    assert {"LF1", "LF1 95%", "Micro F1", "Micro F1 95%"} <= set(cells)
    assert "set-one, English (eng)" in set(cells["Cell"])


# ---- Status


def test_rejected_results_are_named_with_their_reason(three: None, runs: Path) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "result.json").write_text('{"schema_version": 1', encoding="utf-8")
    app = opened("status")
    assert app.subheader[0].value == "Left out: 1"
    assert list(app.dataframe[0].value["Folder"]) == ["broken"]
    assert "is not JSON" in app.dataframe[0].value["Reason"].iloc[0]


def test_the_status_says_how_to_submit_and_what_scores_mean(three: None) -> None:
    app = opened("status")
    assert any("massie score" in code.value for code in app.code)
    assert "LF1" in list(app.dataframe[-1].value["Score"])


def test_a_system_of_very_many_settings_shows_the_first_of_them(publish: Publish) -> None:
    publish("talkative", 60.0, 1.0, details={f"setting-{number}": number for number in range(3000)})
    app = opened("system")
    assert not app.exception
    (settings,) = [table.value for table in app.dataframe if "Setting" in table.value]
    assert sum(settings["Of"] == "method") == 500
    assert "the first 500 settings are shown" in said(app)
