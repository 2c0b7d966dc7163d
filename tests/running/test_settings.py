from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.running import SETTINGS, STORE, Settings, Store, lock_run, read_settings, slug
from massie.running import open_run as open_settings
from massie.types import Prediction, RunError, Split, SystemCard


def open_run(folder: Path, given: Settings) -> Settings:
    """Open a run, and have it answer a sample: before that, it takes any settings."""
    opened = open_settings(folder, given)
    with Store(folder / STORE) as store:
        store.add(Prediction("sample", output="[]"))
    return opened


def settings(**changed: Any) -> Settings:
    plain: dict[str, Any] = {
        "adapter": "my_system.py:Mine",
        "adapter_digest": "a" * 64,
        "options": {"threshold": 0.5, "label": "person"},
        "benchmark": "m-demo",
        "version": "1",
        "manifest_digest": "b" * 64,
        "split": Split.TEST,
        "system": SystemCard(name="mine"),
        "created": "2026-01-01T00:00:00Z",
        "massie_version": "0.1.0",
    }
    return Settings.model_validate(plain | changed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that was begun."""
    with lock_run(tmp_path / "run"):
        open_run(tmp_path / "run", settings())
    return tmp_path / "run"


def test_the_settings_of_a_run_come_back_as_they_were(folder: Path) -> None:
    assert read_settings(folder) == settings()


def test_the_same_settings_continue_a_run(folder: Path) -> None:
    open_run(folder, settings())


@pytest.mark.parametrize(
    "changed", [{"data": "/elsewhere"}, {"created": "2027-01-01T00:00:00Z"}, {"massie_version": "0.2.0"}]
)
def test_what_only_describes_may_differ_and_the_first_is_kept(folder: Path, changed: dict[str, str]) -> None:
    open_run(folder, settings(**changed))
    assert read_settings(folder) == settings()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"adapter": "other.py:Mine"}, "adapter was 'my_system.py:Mine' and is now 'other.py:Mine'"),
        ({"adapter_digest": "c" * 64}, "the adapter's file has changed"),
        ({"options": {"threshold": 0.7, "label": "person"}}, "options.threshold was 0.5 and is now 0.7"),
        ({"options": {"threshold": 0.5}}, "options.label was 'person' and is now None"),
        ({"options": {}}, "options.threshold was 0.5 and is now None"),
        ({"options": {"threshold": 0.5, "label": "person", "k": 1}}, "options.k was None and is now 1"),
        ({"benchmark": "m-light"}, "benchmark was 'm-demo' and is now 'm-light'"),
        ({"version": "2"}, "version was '1' and is now '2'"),
        ({"manifest_digest": "d" * 64}, "manifest_digest was "),
        ({"split": Split.DEV}, "split was 'test' and is now 'dev'"),
        ({"system": SystemCard(name="mine", model="large")}, "system.model was None and is now 'large'"),
    ],
)
def test_what_would_mix_two_systems_is_refused_by_name(folder: Path, changed: dict[str, Any], named: str) -> None:
    before = (folder / SETTINGS).read_bytes()
    with pytest.raises(RunError) as caught:
        open_run(folder, settings(**changed))
    assert f"begun with other settings: {named}" in str(caught.value)
    assert "--name" in str(caught.value)
    assert (folder / SETTINGS).read_bytes() == before


def test_a_long_setting_is_named_in_a_message_of_bounded_length(folder: Path) -> None:
    with pytest.raises(RunError, match=r"options\.label") as caught:
        open_run(folder, settings(options={"threshold": 0.5, "label": "x" * 1_000_000}))
    assert len(str(caught.value)) < 1000


def test_predictions_without_settings_are_a_damaged_run(folder: Path) -> None:
    (folder / SETTINGS).unlink()
    (folder / STORE).touch()
    with pytest.raises(RunError, match=r"has predictions but no run\.json; it is damaged"):
        open_run(folder, settings())


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not the folder of a run \(run\.json is missing\)"):
        read_settings(tmp_path)


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}', "[]", "\x00", '{"format": 1, "adapter": 5}'])
def test_broken_settings_are_named_by_file(folder: Path, text: str) -> None:
    (folder / SETTINGS).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json: "):
        read_settings(folder)


def test_an_unknown_key_in_the_settings_is_named(folder: Path) -> None:
    plain = json.loads((folder / SETTINGS).read_text(encoding="utf-8")) | {"colour": "red"}
    (folder / SETTINGS).write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json: colour: unknown key"):
        read_settings(folder)


def test_nothing_half_written_is_taken_for_settings(folder: Path) -> None:
    (folder / f"{SETTINGS}.partial").write_text("{", encoding="utf-8")
    assert read_settings(folder) == settings()


def test_a_second_writer_is_refused_and_may_write_after_the_first(folder: Path) -> None:
    with lock_run(folder), pytest.raises(RunError, match="another process is writing this run"), lock_run(folder):
        pass
    with lock_run(folder):
        pass


def test_an_error_within_releases_the_lock(folder: Path) -> None:
    with pytest.raises(KeyError), lock_run(folder):
        raise KeyError
    with lock_run(folder):
        pass


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal = "cannot be written: Not a directory; name another folder with --runs"
    with pytest.raises(RunError, match=refusal), lock_run(tmp_path / "file" / "run"):
        pass


@given(st.text())
def test_a_slug_is_a_folder_name_that_leads_nowhere_else(name: str) -> None:
    made = slug(name)
    assert made
    assert made not in (".", "..")
    assert not made.startswith((".", "-"))
    assert Path(made).name == made
    assert "\\" not in made


@pytest.mark.parametrize(
    ("name", "made"),
    [("GPT 4o (mini)", "GPT-4o-mini"), ("../../etc", "etc"), ("模型 7B", "模型-7B"), ("", "run"), ("...", "run")],
)
def test_a_slug_is_readable(name: str, made: str) -> None:
    assert slug(name) == made


# Language models


PROMPT = {"task": "NER", "language": "eng", "form": "records", "sha256": "1" * 64}
SHOWN = {"dataset": "demo-nature", "stands_in_for": None, "samples": ["a", "b"]}
DETAILS: dict[str, Any] = {
    "method": "few-shot",
    "k": 2,
    "demonstration_seed": 0,
    "prompts": {"ner-en": PROMPT},
    "demonstrations": {"NER/eng": SHOWN},
    "llm": {"model": "small", "temperature": 0.0, "extra_body": {}},
}
OTHER_PART: dict[str, Any] = DETAILS | {
    "prompts": {"re-en": PROMPT | {"task": "RE", "sha256": "2" * 64}},
    "demonstrations": {"RE/eng": SHOWN | {"samples": ["c", "d"]}},
}
WHOLE: dict[str, Any] = DETAILS | {
    "prompts": DETAILS["prompts"] | OTHER_PART["prompts"],
    "demonstrations": DETAILS["demonstrations"] | OTHER_PART["demonstrations"],
}


@pytest.fixture
def prompted(tmp_path: Path) -> Path:
    """The folder of a run of a language model."""
    (tmp_path / "run").mkdir()
    open_run(tmp_path / "run", settings(details=DETAILS))
    return tmp_path / "run"


def detailed(group: str, **changed: Any) -> dict[str, Any]:
    return DETAILS | {group: DETAILS[group] | changed}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (DETAILS | {"method": "zero-shot"}, "details.method was 'few-shot' and is now 'zero-shot'"),
        (DETAILS | {"k": 3}, "details.k was 2 and is now 3"),
        (DETAILS | {"demonstration_seed": 1}, "details.demonstration_seed was 0 and is now 1"),
        (detailed("prompts", **{"ner-en": PROMPT | {"sha256": "3" * 64}}), "details.prompts.ner-en.sha256 was '111"),
        (
            detailed("demonstrations", **{"NER/eng": SHOWN | {"samples": ["a", "z"]}}),
            "details.demonstrations.NER/eng.samples was ['a', 'b'] and is now ['a', 'z']",
        ),
        (detailed("llm", temperature=0.7), "details.llm.temperature was 0.0 and is now 0.7"),
        (detailed("llm", top_p=0.9), "details.llm.top_p was None and is now 0.9"),
        (detailed("llm", model="large"), "details.llm.model was 'small' and is now 'large'"),
        (detailed("llm", extra_body={"min_p": 0.1}), "details.llm.extra_body.min_p was None and is now 0.1"),
    ],
)
def test_what_makes_a_language_model_another_system_is_refused_by_name(
    prompted: Path, changed: dict[str, Any], named: str
) -> None:
    before = (prompted / SETTINGS).read_bytes()
    with pytest.raises(RunError) as caught:
        open_run(prompted, settings(details=changed))
    assert f"begun with other settings: {named}" in str(caught.value)
    assert (prompted / SETTINGS).read_bytes() == before


def test_another_mode_is_refused_by_name(prompted: Path) -> None:
    with pytest.raises(RunError, match="mode was 'live' and is now 'batch'"):
        open_run(prompted, settings(details=DETAILS, mode="batch"))


def test_another_layout_of_the_answers_is_refused_by_name(tmp_path: Path) -> None:
    open_run(tmp_path, settings(answers={"NER": {"form": "records"}}))
    with pytest.raises(RunError, match=r"answers\.NER\.form was 'records' and is now 'grouped'"):
        open_run(tmp_path, settings(answers={"NER": {"form": "grouped"}}))


@pytest.mark.parametrize("parts", [(DETAILS, OTHER_PART), (OTHER_PART, DETAILS), (DETAILS, WHOLE), (WHOLE, DETAILS)])
def test_of_the_parts_that_a_run_was_started_on_the_settings_hold_all(
    tmp_path: Path, parts: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    for details in parts:
        returned = open_run(tmp_path, settings(details=details))
    assert returned == read_settings(tmp_path)  # pyright: ignore[reportPossiblyUnboundVariable]
    for group in ("prompts", "demonstrations"):
        assert returned.details[group] == WHOLE[group]
    for details in (DETAILS, OTHER_PART, WHOLE):
        open_run(tmp_path, settings(details=details))


def test_a_prompt_that_changed_is_found_also_after_another_part(prompted: Path) -> None:
    open_run(prompted, settings(details=OTHER_PART))
    with pytest.raises(RunError, match=r"details\.prompts\.ner-en\.sha256 was"):
        open_run(prompted, settings(details=detailed("prompts", **{"ner-en": PROMPT | {"sha256": "3" * 64}})))


def test_the_settings_of_an_earlier_version_continue_a_run_without_details(folder: Path) -> None:
    plain = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    older = {key: value for key, value in plain.items() if key not in ("details", "answers", "mode")}
    (folder / SETTINGS).write_text(json.dumps(older), encoding="utf-8")
    assert read_settings(folder) == settings()
    open_run(folder, settings())


def test_an_option_of_which_the_adapter_says_that_it_changes_no_answer_may_differ(prompted: Path) -> None:
    more = {"threshold": 0.5, "label": "person", "memory": {"share": 0.9}}
    open_run(prompted, settings(details=DETAILS, options=more, tuning=["memory"]))


def test_any_other_option_may_not_whatever_the_details_say(prompted: Path) -> None:
    with pytest.raises(RunError, match=r"options\.threshold was 0\.5 and is now 0\.9"):
        open_run(prompted, settings(details=DETAILS, options={"threshold": 0.9, "label": "person"}, tuning=["memory"]))


def test_another_prompt_is_refused_although_its_details_could_be_of_another_part(tmp_path: Path) -> None:
    mine = DETAILS | {"prompts": {"mine": PROMPT | {"sha256": "4" * 64}}}
    open_run(tmp_path, settings(details=DETAILS, options={}))
    with pytest.raises(RunError, match=r"options\.prompt was None and is now 'mine\.yaml'"):
        open_run(tmp_path, settings(details=mine, options={"prompt": "mine.yaml"}))


def test_a_run_without_any_answer_takes_other_settings(tmp_path: Path) -> None:
    open_settings(tmp_path, settings(options={"base_url": "http://localhost:8000"}))
    mended = settings(options={"base_url": "http://localhost:8000/v1"})
    assert open_settings(tmp_path, mended) == mended == read_settings(tmp_path)


def test_a_run_whose_batches_were_submitted_takes_no_other_settings(tmp_path: Path) -> None:
    open_settings(tmp_path, settings())
    (tmp_path / "batches" / "0001").mkdir(parents=True)
    with pytest.raises(RunError, match="begun with other settings"):
        open_settings(tmp_path, settings(options={}))
