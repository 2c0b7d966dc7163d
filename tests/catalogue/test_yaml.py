"""YAML is read strictly: safe, no key twice, words stay words, every fault names its file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massie._content import content_folder
from massie.catalogue import Content, read_yaml, validated
from massie.types import ContentError


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize("word", ["no", "No", "NO", "yes", "on", "off", "y", "n", "True", "FALSE"])
def test_only_true_and_false_are_booleans_so_that_codes_and_labels_stay_words(tmp_path: Path, word: str):
    assert read(tmp_path, f"{word}: {word}") == {word: word}
    assert read(tmp_path, "[true, false]") == [True, False]


@pytest.mark.parametrize("word", ["2024-01-01", "2001-12-14t21:59:43.10-05:00", "12:30", "190:20:30.15", "010", "08"])
def test_dates_times_and_numbers_with_leading_zeros_stay_text(tmp_path: Path, word: str):
    assert read(tmp_path, f"date: {word}") == {"date": word}


@pytest.mark.parametrize("word", ["0x1F", "0b101", "1_000", ".inf", ".nan", "1e5", "9" * 40, "0b_"])
def test_what_is_not_a_plain_decimal_number_stays_text(tmp_path: Path, word: str):
    assert read(tmp_path, word) == word


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-12", -12), ("+3", 3), ("0.5", 0.5), ("-1.0e-9", -1e-9), ("null", None), ("~", None)],
)
def test_decimal_numbers_and_null_are_read_as_such(tmp_path: Path, text: str, value: Any):
    read_value = read(tmp_path, text)
    assert read_value == value
    assert type(read_value) is type(value)


def test_norwegian_is_a_language_not_a_falsehood(tmp_path: Path):
    assert read(tmp_path, "language_codes: {nob: no}\nlanguages: [no, on]") == {
        "language_codes": {"nob": "no"},
        "languages": ["no", "on"],
    }


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path):
    with pytest.raises(ContentError, match=r"file\.yaml:3: .*the key 'b' stands twice"):
        read(tmp_path, "a:\n  b: 1\n  b: 2\n")


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path):
    with pytest.raises(ContentError, match=r"file\.yaml:2: not valid YAML"):
        read(tmp_path, "a: 1\nb: ]\n")


def test_a_second_document_is_refused(tmp_path: Path):
    with pytest.raises(ContentError, match="another document"):
        read(tmp_path, "--- a\n--- b\n")


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.getcwd []", "!!python/name:os.system", "!!python/tuple [1]", "!mine x"]
)
def test_tags_that_would_make_objects_are_refused(tmp_path: Path, text: str):
    with pytest.raises(ContentError, match="could not determine a constructor"):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["!!int x", "!!bool x", "!!map [a]", "!!timestamp x", "!!timestamp 2020-13-45"])
def test_a_value_that_its_tag_does_not_fit_is_a_content_error(tmp_path: Path, text: str):
    with pytest.raises(ContentError, match="not valid YAML"):
        read(tmp_path, text)


def test_a_merge_key_is_a_key_like_any_other(tmp_path: Path):
    assert read(tmp_path, "<<: {a: 1}") == {"<<": {"a": 1}}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path):
    assert read(tmp_path, "\ufeffid: x") == {"id": "x"}


def test_a_file_that_is_not_utf_8_or_not_there_is_named(tmp_path: Path):
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ContentError, match=r"latin\.yaml: cannot be read"):
        read_yaml(tmp_path / "latin.yaml")
    with pytest.raises(ContentError, match=r"none\.yaml: cannot be read"):
        read_yaml(tmp_path / "none.yaml")


YAML_TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab01:-[]{},&*!#|>'\"% \n\t?<.x_", max_size=60),
    st.lists(
        st.sampled_from(["!!int ", "!!float ", "!!binary ", "!!set ", "&a ", "*a", "a: ", "[", "]", "\n", "x"])
    ).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(YAML_TEXT)
def test_no_text_whatever_raises_anything_but_a_content_error(text: str):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            read_yaml(path)
        except ContentError as error:
            assert str(path) in str(error)


class Inner(Content):
    count: int
    title: str = ""


class Outer(Content):
    inner: dict[str, Inner]


def test_every_fault_has_one_line_with_file_and_field():
    data = {"inner": {"a": {"count": "many", "titel": "x"}, "b": {}}}
    with pytest.raises(ContentError) as caught:
        validated(Outer, data, Path("file.yaml"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("file.yaml: inner.a.count: ")
    assert lines[0].endswith("(got 'many')")
    assert lines[1] == "file.yaml: inner.a.titel: unknown key; remove it or check its spelling"
    assert lines[2] == "file.yaml: inner.b.count: this key is missing"


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_file_that_holds_no_mapping_is_one_clear_line(data: Any):
    with pytest.raises(ContentError, match=r"^file\.yaml: \(the whole file\): [^\n]*$"):
        validated(Outer, data, Path("file.yaml"))


def test_content_cannot_be_changed_after_reading():
    inner = Inner(count=1)
    with pytest.raises(ValueError, match="frozen"):
        inner.count = 2  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("path", sorted(content_folder("tasks").rglob("*.yaml")), ids=lambda path: path.stem)
def test_all_yaml_of_the_tasks_folder_is_read(path: Path):
    assert isinstance(read_yaml(path), dict)
