"""The second opinion on scoring: the rules once more, slow and obvious, in pure Python.

Written from the specification alone; it imports nothing of `massie` and must stay that way. The suite compares the
product with it on random data, and `metrics/vectors.yaml` holds cases that both must meet. Read it top to bottom:
strings, answer text, records to items, similarity, scores, and totals where a benchmark is a mean over datasets.
As a command (`massie conformance "python naive.py"`) it scores the samples that it reads as JSON lines.

Schemas are a list of labels, never empty; for EE a list of `{"event_type": str, "roles": [str, ...]}`.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

# The code points with the Unicode property White_Space (Python's str.isspace adds U+001C..U+001F, which lack it).
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

TYPE_KEY = {"NER": "entity_type", "SF": "slot_type", "ED": "event_type", "RE": "relation", "EE": "event_type"}
FIELD_KEYS = {
    "NER": ["entity"],
    "SF": ["slot"],
    "ED": ["event_trigger"],
    "RE": ["head", "tail"],
    "EE": ["event_trigger"],
}
FLAT_TASKS = {"NER", "SF", "ED"}


# ---- strings


def normalise(s: str) -> str:
    """Unicode NFC, runs of white space collapsed to one space, trimmed; case is kept."""
    return re.sub(f"[{WHITE_SPACE}]+", " ", unicodedata.normalize("NFC", s)).strip(" ")


def normalise_label(s: str) -> str:
    """As `normalise`, then case-folded, then NFC again (folding can take composed letters apart)."""
    return unicodedata.normalize("NFC", normalise(s).casefold())


# ---- from a system's output to records

REASONING_TAG = "(?:think|thinking|reasoning|reflection|thought)"


def answer_text(output: str) -> str | None:
    """The part of a model's output that is its answer, or None where it never answered."""
    output = re.split(f"</{REASONING_TAG}>", output, flags=re.IGNORECASE)[-1]
    if re.search(f"<{REASONING_TAG}>", re.split(r"[\[{]", output)[0], flags=re.IGNORECASE):
        return None  # still reasoning when the output ended
    blocks = fenced_blocks(output)
    if blocks:
        return blocks[-1].strip()
    start = re.search(r"[\[{]", output)
    return balanced(output[start.start() :]) if start else None


def fenced_blocks(output: str) -> list[str]:
    """The contents of the closed fenced code blocks: opened at the end of a line, closed by a line of their own."""
    blocks: list[str] = []
    inside: list[str] | None = None  # the lines of the block being read
    for line in output.split("\n"):
        if inside is None:
            if re.fullmatch(r"[^`]*```[^`]*", line):  # opening fence, with or without an info string
                inside = []
        elif line.strip() == "```":
            blocks.append("\n".join(inside))
            inside = None
        else:
            inside.append(line)
    return blocks  # a block that was never closed is no block


def balanced(text: str) -> str | None:
    """`text` (which starts with a bracket) up to the bracket that closes its first one; None where none does."""
    depth, in_string, escaped = 0, False, False
    for position, character in enumerate(text):
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
            if depth == 0:
                return text[: position + 1]
    return None


DEEPEST = 100


def levels(answer: str) -> int:
    """In how many levels the brackets of an answer are nested, up to where they are balanced."""
    deepest = depth = 0
    in_string = escaped = False
    for character in answer:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
            if depth == 0:
                break
    return deepest


def parse_answer(text: str, task: str) -> list[Any] | None:
    """The records in a model's output, malformed ones included as they are; None where the structure is invalid."""
    answer = answer_text(text)
    if answer is None or levels(answer) > DEEPEST:
        return None
    try:
        value = json.loads(answer, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and task in FLAT_TASKS:
        records: list[Any] = []
        for label, spans in value.items():
            if isinstance(spans, list):
                records += [{FIELD_KEYS[task][0]: span, TYPE_KEY[task]: label} for span in spans]
            else:
                records.append(None)  # one malformed record
        return records
    return None


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


# ---- from records to items


class Item(NamedTuple):
    """What is compared: fields, in a direction. All strings are normalised."""

    direction: tuple[str, ...]  # (label,), or (event type, role) for an argument
    fields: tuple[str, ...]


@dataclass
class Items:
    """The items of a list of records; `off_schema` are those of `found` whose label was not asked for."""

    found: set[Item]
    off_schema: set[Item]
    malformed: int


def items(records: Sequence[Any], task: str, schemas: Sequence[Any], *, is_gold: bool = False) -> Items:
    """The distinct items of `records` and the number of malformed records among them (each counts, alike or not).

    A predicted span that is empty is malformed; gold is taken as it is, and malformed gold is a ValueError.
    """
    asked = directions(task, schemas)
    found: set[Item] = set()
    malformed = 0
    for record in records:
        label = label_of(record, TYPE_KEY[task])
        spans = [span_of(record, key, is_gold) for key in FIELD_KEYS[task]]
        fields = tuple(span for span in spans if span is not None)
        arguments = value_of(record, "arguments") if task == "EE" else []
        if label is None or len(fields) < len(spans) or not isinstance(arguments, list):
            malformed += 1
            continue
        found.add(Item((label,), fields))
        for entry in arguments:
            role, argument = label_of(entry, "role"), span_of(entry, "argument", is_gold)
            if role is None or argument is None:
                malformed += 1
            else:
                found.add(Item((label, role), (argument,)))
    if is_gold and malformed:
        raise ValueError(f"{malformed} malformed gold records")
    return Items(found, {item for item in found if item.direction not in asked}, malformed)


def directions(task: str, schemas: Sequence[Any]) -> set[tuple[str, ...]]:
    """Every direction that the sample asks for."""
    if task != "EE":
        return {(normalise_label(label),) for label in schemas}
    types = {(normalise_label(schema["event_type"]),) for schema in schemas}
    roles = {
        (normalise_label(schema["event_type"]), normalise_label(role)) for schema in schemas for role in schema["roles"]
    }
    return types | roles


def value_of(record: Any, key: str) -> Any:
    """The value at `key`, or None where `record` is no object or lacks the key."""
    return record.get(key) if isinstance(record, dict) else None


def label_of(record: Any, key: str) -> str | None:
    """The normalised label at `key`, or None where that is missing or no string."""
    value = value_of(record, key)
    return normalise_label(value) if isinstance(value, str) else None


def span_of(record: Any, key: str, may_be_empty: bool) -> str | None:
    """The normalised span at `key`, or None where that is missing, no string, or empty and must not be."""
    value = value_of(record, key)
    if not isinstance(value, str):
        return None
    return normalise(value) if may_be_empty or normalise(value) else None


# ---- similarity


def levenshtein(a: str, b: str) -> int:
    """The least number of insertions, deletions and substitutions of code points that turns `a` into `b`."""
    row = list(range(len(b) + 1))  # row[j] = distance from the part of a seen so far to b[:j]
    for i, x in enumerate(a, start=1):
        previous, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def sim(y: Item, g: Item) -> float:
    """1 for equal items, 0 for items of different directions."""
    if y.direction != g.direction:
        return 0.0
    pairs = list(zip(y.fields, g.fields, strict=True))
    longest = sum(max(len(a), len(b)) for a, b in pairs)
    return 1 - sum(levenshtein(a, b) for a, b in pairs) / longest if longest else 1.0


# ---- scores, all in 0..1


def f_measure(p_sum: float, predicted: int, r_sum: float, gold: int) -> float:
    """2PR/(P+R) for P = p_sum/predicted, R = r_sum/gold; 1 where both sides are empty, 0 where one is."""
    if predicted == 0 or gold == 0:
        return float(predicted == gold)
    p, r = p_sum / predicted, r_sum / gold
    return 2 * p * r / (p + r) if p + r else 0.0


def lf1(y: set[Item], g: set[Item], malformed: int = 0) -> float:
    """Soft precision and recall by the best match of each item; a malformed record is an item without any match."""
    p_sum = sum(max((sim(a, b) for b in g), default=0.0) for a in y)
    r_sum = sum(max((sim(a, b) for a in y), default=0.0) for b in g)
    return f_measure(p_sum, len(y) + malformed, r_sum, len(g))


def best_assignment(y: set[Item], g: set[Item]) -> float:
    """The largest sum of similarities over one-to-one pairings, by trying them all (exponential in the smaller set)."""
    few, many = sorted([sorted(y), sorted(g)], key=len)

    @cache
    def best(position: int, free: frozenset[int]) -> float:
        """The largest sum that many[position:] can reach with the `free` members of few."""
        if position == len(many) or not free:
            return 0.0
        unpaired = best(position + 1, free)
        return max([unpaired] + [sim(few[i], many[position]) + best(position + 1, free - {i}) for i in free])

    return best(0, frozenset(range(len(few))))


def resembles(y: Item, g: Item) -> bool:
    """Whether two items have anything in common, whatever their directions."""
    return len(y.fields) == len(g.fields) and sim(y, Item(y.direction, g.fields)) > 0


def error_kinds(y: set[Item], g: set[Item]) -> dict[str, int]:
    """Of what kind each unmatched item is; malformed records are of none.

    A predicted item is a `type` error if its fields are those of a gold item of another direction (what is right but
    for its type is that, whatever else it resembles), else a `boundary` error if it resembles a gold item of its own
    direction, else `both` if it resembles one of another, else `spurious`. A gold item is `missed` if no predicted item
    resembles it.
    """
    kinds = {"boundary": 0, "type": 0, "both": 0, "spurious": 0, "missed": 0}
    for item in y - g:
        if any(item.fields == other.fields for other in g):
            kinds["type"] += 1
        elif any(sim(item, other) > 0 for other in g):
            kinds["boundary"] += 1
        elif any(resembles(item, other) for other in g):
            kinds["both"] += 1
        else:
            kinds["spurious"] += 1
    kinds["missed"] = sum(not any(resembles(item, other) for other in y) for item in g - y)
    return kinds


def score(
    task: str,
    schemas: Sequence[Any],
    gold: Sequence[Any],
    prediction: str | Sequence[Any] | None,
    text: str | None = None,
) -> dict[str, Any]:
    """Score one sample. `prediction` is a model's raw output (a string), a list of records, or None for invalid.

    `gold` is a list of canonical records. The keys are those of `expect` in `metrics/vectors.yaml`; `hallucinated` is
    there only where `text` is given.
    """
    records = parse_answer(prediction, task) if isinstance(prediction, str) else prediction
    invalid = records is None
    predicted = items(records or [], task, schemas)
    y, g, malformed = predicted.found, items(gold, task, schemas, is_gold=True).found, predicted.malformed
    n_predicted = len(y) + malformed
    tp, assigned = len(y & g), best_assignment(y, g)

    by_schema: list[float] = []
    for label in {direction[0] for direction in directions(task, schemas)}:
        of_y = {item for item in y - predicted.off_schema if item.direction[0] == label}
        of_g = {item for item in g if item.direction[0] == label}
        by_schema.append(lf1(of_y, of_g))

    result: dict[str, Any] = {
        "lf1": 0.0 if invalid else lf1(y, g, malformed),
        "f1": 0.0 if invalid else f_measure(tp, n_predicted, tp, len(g)),
        "lf1_by_schema": 0.0 if invalid else sum(by_schema) / len(by_schema),
        "matched_lf1": 0.0 if invalid else f_measure(assigned, n_predicted, assigned, len(g)),
        "tp": tp,
        "predicted": n_predicted,
        "gold": len(g),
        "invalid": invalid,
        "malformed": malformed,
        "off_schema": len(predicted.off_schema),
        **error_kinds(y, g),
    }
    if text is not None:
        source = normalise(text)
        result["hallucinated"] = sum(any(field not in source for field in item.fields) for item in y - g)
    return result


# ---- totals over datasets, in 0..100


def micro_f1_over_datasets(samples: Sequence[dict[str, Any]], groups: dict[str, list[str]]) -> float | None:
    """The plain mean of the micro F1 of each dataset, over all its languages; None where no dataset has one.

    A sample has "dataset", "tp", "predicted" and "gold"; `groups` are datasets that count as one, under a name.
    """
    name_of = {dataset: name for name, members in groups.items() for dataset in members}
    of_datasets: list[float] = []
    for name in sorted({name_of.get(sample["dataset"], sample["dataset"]) for sample in samples}):
        mine = [sample for sample in samples if name_of.get(sample["dataset"], sample["dataset"]) == name]
        tp = sum(sample["tp"] for sample in mine)
        both = sum(sample["predicted"] for sample in mine) + sum(sample["gold"] for sample in mine)
        if both:
            of_datasets.append(200 * tp / both)
    return sum(of_datasets) / len(of_datasets) if of_datasets else None


def lf1_over_datasets(samples: Sequence[dict[str, Any]], groups: dict[str, list[str]]) -> float:
    """The plain mean over datasets of the mean LF1 of each one's samples, whatever their language."""
    of_datasets: dict[str, list[float]] = {}
    name_of = {dataset: name for name, members in groups.items() for dataset in members}
    for sample in samples:
        of_datasets.setdefault(name_of.get(sample["dataset"], sample["dataset"]), []).append(sample["lf1"])
    means = [100 * sum(scores) / len(scores) for scores in of_datasets.values()]
    return sum(means) / len(means)


# ---- as a command


def main() -> None:
    """Score the sample of each line on standard input, in a line on standard output."""
    for line in sys.stdin:
        case = json.loads(line)
        prediction = case["output"] if "output" in case else case["prediction"]
        scores = score(case["task"], case["schemas"], case["gold"], prediction, case.get("text"))
        print(json.dumps({"id": case["id"], **scores}))


if __name__ == "__main__":
    main()
