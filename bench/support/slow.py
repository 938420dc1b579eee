"""A slow network on one machine: a TCP proxy that delays every byte and can be interrupted."""

import asyncio
import contextlib
import threading


class SlowNetwork:
    """`with SlowNetwork(port, delay) as proxy:` forwards proxy.port to `port`, `delay` seconds late in each direction.

    While proxy.cut is True, nothing passes in either direction. Nothing is lost: the bytes arrive afterwards.
    """

    def __init__(self, port: int, delay: float):
        self.target, self.delay, self.cut = port, delay, False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "SlowNetwork":
        self.thread.start()
        start = asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.server = asyncio.run_coroutine_threadsafe(start, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _close(self) -> None:
        self.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, reader, writer) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # the server is down, so close the connection
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):  # the proxy stops while connections are open
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader, writer) -> None:
        on_the_way: asyncio.Queue = asyncio.Queue()

        async def arrive():
            while True:
                due, data = await on_the_way.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                while self.cut:
                    await asyncio.sleep(0.05)
                if not data:
                    break
                writer.write(data)
                await writer.drain()

        arriving = asyncio.ensure_future(arrive())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                on_the_way.put_nowait((self.loop.time() + self.delay, data))
        on_the_way.put_nowait((self.loop.time() + self.delay, b""))
        with contextlib.suppress(OSError):
            await arriving
        writer.close()
