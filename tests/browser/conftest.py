"""JupyterLab on loopback and a headless Chromium that looks at it; without a browser these tests are skipped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Playwright, sync_playwright

from agentrefine_lib.schema import Trajectory

ROOT = Path(__file__).parents[2]
SHOTS = Path(os.environ.get("AGENTREFINE_SHOTS", ""))  # a folder that keeps the screenshots
DOWNLOAD = "download"
PATIENCE = 120_000  # milliseconds that anything may take on a machine with other work to do
RUN_ALL = 300_000  # milliseconds for all cells of a chapter, which tunes a model and plays it
HARMLESS = ("favicon", "Failed to load resource", "unload is not allowed", "WebSocket", "net::ERR")  # no network here
CONTROLS = "button|checkbox|combobox|listbox|option|progressbar|region|searchbox|spinbutton|textbox"
ERROR = "[data-mime-type='application/vnd.jupyter.error']"
ENDED = """error => document.querySelector(error)
  || /^\\[\\d+\\]:$/.test([...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1).innerText.trim())"""


class Lab(NamedTuple):
    """A running JupyterLab and the folder it serves."""

    url: str
    folder: Path
    token: str


@pytest.fixture(scope="module")  # while it lives, no other event loop runs in this thread: other tests need theirs
def browser(trajectories: list[Trajectory], tiny: Path) -> Iterator[Browser]:
    """An installed Chromium or Chrome, else playwright's own. What needs an event loop is made before it."""
    with sync_playwright() as playwright:
        browser = started(playwright)
        yield browser
        browser.close()


def started(playwright: Playwright) -> Browser:
    """The first browser that starts; without any the test is skipped, and the reason says what to install."""
    installed = map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    reasons = []
    for path in [*filter(None, installed), None, DOWNLOAD]:
        if path is DOWNLOAD:
            install = [sys.executable, "-m", "playwright", "install", "chromium"]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(install, timeout=150, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        try:
            return playwright.chromium.launch(executable_path=path if path != DOWNLOAD else None, args=["--no-sandbox"])
        except Error as error:
            reasons.append(f"{path or 'playwright'}: {str(error).strip().partition(chr(10))[0]}")
    pytest.skip(f"no browser: install chromium, or run 'playwright install chromium' ({'; '.join(reasons)})")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with a token of its own; it listens on loopback only and ends with the tests."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    tracker = folder / ".settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))  # else an error out of sight is not in the page
    options = {"ServerApp.root_dir": folder, "LabApp.workspaces_dir": folder / ".workspaces"}
    options |= {"LabApp.user_settings_dir": folder / ".settings", "IdentityProvider.token": token}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                urllib.request.urlopen(f"{url}/api", timeout=2)
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.2)
        yield Lab(url, folder, token)
    finally:
        server.terminate()
        server.wait(20)


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        self.lab, self.page, self.path = lab, page, lab.folder / name
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.set_default_timeout(PATIENCE)
        page.goto(f"{lab.url}/lab/tree/{name}?reset&token={lab.token}")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in HARMLESS):
            self.complaints.append(message.text)

    def run_all(self) -> None:
        """Run every cell; fails when one raises."""
        idle = self.page.get_by_text("(ipykernel) | Idle")
        idle.wait_for()
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            self.page.wait_for_function(ENDED, arg=ERROR, timeout=RUN_ALL)
        except Error:
            self.shoot("still_running")
            raise
        assert self.page.locator(ERROR).all_inner_texts() == []
        idle.wait_for()

    def nameless(self) -> list[str]:
        """Controls and regions of ours that a screen reader could not name."""
        ours = self.page.locator(".ar-viewer, .ar-panel, .jp-RenderedHTML .ar").all()
        told = "\n".join(widget.aria_snapshot() for widget in ours)
        return re.findall(rf"^ *- (?:{CONTROLS})(?! \").*$", told, re.MULTILINE)

    def end(self) -> None:
        """Close the window and end the kernel."""
        headers = {"Authorization": f"token {self.lab.token}"}
        for session in self.page.request.get(f"{self.lab.url}/api/sessions", headers=headers).json():
            self.page.request.delete(f"{self.lab.url}/api/sessions/{session['id']}", headers=headers)
        self.page.close()

    def shoot(self, name: str, what: Locator | None = None) -> None:
        """Keep a screenshot where somebody asked for them."""
        if str(SHOTS) != ".":
            SHOTS.mkdir(parents=True, exist_ok=True)
            (what or self.page).screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def open_notebook(browser: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[object]:
    """Open a notebook made of these cells in a fresh window."""
    books = []

    def opened(*cells: str | nbformat.NotebookNode, width: int = 1280, dark: bool = False) -> Notebook:
        name = f"{request.node.name.partition('[')[0]}.ipynb"
        made = [nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        book = nbformat.v4.new_notebook(cells=made)
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, lab.folder / name)
        settings = lab.folder / ".settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True, exist_ok=True)
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        tracker = lab.folder / ".settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
        tracker.parent.mkdir(exist_ok=True)
        tracker.write_text('{"windowingMode": "none"}')  # every cell is in the page, seen or not
        page = browser.new_page(viewport={"width": width, "height": 900})
        books.append(Notebook(page, lab, name))
        return books[-1]

    yield opened
    for book in books:
        book.shoot(f"end_of_{request.node.name}")
        book.end()
