"""Serves the built monitor page, or one that says how to build it."""

from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

YEAR: Final = "public, max-age=31536000, immutable"

NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Slipway</title>
<style>body{background:#0b0e13;color:#c9d1dc;font:16px/1.6 system-ui,sans-serif}
body{max-width:38rem;margin:18vh auto;padding:0 1.5rem}
code{background:#171c25;border-radius:4px;padding:.15em .4em}h1{font-size:1.3rem;color:#fff}</style>
<h1>The monitor is running, its page is not built yet.</h1>
<p>Run <code>./slipway up</code>, which builds it, or by hand: <code>cd api/web && npm ci && npm run build</code>.
Then reload.</p>
<p>The API is up meanwhile: <a style="color:#6ea8fe" href="/health">/health</a>.</p></html>"""


class Page:
    """Static files whose names carry their hash live for ever; the page that names them is asked for each time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if not (self._folder / "index.html").is_file():  # looked up each time: it may be built while we run
            return HTMLResponse(NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store"})
        path = self._files.get_path(scope)
        answer = await self._files.get_response(path, scope)
        answer.headers["Cache-Control"] = YEAR if path.startswith("assets/") else "no-cache"
        return answer
