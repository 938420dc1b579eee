"""Many visitors of the page who all drag a slider, over HTTP: `python -m bench.support.visitors URL SECONDS`."""

import asyncio
import base64
import io
import json
import random
import sys
import time

import httpx
from PIL import Image, ImageChops, ImageStat

VISITORS = 20


def alike(a: str, b: str) -> bool:
    """Two data URLs show the same dog, but for what rounding in a batch of another size changes."""
    x, y = (Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))).convert("RGB") for src in (a, b))
    return max(ImageStat.Stat(ImageChops.difference(x, y)).mean) < 1.5


def pad_protocol(url: str) -> tuple[str, int, list[float]]:
    """Where moves are posted, the pad's component id, and the numbers of the first dog."""
    config = httpx.get(f"{url}/config", timeout=60).json()
    pad = next(c for c in config["components"] if c["props"].get("elem_id") == "pad")
    return f"{url}/gradio_api/component_server/", pad["id"], pad["props"]["value"]["first"]["c"]


async def visitor(client: httpx.AsyncClient, protocol: tuple, name: str, seconds: float) -> dict:
    """Drags one slider as the pad does on a fast network: the next move when the picture is there."""
    address, pad, first = protocol
    rng = random.Random(name)
    values, number, seen = [round(rng.gauss(0, 1), 3) for _ in first], 0, {"pictures": 0, "errors": 0}

    async def move(still: bool) -> dict:
        nonlocal number
        number += 1
        data = {"page": name, "number": number, "space": "directions", "values": values, "still": still}
        body = {"data": data, "component_id": pad, "fn_name": "move", "session_hash": name}
        answer = await client.post(address, json=body)
        return answer.json() if answer.status_code == 200 else {"error": f"HTTP {answer.status_code}"}

    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        values[0] = round(rng.uniform(-3, 3), 2)
        try:
            answer = await move(False)
            seen["pictures" if "picture" in answer else "errors"] += 1
        except httpx.HTTPError:
            seen["errors"] += 1
        await asyncio.sleep(1 / 60)
    last = await move(True)
    await asyncio.sleep(3)  # the others have stopped, too
    alone = await move(True)
    seen["last"] = "picture" in last and alike(last["picture"], alone["picture"])
    seen["own"] = [round(v, 2) for v in last.get("c", [])] == [round(v, 2) for v in values]
    return seen


async def all_visitors(url: str, seconds: float) -> list[dict]:
    limits = httpx.Limits(max_connections=VISITORS, max_keepalive_connections=VISITORS)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        protocol = pad_protocol(url)
        return await asyncio.gather(*(visitor(client, protocol, f"visitor {i}", seconds) for i in range(VISITORS)))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(all_visitors(sys.argv[1], float(sys.argv[2])))))
