"""Take a picture of a page of Prefect's UI with headless Chromium, which must be installed.

    python -m benchmarks.draw_page PAGE PICTURE.png       # such as /dashboard; the server is PREFECT_API_URL's

PAGE `latest` is the last run of the flow. The password comes from PREFECT_API_AUTH_STRING.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

SIZE = (1280, 960)
WAIT_S = 60.0
LOADING_S = 6.0  # the page fetches its parts one after another, and says of none when it is there


def draw_page(server: str, password: str, page: str) -> bytes:
    """The page as PNG, logged in."""
    secret = base64.b64encode(password.encode()).decode()
    with tempfile.TemporaryDirectory() as profile:
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", size]
        browser = subprocess.Popen(
            ["chromium", *options, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
        )
        try:
            with connect(_find_tab(Path(profile)), max_size=None) as tab:
                _ask(tab, "Page.navigate", url=server)
                time.sleep(LOADING_S)
                _ask(tab, "Runtime.evaluate", expression=f"localStorage.setItem('prefect-password', '{secret}')")
                _ask(tab, "Page.navigate", url=server + page)
                time.sleep(LOADING_S)
                return base64.b64decode(_ask(tab, "Page.captureScreenshot")["data"])
        finally:
            browser.terminate()
            browser.wait()


def _find_tab(profile: Path) -> str:
    """The address at which the browser's only tab takes commands."""
    told = profile / "DevToolsActivePort"
    end = time.monotonic() + WAIT_S
    while not told.exists() or not told.read_text():
        if time.monotonic() > end:
            raise SystemExit("error: chromium did not start; install it (Debian: apt-get install chromium)")
        time.sleep(0.1)
    port = told.read_text().splitlines()[0]
    tabs = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))


def _ask(tab: ClientConnection, method: str, **params: object) -> dict[str, Any]:
    tab.send(json.dumps({"id": 1, "method": method, "params": params}))
    while "id" not in (answer := json.loads(tab.recv(timeout=WAIT_S))):
        pass
    result: dict[str, Any] = answer["result"]
    return result


def _find_latest(server: str, password: str) -> str:
    user, _, secret = password.partition(":")
    asked = {"sort": "START_TIME_DESC", "limit": 1}
    runs = httpx.post(f"{server}/api/flow_runs/filter", json=asked, auth=(user, secret)).json()
    return f"/runs/flow-run/{runs[0]['id']}"


def main() -> None:
    page, picture = sys.argv[1:3]
    server = os.environ["PREFECT_API_URL"].removesuffix("/api")
    password = os.environ.get("PREFECT_API_AUTH_STRING", "")
    page = _find_latest(server, password) if page == "latest" else page
    Path(picture).write_bytes(draw_page(server, password, page))


if __name__ == "__main__":
    main()
