"""The jobs of a batch API on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massie.adapters.batch_files import Job, line_of, read_jobs, write_jobs, write_whole
from massie.adapters.batch_results import Response, Result
from massie.types import RunError


def lines(*keys: str) -> list[bytes]:
    return [line_of(key, {"messages": [{"role": "user", "content": key}]}) for key in keys]


def written(folder: Path, *keys: str, requests: int = 100, size: int = 10_000) -> list[Job]:
    return list(write_jobs(folder, lines(*keys), requests, size))


def uploaded(folder: Path, *keys: str) -> Job:
    [job] = written(folder, *keys)
    job.file, job.batch = "file-1", "batch_1"
    job.save()
    return job


def keys(job: Job) -> list[str]:
    return [key for key, _ in job.lines()]


@given(st.text(), st.text())
def test_a_line_is_one_line_whatever_it_holds(key: str, text: str) -> None:
    line = line_of(key, {"content": text})
    assert len(line.decode("ascii").splitlines()) == 1
    read = json.loads(line)
    assert (read["custom_id"], read["method"], read["url"]) == (key, "POST", "/v1/chat/completions")
    assert read["body"] == {"content": text}


@given(st.lists(st.text(), unique=True, max_size=20), st.integers(1, 5), st.integers(1, 1000))
def test_jobs_hold_all_lines_in_order_within_the_limits(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], requests: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("jobs")
    jobs = written(folder, *ids, requests=requests, size=size)
    assert [key for job in jobs for key in keys(job)] == ids
    assert [line for job in jobs for _, line in job.lines()] == lines(*ids)
    for job in jobs:
        assert 1 <= job.requests == len(keys(job)) <= requests
        assert job.requests == 1 or job.input.stat().st_size <= size


def test_a_job_is_found_again_as_it_was_noted(tmp_path: Path) -> None:
    job = uploaded(tmp_path, "a", "b")
    [found] = read_jobs(tmp_path)
    assert (found.token, found.requests, found.file, found.batch) == (job.token, 2, "file-1", "batch_1")
    assert keys(found) == ["a", "b"]


def test_jobs_are_found_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    for number in range(12):
        uploaded(tmp_path, str(number))
    (tmp_path / "0012").rename(tmp_path / "10000")
    assert [keys(job) for job in read_jobs(tmp_path)] == [[str(number)] for number in range(12)]
    assert uploaded(tmp_path, "next").folder.name == "10001"


def test_a_job_that_was_never_uploaded_is_none(tmp_path: Path) -> None:
    [job] = written(tmp_path, "a")
    half = tmp_path / "0002"
    half.mkdir()
    (half / "requests.jsonl").write_bytes(b'{"custom_')
    assert read_jobs(tmp_path) == []
    assert not job.folder.exists()
    assert not half.exists()


def test_a_folder_that_is_not_there_holds_no_job(tmp_path: Path) -> None:
    assert read_jobs(tmp_path / "none") == []


def test_a_damaged_note_is_told_of_with_what_to_do(tmp_path: Path) -> None:
    job = uploaded(tmp_path, "a")
    (job.folder / "job.json").write_text('{"token": 1', encoding="utf-8")
    with pytest.raises(RunError, match=f"remove the folder {job.folder} to have its requests asked again"):
        read_jobs(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="file/0001: cannot be written: Not a directory"):
        written(tmp_path / "file", "a")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    write_whole(path, [b"first"])
    with pytest.raises(RuntimeError):
        write_whole(path, (part for part in [b"sec", failing()]))
    assert path.read_bytes() == b"first"


def failing() -> bytes:
    raise RuntimeError


def result(key: str) -> bytes:
    return Result(custom_id=key, response=Response(status_code=200, body={})).model_dump_json().encode() + b"\n"


def test_answers_come_before_errors_and_broken_lines_say_nothing(tmp_path: Path) -> None:
    job = uploaded(tmp_path, "a", "b", "c")
    assert not job.collected
    job.answers.write_bytes(result("a") + b'{"custom_id": "b", "resp\n' + b"\xff\n[]\n")
    assert not job.collected
    job.errors.write_bytes(b'{"custom_id": "c", "response": null, "error": {"code": "batch_expired"}}\n')
    assert job.collected
    assert [(told.custom_id, told.error) for told in job.results()] == [("a", None), ("c", {"code": "batch_expired"})]


def test_of_a_job_only_the_answers_to_certain_requests_may_be_kept(tmp_path: Path) -> None:
    job = uploaded(tmp_path, "a", "b", "c")
    job.answers.write_bytes(result("b") + result("a"))
    job.errors.write_bytes(result("c"))
    job.keep_only({"a"})
    [found] = read_jobs(tmp_path)
    assert keys(found) == ["a"]
    assert found.collected
    assert [told.custom_id for told in found.results()] == ["a"]


def test_a_job_of_which_nothing_is_to_be_kept_goes(tmp_path: Path) -> None:
    job = uploaded(tmp_path, "a")
    job.keep_only(set())
    assert not job.folder.exists()
