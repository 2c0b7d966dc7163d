"""The package as others install it: wheel and sdist hold the content, and the main job runs from them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

CONTENT = ("tasks", "prompts", "metrics", "leaderboard")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdist and wheel (the wheel made from the sdist), built from a copy of what git tracks."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source, cwd=folder)
    return folder / "dist"


def content_files() -> set[str]:
    kept = {".yaml", ".json", ".jsonl", ".py", ".toml"}
    return {
        path.relative_to(ROOT).as_posix()
        for folder in CONTENT
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in kept and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_all_content_and_one_import_name(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"massie/_content/{name}" for name in content_files()} <= names
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"massie"}
    assert "massie/py.typed" in names
    assert not [name for name in names if name.startswith(("massie/_content/tests", "massie/_content/runs"))]


def test_the_sdist_holds_all_content(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert content_files() <= names


def test_the_main_job_runs_from_the_wheel_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    # The versions that the lock pins: what is tested is the wheel, not today's newest release of everything.
    pins = run(sys.executable, "-m", "pip", "freeze", "--exclude-editable", cwd=tmp_path)
    (tmp_path / "pins.txt").write_text(pins)
    run(python, "-m", "pip", "install", "--quiet", "--constraint", tmp_path / "pins.txt", wheel, cwd=tmp_path)
    output = run(environment / "bin" / "massie", "run", "m-demo", "--adapter", "lexicon", cwd=tmp_path)
    assert "lexicon on m-demo" in output
    assert (tmp_path / "runs" / "local" / "lexicon" / "m-demo" / "result.json").is_file()
    place = run(python, "-c", "import massie; print(massie.__file__)", cwd=tmp_path)
    assert str(environment) in place


def test_the_editable_install_adds_no_other_import_name() -> None:
    names = ("tasks", "metrics", "prompts", "tests", "leaderboard")
    script = f"import importlib.util as u; print([name for name in {names} if u.find_spec(name)])"
    assert run(sys.executable, "-P", "-c", script, cwd=Path("/")).strip() == "[]"
