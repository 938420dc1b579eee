"""Simulates many visitors who drag a slider, and some who bring photos: `python -m bench.support.visitors URL`."""

import argparse
import asyncio
import base64
import contextlib
import io
import json
import random
import time
import uuid

import httpx
from PIL import Image, ImageChops, ImageStat
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from .line import answer, frame
from .servers import ROOT

VISITORS = 20
PHOTO = ROOT / "assets" / "dog-1.png"


def alike(a: str | bytes, b: str | bytes) -> bool:
    """Whether two pictures (files or data URLs) show the same dog. Batches of other sizes round differently."""
    files = (base64.b64decode(src.split(",")[1]) if isinstance(src, str) else src for src in (a, b))
    x, y = (Image.open(io.BytesIO(file)).convert("RGB") for file in files)
    return max(ImageStat.Stat(ImageChops.difference(x, y)).mean) < 1.5


def pad_protocol(url: str) -> tuple[str, int, list[float]]:
    """The address for posts, the pad's component id, and the numbers of the first dog."""
    pad = _pad(url)
    return f"{url}/gradio_api/component_server/", pad["id"], pad["props"]["value"]["first"]["c"]


def _pad(url: str) -> dict:
    config = httpx.get(f"{url}/config", timeout=60).json()
    return next(c for c in config["components"] if c["props"].get("elem_id") == "pad")


class Poster:
    """A visitor whose page sends its requests by POST."""

    def __init__(self, url: str, client: httpx.AsyncClient, protocol: tuple, name: str):
        self.client, self.name, self.number = client, name, 0
        self.address, self.pad, _ = protocol

    async def ask(self, function: str, data: dict) -> dict:
        body = {"data": data, "component_id": self.pad, "fn_name": function, "session_hash": self.name}
        return self.read(await self.client.post(self.address, json=body))

    async def move(self, values: list[float], still: bool) -> dict:
        self.number += 1
        data = {"page": self.name, "number": self.number, "space": "directions", "values": values, "still": still}
        return await self.ask("move", data)

    async def show(self, photo: bytes) -> dict:
        """Uploads a photo and returns the server's answer."""
        fields = {"component_id": str(self.pad), "fn_name": "reconstruct", "session_hash": self.name}
        return self.read(await self.client.post(self.address, data=fields, files={"photo": ("dog.png", photo)}))

    @staticmethod
    def read(got: httpx.Response) -> dict:
        return got.json() if got.status_code == 200 else {"error": f"HTTP {got.status_code}"}

    async def close(self) -> None:
        pass


class Caller:
    """A visitor whose page sends its moves over the channel."""

    def __init__(self, url: str, weights: str):
        self.address, self.weights, self.number = f"{url.replace('http', 'ws')}/channel", weights, 0
        self.line: ClientConnection | None = None

    async def move(self, values: list[float], still: bool) -> dict:
        line = self.line = self.line or await connect(self.address)
        self.number += 1
        await line.send(frame(self.number, values, self.weights, still=still))
        return answer(await asyncio.wait_for(line.recv(decode=False), 60))

    async def close(self) -> None:
        if self.line:
            await self.line.close()


async def drags(page: Poster | Caller, name: str, first: list[float], seconds: float) -> dict:
    """Drags one slider as the pad does on a fast network: the next move follows when the picture has come.

    The result's `took` holds the milliseconds that each move spent at the server.
    """
    rng = random.Random(name)
    values, took, errors = [round(rng.gauss(0, 1), 3) for _ in first], [], 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        values[0] = round(rng.uniform(-3, 3), 2)
        try:
            got = await page.move(values, False)
            took += [got["took"]] if got.get("picture") else []
            errors += not got.get("picture")
        except (httpx.HTTPError, OSError, WebSocketException):
            errors += 1
        await asyncio.sleep(1 / 60)
    last = await page.move(values, True)
    await asyncio.sleep(3)  # by then the other visitors have stopped too
    alone = await page.move(values, True)
    await page.close()
    same = bool(last.get("picture")) and alike(last["picture"], alone["picture"])
    own = [round(v, 2) for v in last.get("c", [])] == [round(v, 2) for v in values]
    return {"pictures": len(took), "errors": errors, "took": took, "last": same, "own": own}


async def brings_photos(page: Poster, seconds: float) -> dict:
    """Repeatedly uploads a photo and brings its dog nearer to it."""
    done = {"photos": 0, "steps": 0, "errors": 0}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        with contextlib.suppress(httpx.HTTPError):
            got = await page.show(PHOTO.read_bytes())
            question = {"page": uuid.uuid4().hex, "crop": got.get("crop")}
            share = 0.0
            while share < 1 and "error" not in got:
                got = await page.ask("nearer", question)
                question.pop("crop", None)
                share = got.get("share", 1)
            done["photos"] += 1
            done["steps"] += got.get("steps", 0)
            done["errors"] += "error" in got
    return done


async def all_visitors(url: str, seconds: float, channel: bool = True, photos: int = 0) -> dict[str, list[dict]]:
    """Runs 20 visitors who drag, over the channel or by posts. photos: how many others bring photos meanwhile."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=VISITORS)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        protocol, weights = pad_protocol(url), _pad(url)["props"]["value"]["weights"]
        names = [f"visitor {i}" for i in range(VISITORS + photos)]
        posters = [Poster(url, client, protocol, name) for name in names]
        dragging: list[Poster | Caller] = [*posters[:VISITORS]]
        if channel:
            dragging = [Caller(url, weights) for _ in range(VISITORS)]
        dragged = [drags(page, name, protocol[2], seconds) for page, name in zip(dragging, names)]
        brought = [brings_photos(page, seconds) for page in posters[VISITORS:]]
        done = await asyncio.gather(*dragged, *brought)
        return {"drag": done[:VISITORS], "photos": done[VISITORS:]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--posts", action="store_true")
    parser.add_argument("--photos", type=int, default=0)
    args = parser.parse_args()
    print(json.dumps(asyncio.run(all_visitors(args.url, args.seconds, not args.posts, args.photos))))
