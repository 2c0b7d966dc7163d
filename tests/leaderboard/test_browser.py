"""The board as its readers meet it: a started server and a headless Chromium."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from massie._content import content_folder
from massie.results import Result, write_result

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CHROMIUM = os.environ.get("MASSIE_CHROMIUM") or shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAGES = ("", "languages", "system", "status")
LONG = "a-name-without-any-place-to-break-" * 5
SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
MARKDOWN = "[click](javascript:window.hacked=1) **bold** ![i](http://127.0.0.1:1/i.png) $x$ :red[r] `c`"


def result(name: str, score: float, **changes: Any) -> dict[str, Any]:
    """A result as plain data, with scores of NER in five languages."""
    value = {"value": score, "low": max(0.0, score - 2), "high": min(100.0, score + 2)}
    counts = {"invalid": 4, "predicted": 100, "malformed": 10, "boundary": 10, "missed": 20}
    row = {"instances": 100, "samples": 200, "scores": {"lf1": value, "f1": value}, "diagnostics": counts}
    places = [("overall", None, "overall"), ("task", "NER", "NER"), ("cell", "NER", "set-one/eng")]
    places += [("language", "NER", code) for code in ("eng", "swa", "tur", "ara", "vie")]
    plain: dict[str, Any] = {
        "schema_version": 2,
        "system": {
            "name": name,
            "kind": "language model",
            "parameters": 8_000_000_000,
            "url": "https://example.org/" + LONG,
        },
        "benchmark": {"id": "m-demo", "version": "1", "manifest_digest": "0" * 64, "split": "test"},
        "adapter": "openai",
        "options": {},
        "command": f"massie run m-demo --adapter openai --model {name}",
        "created": "2026-11-21T00:00:00Z",
        "massie_version": "0.1.0",
        "environment": {},
        "bootstrap": {"replicates": 1000},
        "partial": False,
        "coverage": {"cells": 5, "cells_of": 5, "samples": 400, "samples_of": 400},
        "usage": {"seconds": 20.0},
        "rows": [{"level": level, "task": task, "key": key, **row} for level, task, key in places],
    }
    return plain | changes


def fill(runs: Path) -> None:
    """Good results, hostile ones that load (texts are free), and hostile ones that must not."""
    good = {
        "strong": result("strong", 60.0),
        "weak": result("weak", 40.0),
        "long": result(LONG, 50.0),
        "script": result(SCRIPT, 30.0),
        "markdown": result(MARKDOWN, 20.0),
    }
    for folder, plain in good.items():
        (runs / folder / "m-demo").mkdir(parents=True)
        write_result(Result.model_validate(plain), runs / folder / "m-demo" / "result.json")
    bad = {
        "bad-long-name": json.dumps(result("x" * 10_000_000, 50.0)),
        "bad-types": json.dumps(result("bad", 50.0, rows="many")),
        "bad-truncated": json.dumps(result("bad", 50.0))[:500],
        "bad-nesting": "[" * 100_000,
        "bad-key": json.dumps(result("bad", 50.0) | {SCRIPT: 1}),
        "bad-<img src=x onerror='window.hacked=1'>": "{",
    }
    for folder, text in bad.items():
        (runs / folder).mkdir()
        (runs / folder / "result.json").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str, None, None]:
    """A running board's address."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "runs").mkdir()
    fill(folder / "runs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MASSIE_RUNS": str(folder / "runs"), "MASSIE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "streamlit", "run", str(content_folder("leaderboard") / "app.py")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--server.port", str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait_for(health: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the board did not start"
        try:
            with urllib.request.urlopen(health, timeout=1):
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("the board does not answer")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser, None, None]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install it, or set MASSIE_CHROMIUM to its executable")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Generator[Page, None, None]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def open_page(page: Page, address: str) -> None:
    """Open an address and wait until the page has been drawn."""
    page.goto(address)
    expect(page.locator("h1")).to_be_visible(timeout=60_000)
    settle(page)


def settle(page: Page) -> None:
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=30_000)
    page.wait_for_timeout(300)


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a list."""
    page.get_by_role("combobox", name=label, exact=True).fill(option)
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def table_text(page: Page, place: int = 0) -> str:
    """What a data frame says to a screen reader (its cells are drawn on a canvas)."""
    return page.get_by_test_id("stDataFrame").nth(place).locator("table").inner_text()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_without_an_error(page: Page, address: str, name: str) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    open_page(page, f"{address}/{name}")
    assert page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in page.inner_text("body")
    assert not faults


@pytest.mark.parametrize("name", PAGES)
def test_no_page_asks_another_server_for_anything(page: Page, address: str, name: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, f"{address}/{name}")
    strangers = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not strangers


@pytest.mark.parametrize("width", [390, 1920])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_sideways(browser: Browser, address: str, name: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    open_page(page, f"{address}/{name}?system={LONG}")
    for place in ("html", "[data-testid=stMain]"):
        assert page.locator(place).evaluate("element => element.scrollWidth - element.clientWidth") <= 0, place
    wide = "elements => elements.filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
    inside = "[data-testid=stMainBlockContainer] [data-testid=stElementContainer]"
    assert page.locator(inside).evaluate_all(wide) == 0
    context.close()


def test_systems_are_filtered_and_the_link_reproduces_the_view(page: Page, address: str, browser: Browser) -> None:
    open_page(page, address)
    assert "strong" in table_text(page)
    choose(page, "Task", "NER named entity recognition")
    choose(page, "Languages", "Language: Swahili (swa)")
    choose(page, "Score", "F1")
    assert "score=F1" in page.url
    link = page.get_by_test_id("stCode").last.inner_text().replace("\n", "").strip()
    assert link.startswith(f"{address}/?")
    before = table_text(page)
    other = browser.new_context().new_page()
    open_page(other, link)
    assert table_text(other) == before
    assert "F1" in before
    other.context.close()


def test_a_list_is_worked_by_keyboard_alone(page: Page, address: str) -> None:
    open_page(page, address)
    page.get_by_role("combobox", name="Task", exact=True).focus()
    page.keyboard.type("NER")
    page.keyboard.press("Enter")
    settle(page)
    assert "task=NER" in page.url


def test_the_pages_are_reached_from_the_navigation(page: Page, address: str) -> None:
    open_page(page, address)
    for title in ("Languages", "System", "Status"):
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.locator("h1", has_text=title)).to_be_visible()
        settle(page)


def test_a_selected_row_leads_to_the_page_of_its_system(page: Page, address: str) -> None:
    open_page(page, address)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + 50)  # the box of the first row; cells are drawn on a canvas
    page.get_by_role("link", name="Open the selected system").click()
    expect(page.locator("h1", has_text="System")).to_be_visible()
    expect(page.get_by_role("combobox", name="System", exact=True)).to_have_value("strong")


def test_a_table_is_downloaded_as_csv(page: Page, address: str) -> None:
    open_page(page, address)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["System"] for row in rows[:2]] == ["strong", LONG]
    assert rows[0]["LF1"] == "60.0"


@pytest.mark.parametrize("name", [*PAGES, "system?system=" + SCRIPT, "?languages=" + SCRIPT])
def test_hostile_results_run_nothing_and_are_shown_as_text(page: Page, address: str, name: str) -> None:
    open_page(page, f"{address}/{name}")
    assert page.evaluate("window.hacked") is None
    assert page.locator("[data-testid=stMain] img[src*='127.0.0.1:1']").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.get_by_test_id("stException").count() == 0


def test_the_status_page_names_every_rejected_result(page: Page, address: str) -> None:
    open_page(page, f"{address}/status")
    expect(page.get_by_text("Left out: 6")).to_be_visible()
    page.get_by_text("Reasons in full").click()
    settle(page)
    text = page.inner_text("body")
    for folder in ("bad-long-name", "bad-types", "bad-truncated", "bad-nesting", "bad-key", "bad-<img src=x"):
        assert folder in text
    assert page.evaluate("window.hacked") is None
