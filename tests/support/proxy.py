"""A reverse proxy that serves an app under a sub-path, and a page that shows the app in a frame."""

import asyncio
import contextlib
import threading

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

from bench.support.servers import free_port

OWN = {"connection", "content-length", "transfer-encoding"}  # headers for one connection only: not forwarded


@contextlib.contextmanager
def under(prefix: str, target: str):
    """Yields the proxy's port. It forwards `prefix`/... to target/..., and serves a page with a frame at /frame."""
    port = free_port()
    client = httpx.AsyncClient(base_url=target, timeout=60)

    async def forward(request: Request):
        url = httpx.URL(path=request.url.path.removeprefix(prefix) or "/", query=request.url.query.encode())
        headers = [(k, v) for k, v in request.headers.raw if k.decode() not in OWN]
        asked = client.build_request(request.method, url, headers=headers, content=await request.body())
        answer = await client.send(asked, stream=True)
        kept = {k: v for k, v in answer.headers.items() if k not in OWN}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=None)

    async def join(near: WebSocket):
        url = target.replace("http", "ws") + near.url.path.removeprefix(prefix)
        asked = {"X-Forwarded-Host": near.headers["host"]}
        async with connect(url, origin=near.headers["origin"], additional_headers=asked) as far:
            await near.accept()

            async def back():
                async for data in far:
                    await near.send_bytes(data)

            backwards = asyncio.ensure_future(back())
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await far.send(await near.receive_bytes())
            backwards.cancel()

    async def frame(request: Request):
        source = f"http://127.0.0.1:{port}{prefix}/"
        return HTMLResponse(f'<iframe src="{source}" style="width: 1200px; height: 850px"></iframe>')

    routes = [Route("/frame", frame), WebSocketRoute(prefix + "/{path:path}", join)]
    routes += [Route(prefix + "/{path:path}", forward, methods=["GET", "POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield port
    server.should_exit = server.force_exit = True
    thread.join(10)
