"""The table of languages: all of the paper's appendix K, and finer codes that count under them."""

from __future__ import annotations

import pytest

from massie.catalogue import language, languages
from massie.types import UnknownNameError

# Family and codes, typed from the paper's appendix K.
APPENDIX_K = {
    "Afro-Asiatic": "amh ara hau heb",
    "Atlantic-Congo": "bbj ewe fon ibo kin lug mos nbl nso nya sna sot ssw tsn tso twi ven wol xho yor zul",
    "Austroasiatic": "khm vie",
    "Austronesian": "ceb ind jav msa tgl",
    "Dravidian": "kan mal tam tel",
    "Indo-European": (
        "afr ben bul cat ces cym dan deu ell eng fas fra glg gsw guj hin hrv hye isl ita lat lav lit mar nap "
        "nep nld nor pan pcm pol por ron rus slk slv snd spa sqi srp swe ukr urd"
    ),
    "Japonic": "jpn",
    "Kartvelian": "kat",
    "Koreanic": "kor",
    "Kra-Dai": "tha",
    "Language isolate": "eus",
    "Mande": "bam",
    "Mongolic": "mon",
    "Niger-Congo": "swa",
    "Nilotic": "luo",
    "Sino-Tibetan": "mya zho",
    "Turkic": "aze kaz tur",
    "Uralic": "est fin hun",
}


def test_the_96_languages_of_the_paper_are_known_with_their_families():
    paper = {code: family for family, codes in APPENDIX_K.items() for code in codes.split()}
    assert len(paper) == 96
    assert {code: entry.family for code, entry in languages().items() if entry.in_paper} == paper


def test_codes_are_sorted_and_of_three_letters():
    codes = list(languages())
    assert codes == sorted(codes)
    assert all(len(code) == 3 and code.isascii() and code.islower() for code in codes)


def test_a_finer_code_counts_under_a_code_of_the_paper_with_the_same_family():
    finer = {code: entry for code, entry in languages().items() if entry.counts_as}
    assert finer["arq"].counts_as == "ara"
    assert finer["nob"].counts_as == "nor"
    for code, entry in finer.items():
        assert entry.counts_as is not None
        coarse = languages()[entry.counts_as]
        assert coarse.in_paper, code
        assert coarse.family == entry.family, code


@pytest.mark.parametrize(
    ("code", "direction", "spaces"),
    [("ara", "rtl", True), ("heb", "rtl", True), ("swa", "ltr", True), ("jpn", "ltr", False), ("tha", "ltr", False)],
)
def test_direction_and_spacing_are_those_of_the_script(code: str, direction: str, spaces: bool):
    assert (language(code).direction, language(code).spaces) == (direction, spaces)


@pytest.mark.parametrize("code", ["zho", "jpn", "tha", "khm", "mya"])
def test_scripts_without_spaces_are_joined_without(code: str):
    assert not language(code).spaces


def test_a_right_to_left_script_is_the_same_for_all_its_languages():
    by_script = {
        script: {entry.direction for entry in languages().values() if entry.script == script}
        for script in {entry.script for entry in languages().values()}
    }
    assert all(len(directions) == 1 for directions in by_script.values())
    assert {script for script, directions in by_script.items() if directions == {"rtl"}} <= {
        "Arab",
        "Hebr",
        "Syrc",
        "Thaa",
    }


def test_code_switched_data_have_both_names_and_the_first_languages_script():
    mixed = language("eng+hin")
    assert mixed.name == "English + Hindi"
    assert mixed.script == "Latn"


@pytest.mark.parametrize(
    ("code", "words"), [("sw", "'swa'"), ("eng+hn", "'hin'|'hun'"), ("Swahili", "swa is the code of")]
)
def test_an_unknown_code_suggests_the_nearest(code: str, words: str):
    with pytest.raises(UnknownNameError, match=words):
        language(code)
