"""Middleware that changes the page's document on its way to the browser: what Gradio's `head=` can't say."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Everything but the page itself passes as it is."""

    def __init__(self, app: ASGIApp):
        self.app = app

    def changed(self, body: bytes, request: Request) -> bytes:
        """A piece of the document, as it is to be sent."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(scope=message)["Content-Length"]
            else:
                message["body"] = self.changed(message.get("body", b""), Request(scope))
            await send(message)

        is_page = scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) == "/"
        await self.app(scope, receive, send_changed if is_page and scope["method"] == "GET" else send)
