"""How the page's own scripts (ui/web/*.js, ES modules without a build step) reach the browser.

They are read once, when the app starts, and their address holds a hash of all of them. So a browser may keep them
for ever, and never mixes the modules of two versions: an older version's address is not answered.
"""

import hashlib
import json
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .head import Head

WEB = Path(__file__).parent / "web"
COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)$", re.MULTILINE | re.DOTALL)  # that fills whole lines
INDENT = re.compile(r"^ +", re.MULTILINE)


def without_comments(script: str) -> str:
    """The same script at half the size. Line numbers stay, so that an error names the line of the file."""
    return INDENT.sub("", COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), script))


MODULES = {path.name: without_comments(path.read_text(encoding="utf-8")) for path in sorted(WEB.glob("*.js"))}
VERSION = hashlib.sha256(json.dumps(MODULES).encode()).hexdigest()[:12]
IMPORT = re.compile(r'^import\b[^;]*?"\./([\w.-]+)";', re.MULTILINE)


def first(name: str, found: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The module and those that it needs at once; others are fetched when their tab is opened (ui/web/tabs.js)."""
    found += (name,)
    for other in IMPORT.findall(MODULES[name]):
        found = found if other in found else first(other, found)
    return found


FIRST = sorted(first("main.js"))


def serve(request: Request) -> Response:
    """Answers /web/VERSION/NAME. Only what MODULES holds is ever sent: no path reaches the disk."""
    name, version = request.path_params["name"], request.path_params["version"]
    if version != VERSION or name not in MODULES:
        return PlainTextResponse("There is no such script; please reload the page.", 404)
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(MODULES[name], media_type="text/javascript", headers=forever)


ROUTE = Route("/web/{version}/{name}", serve)


def address(name: str) -> str:
    """Of a module, as seen from the page's root: right under any sub-path, and in a frame on another site."""
    return f"web/{VERSION}/{name}"


class Preloads(Head):
    """Names the modules at the end of the page's head: the browser fetches them while it waits for
    Gradio's own scripts, which stand before them. What Gradio's `head=` names comes only when those have run.
    """

    LINKS = "".join(f'<link rel="modulepreload" href="{address(name)}">' for name in FIRST).encode()

    def changed(self, body: bytes, request: Request) -> bytes:
        return body.replace(b"</head>", self.LINKS + b"</head>", 1)


def on_load(name: str) -> str:
    """A component's `js_on_load`: fetches its module and starts it with what Gradio gives to such a script."""
    return f"({MODULES['load.js'].strip()})({{ element, props, server }}, {json.dumps(address(name))})"
