"""The house checks itself: who imports whom, what is content and what engine, what is public."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import massie
from massie.adapters import load_adapter
from massie.build import Benchmark, load_benchmark
from massie.catalogue import Catalogue, language
from massie.prompting import prompt_ids, read_prompt
from massie.readers import READERS
from massie.results import read_result
from massie.results.scores import aggregate, score
from massie.scoring import ScoredSample, cell_scores, score_sample
from massie.types import Answer, Cell, Mention, Schema, Span, Task, UnknownNameError, record_as_json

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "massie"

ROOMS = [
    "types", "catalogue", "sources", "readers", "build", "prompting",
    "adapters", "running", "scoring", "results", "cli",
]  # fmt: skip
BELOW_ALL_ROOMS = {"_collector", "_content", "_version"}
HEAVY = {
    "aiohttp", "datasets", "datasketch", "dspy", "genai_prices", "gliner", "openai", "pandas", "ray", "rouge_score",
    "sacrebleu", "scipy", "sentence_transformers", "streamlit", "tiktoken", "tokenizers", "torch", "transformers",
    "vllm",
}  # fmt: skip

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports, each with whether it does so inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [node.module or ""]
        for name in names:
            yield name, id(node) in inside


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_stands_before_it(path: Path) -> None:
    room = room_of(path)
    if room not in ROOMS:  # massie/__init__.py names its places as text, loaded on use; the others import no room
        return
    for name, _ in imports(path):
        if name == "massie" or name.startswith("massie."):
            parts = name.split(".")
            assert len(parts) > 1, f"{path} imports the package itself"
            target = parts[1]
            allowed = target in BELOW_ALL_ROOMS or ROOMS.index(target) <= ROOMS.index(room)
            assert allowed, f"{path}: the room {room} imports {name}, which stands after it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    hidden = {name.split(".")[0] for name, is_inside in imports(path) if is_inside}
    assert hidden <= HEAVY, f"{path} hides imports of {sorted(hidden - HEAVY)} inside functions"


def test_scoring_knows_nothing_of_runs_files_or_answer_texts() -> None:
    for path in (PACKAGE / "scoring").glob("*.py"):
        rooms = {name.split(".")[1] for name, _ in imports(path) if name.startswith("massie.")}
        assert rooms <= {"_collector", "types", "scoring"}


def test_the_board_reads_results_and_the_catalogue_but_no_predictions() -> None:
    for path in (ROOT / "leaderboard").rglob("*.py"):
        rooms = {name.split(".")[1] for name, _ in imports(path) if name.startswith("massie.")}
        assert rooms <= {"_collector", "_content", "_version", "types", "catalogue", "results", "scoring"}, path


def test_every_room_is_in_the_list_and_installed() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ROOMS)
    setup = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"massie.{room}"' in setup for room in ROOMS)


def test_every_folder_of_tests_is_collected(pytestconfig: pytest.Config) -> None:
    """Pytest passes folders called build and the like over, unless it is told otherwise."""
    passed_over: list[str] = pytestconfig.getini("norecursedirs")
    for folder in {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}:
        assert not [part for part in folder.parts for pattern in passed_over if fnmatch(part, pattern)], folder


def test_content_folders_hold_no_python() -> None:
    for folder in ("tasks", "prompts", "metrics", "runs"):
        assert not list((ROOT / folder).rglob("*.py"))


def test_every_card_benchmark_and_prompt_validates() -> None:
    catalogue = Catalogue.default()
    for card in catalogue.cards():
        assert card.reader is None or card.reader.name in READERS
        for made in card.splits:
            assert made.of in card.raw_splits()
    for name in catalogue.benchmark_paths:
        definition = catalogue.benchmark(name)
        assert catalogue.datasets_of(definition)
        assert definition.negatives in catalogue.negatives_paths
    for name in catalogue.negatives_paths:
        assert catalogue.negatives(name).negatives
    for prompt_id in prompt_ids():
        read_prompt(ROOT / "prompts" / f"{prompt_id}.yaml")


def test_no_card_says_a_dataset_name_that_the_engine_says_too() -> None:
    """What is particular to a dataset is in its card: no id of one stands in the engine's code."""
    names = [name for name in Catalogue.default().card_paths if len(name) > 4 and name.isalnum()]
    for path in MODULES:
        literals = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not literals.intersection(names), path


def test_importing_massie_loads_nothing_heavy() -> None:
    script = "import sys, json, massie; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert not {"torch", "datasets", "pandas", "streamlit", "numpy", "pyarrow", "pydantic", "httpx"}.intersection(
        loaded
    )


def test_the_help_of_the_command_loads_nothing_heavy() -> None:
    script = (
        "import sys, json\nfrom massie.cli.main import main\nsys.argv = ['massie', '--help']\n"
        "try: main()\nexcept SystemExit: pass\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    loaded = json.loads(output.strip().splitlines()[-1])
    assert not {"torch", "datasets", "pandas", "streamlit", "numpy", "pyarrow", "httpx"}.intersection(loaded)


def test_what_the_board_loads_of_massie_is_light() -> None:
    script = "import sys, json, massie.results, massie.catalogue; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert not {"pyarrow", "httpx", "scipy", "jinja2", "massie.build", "massie.adapters", "massie.running"} & set(
        loaded
    )


def test_the_public_names_of_massie() -> None:
    assert massie.__all__ == [
        "Adapter", "Benchmark", "Card", "Catalogue", "Comparison", "Instance", "MassieError", "Prediction", "Result",
        "Role", "Sample", "Schema", "Scores", "Split", "SystemCard", "Task", "Usage", "UserError", "__version__",
        "compare", "lf1", "load_adapter", "load_benchmark", "micro_f1", "read_result", "score",
    ]  # fmt: skip
    for name in massie.__all__:
        assert getattr(massie, name) is not None


def test_unknown_names_suggest_the_nearest() -> None:
    catalogue = Catalogue.default()
    for ask, nearest in [
        (lambda: catalogue.card("masakaner20"), "masakhaner20"),
        (lambda: catalogue.benchmark("m-lite"), "m-light"),
        (lambda: language("swh2"), "swh"),
        (lambda: load_adapter("lexikon"), "lexicon"),
        (lambda: load_benchmark("m-demo", task="NERR"), "NER"),
        (lambda: load_benchmark("m-demo", dataset="demo-everday"), "demo-everyday"),
    ]:
        with pytest.raises(UnknownNameError) as error:
            ask()
        assert nearest in str(error.value)


def test_gold_never_passes_through_a_text_form() -> None:
    """Gold with everything that breaks text forms still scores exactly 100."""
    surfaces = ['a, "b"', "x: [y]", "}{", "\\", "```", "<think>", "a\tb", "null", "\u202eא", "𝔘 e\u0301"]
    gold = tuple(Span("label: [1]", Mention(surface, ())) for surface in surfaces)
    answer = Answer([record_as_json(record, Task.NER) for record in gold])
    scores = score_sample(Task.NER, (Schema("label: [1]"),), gold, answer, " ".join(surfaces))
    rows = aggregate(cell_scores([ScoredSample(Cell(Task.NER, "d", "eng"), "s", "i", scores)]), replicates=10).rows
    assert all(interval.value == interval.low == interval.high == 100 for interval in rows[0].scores.values())


PUBLISHED = sorted((ROOT / "runs").glob("*/*/result.json"))


def test_the_reference_rows_are_published() -> None:
    published = {path.relative_to(ROOT / "runs").parts[:2] for path in PUBLISHED}
    assert {("empty", "m-demo"), ("gold", "m-demo"), ("lexicon", "m-demo")} <= published


@pytest.fixture(scope="module")
def demo() -> Benchmark:
    return load_benchmark("m-demo")


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_every_published_result_loads(path: Path) -> None:
    result = read_result(path)
    assert not result.partial
    assert str(ROOT) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["empty", "gold", "lexicon"])
def test_the_published_reference_rows_are_what_the_systems_score_today(name: str, demo: Benchmark) -> None:
    result = read_result(ROOT / "runs" / name / "m-demo" / "result.json")
    assert result.benchmark.manifest_digest == demo.digest
    adapter = load_adapter(name)
    if hasattr(adapter, "prepare"):
        adapter.prepare(demo)
    today = score(demo, adapter.predict([sample.without_gold() for sample in demo.samples()]))
    assert len(today.rows) == len(result.rows)
    for row, published in zip(today.rows, result.rows, strict=True):
        assert (row.level, row.task, row.key) == (published.level, published.task, published.key)
        for score_name, interval in row.scores.items():
            stated = published.scores[score_name]
            assert (interval.value, interval.low, interval.high) == (stated.value, stated.low, stated.high)
