"""Near-duplicates: train and dev texts that share most of their character 5-grams with a test text."""

from __future__ import annotations

import random
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie.build import Benchmark, Build, Manifest, NearDuplicates, Plan, jobs, near
from massie.build.near import THRESHOLD, bands_of, grams_of, similarity
from massie.types import Cell, MissingExtraError, Split, Task

CELL = Cell(Task.NER, "rivers", "swa")
NEARLY = "text that is nearly a test text"
REPORT, REMOVE = NearDuplicates.REPORT, NearDuplicates.REMOVE
LETTERS = string.ascii_lowercase


@pytest.fixture
def left(workshop: Any, line: Any) -> Any:
    """The texts that stay in a split beside some test texts, when near-duplicates are removed."""

    def build(tested: Sequence[str], texts: Sequence[str], split: Split = Split.TRAIN) -> list[str]:
        lines = [line(text) for text in tested] + [line(text, split=split) for text in texts]
        workshop.dataset("rivers", lines, languages=["swa"])
        found = workshop.build(near_duplicates=REMOVE).cells[CELL, split].instances
        kept = {instance.text for instance in found}
        return [text for text in texts if text in kept]

    return build


def overlaps(manifest: Manifest) -> list[tuple[str, str, int, bool]]:
    return [(each.dataset, each.other, each.texts, each.removed) for each in manifest.overlaps if each.reason == NEARLY]


def train(built: Build, dataset: str = "rivers") -> Any:
    (found,) = [e for e in built.manifest.cells if (e.dataset, e.language, e.split) == (dataset, "swa", Split.TRAIN)]
    return found


def changed_at_its_end(grams: int, changed: int) -> tuple[str, str]:
    """Two texts of so many 5-grams each, of which so many differ."""
    whole = (LETTERS + string.digits)[: grams + 4]
    return whole, whole[: len(whole) - changed] + "XYZ"[:changed].replace("X", "#").replace("Y", "+")


@pytest.mark.parametrize(
    ("grams", "changed", "jaccard", "is_near"),
    [
        (8, 1, 7 / 9, False),
        (9, 1, 8 / 10, True),
        (10, 1, 9 / 11, True),
        (17, 2, 15 / 19, False),
        (18, 2, 16 / 20, True),
        (19, 2, 17 / 21, True),
        (30, 2, 28 / 32, True),
    ],
)
def test_texts_are_near_from_a_jaccard_similarity_of_four_fifths_on(
    left: Any, grams: int, changed: int, jaccard: float, is_near: bool
):
    tested, text = changed_at_its_end(grams, changed)
    assert similarity(grams_of(tested), grams_of(text)) == jaccard
    assert left([tested], [text]) == ([] if is_near else [text])


def test_grams_are_five_characters_long_and_a_shorter_text_is_its_own():
    assert grams_of("Kairo!") == {"kairo", "airo!"}
    assert grams_of("Kairo") == {"kairo"}
    assert grams_of("Nile") == {"nile"}
    assert grams_of("") == {""}


def test_a_gram_that_stands_twice_counts_once():
    assert similarity(grams_of("aaaaaaaaaa"), grams_of("aaaaa")) == 1


@pytest.mark.parametrize("split", [Split.TRAIN, Split.DEV])
def test_train_and_dev_texts_that_are_nearly_test_texts_are_found(left: Any, split: Split):
    tested = "Mto Nile unapita katika miji ya Kairo na Khartoum"
    assert left([tested], [tested + "!", "Ziwa Viktoria ni kubwa"], split) == ["Ziwa Viktoria ni kubwa"]


def test_test_texts_are_left_alone_however_near(workshop: Any, line: Any):
    texts = [f"Mto Nile unapita katika miji ya Kairo na Khartoum {number}" for number in range(3)]
    workshop.dataset("rivers", map(line, texts), languages=["swa"])
    built = workshop.build(near_duplicates=REMOVE)
    assert len(built.cells[CELL, Split.TEST].instances) == 3
    assert not built.manifest.overlaps


@pytest.mark.parametrize(
    "variant",
    ["MTO NILE UNAPITA KAIRO", "mto nile unapita kairo", "Mto  Nile unapita\tkairo", "Mto Nile unapita KAIRO "],
)
def test_case_and_spacing_make_no_difference(left: Any, variant: str):
    assert left(["Mto Nile unapita Kairo"], [variant]) == []


@pytest.mark.parametrize(
    ("tested", "variant"),
    [
        ("Straße", "STRASSE"),
        ("Οδός", "ΟΔΌΣ"),
        ("ΐ", "\u03aa\u0301"),
        ("Київ", "КИЇВ"),
        ("café", "CAFE\u0301"),
    ],
)
def test_case_is_folded_in_every_script_and_form_of_unicode(left: Any, tested: str, variant: str):
    assert left([tested], [variant]) == []


@pytest.mark.parametrize(
    ("tested", "near_by", "other"),
    [
        ("尼罗河流经埃及的首都开罗和苏丹", "尼罗河流经埃及的首都开罗和苏丹。", "尼罗河流经埃及的首都"),
        ("ナイル川はカイロを流れています", "ナイル川はカイロを流れています。", "ナイル川はハルツームを流れる"),
        ("แม่น้ำไนล์ไหลผ่านกรุงไคโร", "แม่น้ำไนล์ไหลผ่านกรุงไคโรๆ", "แม่น้ำไนล์ไหลผ่าน"),
        ("يمر نهر النيل عبر القاهرة", "يمر نهر النيل عبر القاهرة.", "يمر نهر الفرات عبر بغداد"),
        ("नील नदी काहिरा से होकर बहती है", "नील नदी काहिरा से होकर बहती है।", "नील नदी खार्तूम से बहती"),
        ("የናይል ወንዝ በካይሮ በኩል ያልፋል", "የናይል ወንዝ በካይሮ በኩል ያልፋል።", "የናይል ወንዝ በካርቱም"),
        ("𐤀𐤁𐤂𐤃𐤄𐤅𐤆𐤇𐤈𐤉𐤊𐤋𐤌𐤍", "𐤀𐤁𐤂𐤃𐤄𐤅𐤆𐤇𐤈𐤉𐤊𐤋𐤌𐤏", "𐤀𐤁𐤂𐤃𐤄𐤅𐤆𐤇"),
        ("🐊🌊🌍⛵🏜️🐪🌴🛶🐟🦩🦛🐦", "🐊🌊🌍⛵🏜️🐪🌴🛶🐟🦩🦛🐧", "🐊🌊🌍⛵🐪🌴"),
    ],
)
def test_scripts_of_the_world_and_emoji_are_compared_by_characters(left: Any, tested: str, near_by: str, other: str):
    assert left([tested], [near_by, other]) == [other]


@pytest.mark.parametrize(("tested", "text"), [("Nile", "Nilo"), ("Nile", "Niles"), ("尼罗河", "尼羅河"), ("🐊", "🌊")])
def test_texts_below_five_characters_are_near_only_where_they_differ_in_nothing_but_case(
    left: Any, tested: str, text: str
):
    assert left([tested], [text]) == [text]
    assert left([tested], [tested.swapcase()]) == []


def test_equal_texts_are_no_near_duplicates_but_those_that_the_exact_filter_has(workshop: Any, line: Any):
    text = "Mto Nile unapita Kairo"
    lines = [line(text), line(text, split="train"), line("Mto  Nile unapita Kairo", split="train")]
    workshop.dataset("rivers", lines, languages=["swa"])
    built = workshop.build(near_duplicates=REMOVE)
    assert [(each.reason, each.texts) for each in built.manifest.overlaps] == [("text that is also a test text", 2)]
    assert NEARLY not in train(built).dropped
    assert "near-duplicates" not in train(built).texts


@pytest.fixture
def rivers(workshop: Any, line: Any) -> Any:
    """Two datasets; three train texts of the second are nearly test texts: one of its own, two of the first."""
    tested = ["Mto Nile unapita Kairo na Khartoum", "Mto Kongo unapita Kisangani na Kinshasa"]
    workshop.dataset(
        "rivers",
        [*(line(text, ("RIV", "Mto")) for text in tested), line("Ziwa Rukwa", split="train")],
        languages=["swa"],
    )
    workshop.dataset(
        "waters",
        [
            line("Ziwa Viktoria ni kubwa kuliko maziwa yote"),
            *(line(f"{text}!", ("RIV", "Mto"), split="train") for text in tested),
            line("Ziwa Viktoria ni kubwa kuliko maziwa yote?", ("LAKE", "Viktoria"), split="train"),
            line("Ziwa Chad", ("LAKE", "Chad"), split="train"),
        ],
        languages=["swa"],
    )
    return workshop


def texts_of(built: Build) -> set[str]:
    return {instance.text for instance in built.cells[Cell(Task.NER, "waters", "swa"), Split.TRAIN].instances}


def test_they_are_not_looked_for_unless_that_is_asked_for(rivers: Any):
    built = rivers.build()
    assert rivers.build(near_duplicates=NearDuplicates.KEEP).manifest == built.manifest
    assert not built.manifest.overlaps
    assert len(texts_of(built)) == 4


def test_a_report_counts_them_by_pairs_of_datasets_and_changes_nothing_else(rivers: Any):
    kept, built = rivers.build(), rivers.build(near_duplicates=REPORT)
    assert overlaps(built.manifest) == [("waters", "rivers", 2, False), ("waters", "waters", 1, False)]
    assert built.cells == kept.cells
    assert built.manifest.cells == kept.manifest.cells
    assert built.manifest.digest == kept.manifest.digest


def test_those_that_are_removed_are_gone_and_counted_as_a_step_of_their_cell(rivers: Any):
    kept, built = rivers.build(), rivers.build(near_duplicates=REMOVE)
    assert overlaps(built.manifest) == [("waters", "rivers", 2, True), ("waters", "waters", 1, True)]
    assert texts_of(built) == {"Ziwa Chad"}
    entry = train(built, "waters")
    assert entry.texts == {
        "read": 4,
        "validate, merge, refine": 4,
        "de-duplicate": 4,
        "de-contaminate": 4,
        "near-duplicates": 1,
    }
    assert entry.records == dict.fromkeys(list(entry.records)[:-1], 4) | {"near-duplicates": 1}
    assert entry.dropped == {NEARLY: 3}
    assert entry.instances == 1
    assert built.manifest.digest != kept.manifest.digest


def test_cells_without_any_stay_as_they_were(rivers: Any):
    kept, built = rivers.build(), rivers.build(near_duplicates=REMOVE)
    assert train(built) == train(kept)
    tests = [[e for e in each.manifest.cells if e.split is Split.TEST] for each in (kept, built)]
    assert tests[0] == tests[1]


def test_what_is_removed_is_not_on_disk_either(rivers: Any, tmp_path: Path):
    built = rivers.build(near_duplicates=REMOVE)
    manifest = rivers.build_to(tmp_path / "out", near_duplicates=REMOVE)
    assert manifest == built.manifest
    opened = Benchmark.open(tmp_path / "out")
    assert {sample.text for sample in opened.samples(Split.TRAIN)} == {"Ziwa Chad", "Ziwa Rukwa"}


def test_a_text_that_another_filter_removes_is_no_near_duplicate(workshop: Any, line: Any):
    shared = "Mto Nile unapita Kairo na Khartoum!"
    workshop.dataset("rivers", [line(shared[:-1]), line(shared, split="train")], languages=["swa"])
    workshop.dataset("waters", [line(shared, split="train")], languages=["swa"])
    built = workshop.build(near_duplicates=REPORT)
    assert overlaps(built.manifest) == [("rivers", "rivers", 1, False)]


def test_a_text_that_is_near_many_test_texts_counts_once(workshop: Any, line: Any):
    text = "Mto Nile unapita katika miji ya Kairo na Khartoum"
    for dataset in ("rivers", "waters"):
        workshop.dataset(dataset, [line(f"{text} {dataset[0]}{number}") for number in range(9)], languages=["swa"])
    workshop.dataset("zambezi", [line(text, split="train")], languages=["swa"])
    assert sum(texts for _, _, texts, _ in overlaps(workshop.build(near_duplicates=REPORT).manifest)) == 1


def test_a_text_that_stands_in_several_runs_of_a_cell_counts_once(
    workshop: Any, line: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "ROWS", 1)
    text = "Mto Nile unapita katika miji ya Kairo"
    lines = [line(text), line(text), *[line(f"{text}!", split="train")] * 3]
    workshop.dataset("rivers", lines, languages=["swa"])
    built = workshop.build(near_duplicates=REMOVE)
    assert overlaps(built.manifest) == [("rivers", "rivers", 1, True)]
    assert train(built).dropped == {NEARLY: 1, "duplicate text (its records are merged)": 2}


def test_one_near_text_is_found_among_thousands_of_the_same_form(workshop: Any, line: Any):
    form = "weka kengele ya kesho saa {} asubuhi na unikumbushe {}"
    words = ["".join(random.Random(number).choices(LETTERS, k=12)) for number in range(3001)]
    tested = [form.format(number % 12, word) for number, word in enumerate(words)]
    twin, stranger = tested[2500] + ".", form.format(3, "kupiga simu kwa mama yangu mzazi")
    lines = [line(text) for text in tested] + [line(text, split="train") for text in (twin, stranger)]
    workshop.dataset("rivers", lines, languages=["swa"])
    assert similarity(grams_of(twin), grams_of(tested[2500])) >= THRESHOLD
    assert max(similarity(grams_of(stranger), grams_of(text)) for text in tested) < THRESHOLD
    built = workshop.build(near_duplicates=REMOVE)
    assert [instance.text for instance in built.cells[CELL, Split.TRAIN].instances] == [stranger]


def mutated(dice: random.Random, text: str) -> str:
    """A text with some characters of it changed, dropped or put in."""
    letters = list(text)
    for _ in range(dice.randint(0, 3)):
        place = dice.randrange(len(letters))
        letters[place] = dice.choice(["", dice.choice(LETTERS), letters[place] + dice.choice(LETTERS)])
    return "".join(letters) or text


@pytest.mark.parametrize("alphabet", [LETTERS + " ", "abc ", "的一是不了人我在有他这为之大来以个中上们"])
def test_nearly_all_that_a_comparison_of_all_pairs_finds_is_found_and_nothing_else(left: Any, alphabet: str):
    dice = random.Random(alphabet)
    tested = ["".join(dice.choices(alphabet, k=dice.randint(3, 150))).strip() or "a" for _ in range(150)]
    texts = [mutated(dice, dice.choice(tested)) for _ in range(800)]
    texts = [text for text in dict.fromkeys(texts) if text.strip() and " ".join(text.split()) not in tested]
    grams = [grams_of(text) for text in tested]
    naive = {text for text in texts if any(similarity(grams_of(text), each) >= THRESHOLD for each in grams)}
    found = set(texts) - set(left(tested, texts))
    assert found <= naive
    assert 100 < len(naive) < len(texts)
    assert len(found) >= 0.99 * len(naive)


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 40, 1000]))
def test_no_order_of_files_and_no_cut_into_runs_makes_a_difference(
    make_workshop: Any, line: Any, dice: random.Random, rows: int
):
    tested = [f"Mto Nile unapita katika miji ya Kairo na Khartoum {number}" for number in range(70)]
    texts = [mutated(random.Random(number), tested[number]) for number in range(70)]
    lines = [line(text) for text in tested] + [line(text, split="train") for text in texts * 2]
    waters = [line(text.replace("Kairo", "Kosti")) for text in tested[:30]]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        workshop = make_workshop(Path(folder))
        workshop.dataset("waters", waters, languages=["swa"])
        workshop.dataset("rivers", lines, languages=["swa"])
        whole = workshop.build(near_duplicates=REMOVE).manifest
        patch.setattr(jobs, "ROWS", rows)
        patch.setattr(near, "ROWS", rows)
        workshop.dataset("rivers", dice.sample(lines, len(lines)), languages=["swa"])
        workshop.dataset("waters", dice.sample(waters, len(waters)), languages=["swa"])
        again = workshop.build(near_duplicates=REMOVE).manifest
    assert again.overlaps == whole.overlaps
    assert again.digest == whole.digest


def test_two_processes_find_what_one_finds(rivers: Any, files_of: Any, tmp_path: Path):
    for workers in (1, 2):
        rivers.build_to(tmp_path / str(workers), near_duplicates=REMOVE, workers=workers)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


def test_a_build_without_test_or_without_train_texts_has_none(workshop: Any, line: Any):
    for split in ("test", "train"):
        workshop.dataset("rivers", [line("Mto Nile unapita Kairo", split=split)], languages=["swa"])
        assert not workshop.build(near_duplicates=REMOVE).manifest.overlaps


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_bands_depend_on_each_text_alone_and_equal_sets_of_grams_have_equal_bands(texts: list[str]):
    found = bands_of(texts)
    assert found.shape == (len(texts), 20)
    for text, bands in zip(texts, found, strict=True):
        assert np.array_equal(bands_of([text])[0], bands)
        assert np.array_equal(bands_of([f"  {text.casefold()}\n"])[0], bands)


def test_where_datasketch_is_not_installed_that_is_told_before_anything_is_read(
    rivers: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    sentence = r"--near-duplicates needs the package 'datasketch': pip install 'massie\[near-duplicates\]'"
    for choice in (REPORT, REMOVE):
        with pytest.raises(MissingExtraError, match=f"^{sentence}$"):
            rivers.plan(near_duplicates=choice)
    with pytest.raises(MissingExtraError, match=f"^{sentence}$"):
        bands_of(["Mto Nile"])
    assert isinstance(rivers.plan(near_duplicates=NearDuplicates.KEEP), Plan)
