"""Scorers that are right meet every vector, wrong ones fail those that pin their rule, and bad manners are told."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massie.catalogue import SCORE_NAMES, Vector, conformance_vectors
from massie.results.conformance import (
    Answers,
    answers_of_command,
    answers_of_massie,
    compare,
    question_line,
)
from massie.types import UserError

VECTORS = conformance_vectors()
NAIVE = Path(__file__).parents[1] / "scoring" / "naive.py"

Command = Callable[..., str]


@pytest.fixture
def scorer(tmp_path: Path) -> Command:
    """Writes a scorer in Python and gives its command; ``questions`` are at hand in it."""

    def write(source: str, *, reading: bool = True) -> str:
        head = "import json, sys, os, time\n"
        head += "questions = [json.loads(line) for line in sys.stdin]\n" if reading else ""
        file = tmp_path / "scorer.py"
        file.write_text(head + source, encoding="utf-8")
        return shlex.join([sys.executable, str(file)])

    return write


def failed(checks: Any) -> set[str]:
    return {check.vector.id for check in checks if check.outcome == "failed"}


def one(name: str) -> list[Vector]:
    return [vector for vector in VECTORS if vector.id == name]


# ---- Right ones


def test_massie_meets_every_vector() -> None:
    found = compare(VECTORS, answers_of_massie(VECTORS))
    assert found.conforms
    assert {check.outcome for check in found.checks} == {"met"}
    assert len(found.checks) == sum(len(vector.expect.pinned()) for vector in VECTORS)


def test_the_reference_as_a_command_of_its_own_meets_every_vector() -> None:
    found = compare(VECTORS, answers_of_command(shlex.join([sys.executable, str(NAIVE)]), VECTORS))
    assert found.conforms
    assert {check.outcome for check in found.checks} == {"met"}


# ---- Wrong ones: the reference, each with one rule broken

BROKEN = {
    "forgets-nfc": (
        'unicodedata.normalize("NFC", s)).strip',
        "s).strip",
        {
            "duplicate-after-normalisation", "nfc-nfd", "nfc-before-counting", "hangul-jamo", "devanagari-nukta",
            "arabic-mark-order", "compatibility-ideograph", "hallucinated-normalised", "re-nfd-both-fields",
            "ee-nfd-everywhere", "devanagari-mark-order", "bengali-two-part-vowel", "thai-mark-order",
        },
    ),
    "uses-nfkc": (
        'unicodedata.normalize("NFC", s)).strip',
        'unicodedata.normalize("NFKC", s)).strip',
        {"no-nfkc", "full-width-digit", "thai-sara-am", "arabic-presentation-form", "label-full-width"},
    ),
    "lowers-case": (
        "normalise(s).casefold()",
        "normalise(s).lower()",
        {"label-folding-sharp-s", "label-folding-final-sigma"},
    ),
    "counts-duplicates": (
        "found.add(Item((label,), fields))",
        "malformed += Item((label,), fields) in found and not is_gold; found.add(Item((label,), fields))",
        {
            "duplicate-prediction", "duplicate-after-normalisation", "off-schema-per-item", "ee-shared-argument",
            "re-duplicates",
        },
    ),
    "repairs-json": (
        "    except (ValueError, RecursionError):\n        return None",
        "    except (ValueError, RecursionError):\n"
        "        value = __import__('json_repair').repair_json(answer, return_objects=True)",
        {
            "figure-2-invalid", "fence-whole", "fence-two-values", "placeholder-bracket", "trailing-comma",
            "single-quotes", "python-literal", "comment", "not-a-number", "infinity", "raw-line-break-in-string",
            "mismatched-brackets", "unquoted-keys", "missing-comma",
        },
    ),
    "counts-utf-16-units": (
        "return normalise(value) if",
        "value = ''.join(map(chr, memoryview(value.encode('utf-16-le', 'surrogatepass')).cast('H')))\n"
        "    return normalise(value) if",
        {"astral", "emoji-sequence", "emoji-flag", "variation-selector-kept", "ideograph-beyond-the-bmp"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_scorer_that_breaks_one_rule_fails_the_vectors_that_pin_it(broken: str, tmp_path: Path) -> None:
    right, wrong, pinned = BROKEN[broken]
    source = NAIVE.read_text(encoding="utf-8")
    assert source.count(right) == 1
    (tmp_path / "broken.py").write_text(source.replace(right, wrong), encoding="utf-8")
    found = compare(VECTORS, answers_of_command(f"{sys.executable} {tmp_path}/broken.py", VECTORS))
    assert failed(found.checks) == pinned
    assert not found.findings
    assert not found.conforms


def test_a_greedy_assignment_fails_the_vectors_that_pin_the_optimal_one(tmp_path: Path) -> None:
    greedy = """

def best_assignment(y, g):
    pairs = sorted(((sim(a, b), a, b) for a in y for b in g), reverse=True)
    total = 0.0
    while pairs:
        best, a, b = pairs[0]
        total += best
        pairs = [pair for pair in pairs if pair[1] != a and pair[2] != b]
    return total


main()
"""
    source = NAIVE.read_text(encoding="utf-8").replace('if __name__ == "__main__":\n    main()', greedy)
    (tmp_path / "greedy.py").write_text(source, encoding="utf-8")
    found = compare(VECTORS, answers_of_command(f"{sys.executable} {tmp_path}/greedy.py", VECTORS))
    assert failed(found.checks) == {"optimal-not-greedy", "re-optimal-not-greedy"}
    assert {check.name for check in found.checks if check.outcome == "failed"} == {"matched_lf1"}


# ---- What is compared, and how


@pytest.mark.parametrize(
    ("name", "got", "outcome"),
    [
        ("lf1", 0.639456, "met"),
        ("lf1", 0.6394569, "met"),
        ("lf1", 0.639459, "failed"),
        ("lf1", float("nan"), "failed"),
        ("lf1", float("inf"), "failed"),
        ("lf1", "0.639456", "failed"),
        ("lf1", [0.639456], "failed"),
        ("tp", 1, "met"),
        ("tp", 1.0, "met"),
        ("tp", 1.0000001, "failed"),
        ("tp", True, "failed"),
        ("invalid", False, "met"),
        ("invalid", 0, "failed"),
        ("invalid", "false", "failed"),
    ],
)
def test_scores_may_differ_by_a_millionth_all_else_is_exact(name: str, got: Any, outcome: str) -> None:
    vectors = one("figure-2-boundaries")
    (check,) = compare(vectors, Answers({"figure-2-boundaries": {name: got}}), [name]).checks
    assert (check.outcome, check.got) == (outcome, pytest.approx(got, nan_ok=True))


def test_what_a_scorer_gives_nowhere_is_not_given_and_no_failure(scorer: Command) -> None:
    answers = answers_of_command(
        scorer("for q in questions: print(json.dumps({'id': q['id'], 'invalid': 'output' in q, 'lf1': None}))"),
        vectors := [vector for vector in VECTORS if vector.section == "Strict JSON" and vector.expect.invalid],
    )
    found = compare(vectors, answers)
    assert found.conforms
    outcomes = {check.name: check.outcome for check in found.checks}
    assert outcomes.pop("invalid") == "met"
    assert set(outcomes.values()) == {"not given"}


def test_what_a_scorer_gives_somewhere_it_must_give_everywhere() -> None:
    vectors = [*one("exact"), *one("substitution")]
    found = compare(vectors, Answers({"exact": {"lf1": 1.0}, "substitution": {"f1": 0.0}}), ["lf1"])
    assert [(check.got, check.outcome) for check in found.checks] == [(1.0, "met"), (None, "failed")]


def test_a_scorer_that_gives_nothing_does_not_conform() -> None:
    found = compare(VECTORS, Answers({vector.id: {} for vector in VECTORS}))
    assert not found.conforms
    assert found.findings == [f"no score was given; the names are {', '.join(SCORE_NAMES)}"]


def test_only_the_names_that_were_asked_for_are_compared() -> None:
    found = compare(one("exact"), Answers({"exact": {"lf1": 1.0, "f1": 0.5}}), ["lf1"])
    assert found.conforms
    assert [check.name for check in found.checks] == ["lf1"]


# ---- How a command is spoken with


def test_a_question_is_a_line_of_ascii_with_all_that_a_scorer_needs_and_no_expectation() -> None:
    for vector in VECTORS:
        line = question_line(vector)
        assert line.isascii()
        assert "\n" not in line
        asked = json.loads(line)
        assert asked == vector.question()
        assert {"id", "task", "schemas", "gold"} < set(asked) <= {
            "id", "task", "schemas", "gold", "prediction", "output", "text"
        }  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "for q in questions: print(json.dumps({'id': q['id'], 'tp': 0}), flush=True)",
        "for q in reversed(questions): print(json.dumps({'id': q['id'], 'tp': 0}) + '\\r\\n')",
        "sys.stdout.write('\\ufeff' + ''.join(json.dumps({'id': q['id'], 'tp': 0.0, 'note': 'é' * 9000}) + '\\n' "
        "for q in questions).rstrip())",
    ],
    ids=["line by line", "backwards", "at once, with a mark and no last line break"],
)
def test_answers_may_come_in_any_order_and_at_any_time(scorer: Command, source: str) -> None:
    answers = answers_of_command(scorer(source), VECTORS)
    assert answers.findings == []
    assert answers.scores == {vector.id: {"tp": 0} for vector in VECTORS}


def test_neither_side_waits_for_the_other_where_pipes_are_full(scorer: Command) -> None:
    """Much more than a pipe holds is written before a line is read; and much is read before a line is answered."""
    many = VECTORS * 20
    source = "sys.stdout.write(' ' * 60000 + '\\n' * 300000); sys.stdout.flush()\nfor line in sys.stdin: pass"
    started = time.monotonic()
    assert answers_of_command(scorer(source, reading=False), many, timeout=30).findings == [
        f"{len(many)} of {len(many)} vectors were not answered: both-empty, prediction-empty, gold-empty, …"
    ]
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("'not json'", "not JSON: 'not json"),
        ('\'{"id": "exact", \'', "not JSON"),
        ("'[' * 60000", "not JSON"),
        ("'[1]'", "not an object with an id that is a string"),
        ("'{\"lf1\": 1}'", "not an object with an id that is a string"),
        ('\'{"id": ["exact"]}\'', "not an object with an id that is a string"),
        ('\'{"id": "exakt"}\'', "the id 'exakt' was not asked for"),
        ('\'{"id": "\\\\u001b[2J"}\'', "the id '\\x1b[2J' was not asked for"),
        ("' ' * 70000 + '1'", "longer than 64 KiB"),
        ("'\\udcff'", "not UTF-8"),
    ],
)
def test_a_line_that_is_no_answer_is_told_and_the_others_stand(scorer: Command, line: str, said: str) -> None:
    source = f"""
sys.stdout.reconfigure(errors='surrogateescape')
print({line})
print(json.dumps({{'id': 'exact', 'lf1': 1}}))
"""
    answers = answers_of_command(scorer(source), one("exact"))
    assert answers.scores == {"exact": {"lf1": 1}}
    (finding,) = answers.findings
    assert finding.startswith(f"line 1: {said}")


def test_of_two_answers_to_one_vector_the_first_stands_and_the_second_is_told(scorer: Command) -> None:
    source = "for lf1 in (1, 0): print(json.dumps({'id': 'exact', 'lf1': lf1}))"
    answers = answers_of_command(scorer(source), one("exact"))
    assert answers.scores == {"exact": {"lf1": 1}}
    assert answers.findings == ["line 2: the id 'exact' was answered before; the first answer stands"]


def test_values_that_are_no_numbers_fail_their_score_alone(scorer: Command) -> None:
    values = '{"lf1": NaN, "f1": -Infinity, "tp": 1e999, "gold": %s, "predicted": {"a": 1}, "malformed": [0]' % (
        "9" * 5000
    )
    source = f'print(\'{values}, "matched_lf1": "\' + \'x\' * 999 + \'", "off_schema": 0, "id": "exact"}}\')'
    answers = answers_of_command(scorer(source), one("exact"))
    assert answers.findings == []
    found = compare(one("exact"), answers)
    assert {check.name: check.outcome for check in found.checks if check.outcome != "failed"} == {
        "off_schema": "met",
        "lf1_by_schema": "not given",
        "invalid": "not given",
    }
    assert answers.scores["exact"]["matched_lf1"] == "x" * 60
    assert (answers.scores["exact"]["predicted"], answers.scores["exact"]["malformed"]) == ("an object", "a list")


def test_missing_answers_are_counted_and_named(scorer: Command) -> None:
    answers = answers_of_command(scorer("print(json.dumps({'id': 'both-empty', 'lf1': 1}))"), VECTORS)
    assert answers.findings == [
        f"{len(VECTORS) - 1} of {len(VECTORS)} vectors were not answered: prediction-empty, gold-empty, "
        "invalid-with-gold, …"
    ]
    assert not compare(VECTORS, answers, ["lf1"]).conforms


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sys.exit(3)", "the scorer ended with exit code 3"),
        ("os.kill(os.getpid(), 9)", "the scorer was ended by signal 9 (Killed)"),
    ],
)
def test_how_a_scorer_failed_is_told_though_it_answered(scorer: Command, source: str, said: str) -> None:
    answered = "print(json.dumps({'id': 'exact', 'lf1': 1}), flush=True)\n"
    answers = answers_of_command(scorer(answered + source), one("exact"))
    assert answers.scores == {"exact": {"lf1": 1}}
    assert answers.findings == [said]


def test_a_scorer_that_reads_nothing_and_ends_is_told(scorer: Command) -> None:
    answers = answers_of_command(scorer("", reading=False), VECTORS)
    assert answers.scores == {}
    assert len(answers.findings) == 1


@pytest.mark.parametrize("leaves", ["time.sleep(60)", "sys.stdout.close(); os.close(1); time.sleep(60)"])
def test_a_scorer_that_does_not_end_is_ended_with_all_that_it_started(
    scorer: Command, tmp_path: Path, leaves: str
) -> None:
    source = f"""
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open({str(tmp_path / "child")!r}, 'w').write(str(child.pid))
print(json.dumps({{'id': 'exact', 'lf1': 1}}), flush=True)
{leaves}
"""
    started = time.monotonic()
    answers = answers_of_command(scorer(source), one("exact"), timeout=1.5)
    assert time.monotonic() - started < 10
    assert answers.scores == {"exact": {"lf1": 1}}
    assert [finding[:32] for finding in answers.findings] == ["the scorer was ended after 1.5 s"]
    assert is_gone(int((tmp_path / "child").read_text()))


def is_gone(process: int) -> bool:
    """Whether a process has ended, perhaps without its parent's having looked."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{process}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("line", ["'x' * 1000", "'\\n' * 1000"], ids=["words", "nothing"])
def test_endless_output_is_bounded(scorer: Command, line: str) -> None:
    answers = answers_of_command(scorer(f"while True: print({line})", reading=False), one("exact"), timeout=30)
    assert answers.findings[-2:] == [
        "the scorer wrote more than 16 MiB and was ended",
        "1 of 1 vectors were not answered: exact",
    ]
    assert len(answers.findings) <= 23


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-scorer --fast", "cannot start the scorer 'no-such-scorer --fast': No such file or directory"),
        ("", "the scorer's command is empty"),
        ("python 'scorer.py", "cannot be read: No closing quotation; mend its quoting"),
        ("a\0b", "cannot be read: embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_started_is_the_user_s_to_mend(command: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        answers_of_command(command, VECTORS)
    assert said in str(error.value)
