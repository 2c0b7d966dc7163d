"""The table of languages: all of the paper's appendix K, and finer codes that count under them."""

from __future__ import annotations

import csv

import pytest

from massie.catalogue import counted_under, language, languages
from massie.types import UnknownNameError

# Code, language and family, typed from the paper's appendix K.
APPENDIX_K = """
afr, Afrikaans, Indo-European
amh, Amharic, Afro-Asiatic
ara, Arabic, Afro-Asiatic
aze, Azerbaijani, Turkic
bam, Bambara, Mande
bbj, Ghomala, Atlantic-Congo
ben, Bengali, Indo-European
bul, Bulgarian, Indo-European
cat, Catalan, Indo-European
ceb, Cebuano, Austronesian
ces, Czech, Indo-European
cym, Welsh, Indo-European
dan, Danish, Indo-European
deu, German, Indo-European
ell, Greek, Indo-European
eng, English, Indo-European
est, Estonian, Uralic
eus, Basque, Language isolate
ewe, Ewe, Atlantic-Congo
fas, Persian, Indo-European
fin, Finnish, Uralic
fon, Fon, Atlantic-Congo
fra, French, Indo-European
glg, Galician, Indo-European
gsw, Swiss German, Indo-European
guj, Gujarati, Indo-European
hau, Hausa, Afro-Asiatic
heb, Hebrew, Afro-Asiatic
hin, Hindi, Indo-European
hrv, Croatian, Indo-European
hun, Hungarian, Uralic
hye, Armenian, Indo-European
ibo, Igbo, Atlantic-Congo
ind, Indonesian, Austronesian
isl, Icelandic, Indo-European
ita, Italian, Indo-European
jav, Javanese, Austronesian
jpn, Japanese, Japonic
kan, Kannada, Dravidian
kat, Georgian, Kartvelian
kaz, Kazakh, Turkic
khm, Khmer, Austroasiatic
kin, Kinyarwanda, Atlantic-Congo
kor, Korean, Koreanic
lat, Latin, Indo-European
lav, Latvian, Indo-European
lit, Lithuanian, Indo-European
lug, Luganda, Atlantic-Congo
luo, Luo, Nilotic
mal, Malayalam, Dravidian
mar, Marathi, Indo-European
mon, Mongolian, Mongolic
mos, Mossi, Atlantic-Congo
msa, Malay, Austronesian
mya, Burmese, Sino-Tibetan
nap, Neapolitan, Indo-European
nbl, Southern Ndebele, Atlantic-Congo
nep, Nepali, Indo-European
nld, Dutch, Indo-European
nor, Norwegian, Indo-European
nso, Northern Sotho, Atlantic-Congo
nya, Chewa, Atlantic-Congo
pan, Punjabi, Indo-European
pcm, Nigerian Pidgin, Indo-European
pol, Polish, Indo-European
por, Portuguese, Indo-European
ron, Romanian, Indo-European
rus, Russian, Indo-European
slk, Slovak, Indo-European
slv, Slovene, Indo-European
sna, Shona, Atlantic-Congo
snd, Sindhi, Indo-European
sot, Sotho, Atlantic-Congo
spa, Spanish, Indo-European
sqi, Albanian, Indo-European
srp, Serbian, Indo-European
ssw, Swazi, Atlantic-Congo
swa, Swahili, Niger-Congo
swe, Swedish, Indo-European
tam, Tamil, Dravidian
tel, Telugu, Dravidian
tgl, Tagalog, Austronesian
tha, Thai, Kra-Dai
tsn, Tswana, Atlantic-Congo
tso, Tsonga, Atlantic-Congo
tur, Turkish, Turkic
twi, Twi, Atlantic-Congo
ukr, Ukrainian, Indo-European
urd, Urdu, Indo-European
ven, Venda, Atlantic-Congo
vie, Vietnamese, Austroasiatic
wol, Wolof, Atlantic-Congo
xho, Xhosa, Atlantic-Congo
yor, Yoruba, Atlantic-Congo
zho, Chinese, Sino-Tibetan
zul, Zulu, Atlantic-Congo
"""


def test_the_96_languages_of_the_paper_are_known_with_their_names_and_families():
    printed = {
        code: (name, family)
        for code, name, family in csv.reader(APPENDIX_K.strip().splitlines(), skipinitialspace=True)
    }
    assert len(printed) == 96
    assert {code: (entry.name, entry.family) for code, entry in languages().items() if entry.in_paper} == printed


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


@pytest.mark.parametrize(
    ("code", "counted"),
    [("swa", ("swa",)), ("arq", ("ara",)), ("eng+hin", ("eng", "hin")), ("nob+nno", ("nor",)), ("lin", ())],
)
def test_a_language_counts_under_codes_of_the_paper(code: str, counted: tuple[str, ...]):
    assert counted_under(code) == counted
