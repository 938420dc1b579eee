"""Moves over one WebSocket a page, which costs the server and the network less than a POST for each.

Of a page only the newest move waits. What it overtakes is not answered: an answer settles all moves of lower numbers.
Where a proxy lets no WebSocket through, the page posts its moves (ui/web/server.js chooses); both end in Pad.moves.
"""

import asyncio
import contextlib
import uuid
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from .frames import read_frame, write_frame
from .pad import Pad
from .protocol import RequestError
from .worker import sentence

MAX_OPEN = 256  # sockets; further pages post their moves
SEND_S = 20  # an answer that a page does not take in so many seconds ends its socket
NO_SUCH_DATA = 1003  # RFC 6455, section 7.4.1


class Channel:
    """Answers at /channel, which is no part of the API."""

    def __init__(self, pad: Pad):
        self.pad, self.open = pad, 0
        self.route = WebSocketRoute("/channel", self.serve)

    async def serve(self, socket: WebSocket) -> None:
        if self.open >= MAX_OPEN or not of_this_site(socket.headers):
            return await socket.close()  # which answers 403
        self.open += 1
        try:
            await socket.accept()
            await Line(socket, self.pad).serve()
        except (WebSocketDisconnect, RuntimeError):  # gone in the middle of something; Starlette raises either
            pass
        finally:
            self.open -= 1


class Line:
    """One open socket."""

    def __init__(self, socket: WebSocket, pad: Pad):
        self.socket, self.pad = socket, pad
        self.page = uuid.uuid4().hex  # its name in the queue of moves
        self.newest: asyncio.Queue[tuple[int, dict]] = asyncio.Queue(1)

    async def serve(self) -> None:
        """Until the page is gone, stops reading, or sends something that is no move. A waiting move is dropped."""
        both = [asyncio.ensure_future(self.listen()), asyncio.ensure_future(self.answer())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            ends = await asyncio.gather(*both, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def listen(self) -> None:
        while (message := await self.socket.receive())["type"] == "websocket.receive":
            try:
                move = read_frame(message.get("bytes"))
            except RequestError as error:
                return await self.socket.close(NO_SUCH_DATA, str(error))
            with contextlib.suppress(asyncio.QueueEmpty):
                self.newest.get_nowait()  # the new move replaces it
            self.newest.put_nowait(move)

    async def answer(self) -> None:
        while True:
            number, move = await self.newest.get()
            answer = await sentence(self.pad.moved({"page": self.page, "number": number} | move))
            try:
                await asyncio.wait_for(self.socket.send_bytes(write_frame(number, answer)), SEND_S)
            except asyncio.TimeoutError:
                return


def of_this_site(headers: Headers) -> bool:
    """Whether the page that asks was served by this server. Programs send no Origin, and are let in.

    Another site's page could otherwise use this server's CPU from its visitors' browsers. Behind a proxy the address
    that the page was loaded from is in Host or, where the proxy replaces that, in X-Forwarded-Host.
    """
    origin = headers.get("origin")
    names = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
    return origin is None or urlsplit(origin).netloc in [name.strip() for name in names if name.strip()]
