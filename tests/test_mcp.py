"""The endpoints as tools of an MCP server, called through the client library that agents use."""

import asyncio
import base64
import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from tests.support.serving import PIXELS, ROOT, serve

PHOTO = ROOT / "assets" / "dog-1.png"
HASTY = """
import app
build = app.build_app

def hasty():
    page = build()
    page.delete_cache = (1, 20)  # seconds, for 600 and 3000; a slow machine reads a photo in less
    return page

app.build_app = hasty
app.main()
"""


def ask(url: str, method: str, *args):
    """Calls a method of an MCP session at the page's server. method: its name."""

    async def connected():
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await getattr(session, method)(*args)

    with ThreadPoolExecutor(1) as pool:  # this thread already runs playwright's event loop
        return pool.submit(lambda: asyncio.run(asyncio.wait_for(connected(), 60))).result()


def reconstructed(url: str, photo: bytes):
    data = "data:image/png;base64," + base64.b64encode(photo).decode()
    return ask(url, "call_tool", "reconstruct", {"photo": data})


def picture(content) -> Image.Image:
    assert content.mimeType == "image/png"
    return Image.open(io.BytesIO(base64.b64decode(content.data)))


def test_the_tools_say_what_they_take(server):
    tools = {tool.name: tool for tool in ask(server.url, "list_tools").tools}
    named = {"sample", "decode", "move", "breeds", "reconstruct", "morph"}
    assert set(tools) == named, "the pad's own traffic is no tool"
    takes = {name: set(tool.inputSchema["properties"]) for name, tool in tools.items()}
    assert takes["sample"] == {"seed", "temperature", "n"} and takes["morph"] == {"a", "b", "frames"}
    assert "9007199254740991" in tools["sample"].inputSchema["properties"]["seed"]["description"]
    assert tools["decode"].description.startswith("Draws the dog of a latent.")


def test_a_dog_drawn_and_a_photo_read(server):
    sampled = ask(server.url, "call_tool", "sample", {"seed": 7, "temperature": 1.0, "n": 2})
    assert not sampled.isError and "'weights'" in sampled.content[0].text
    decoded = ask(server.url, "call_tool", "decode", {"latent": [0.0] * 256})
    assert not decoded.isError and picture(decoded.content[0]).size == (PIXELS, PIXELS)
    read = reconstructed(server.url, PHOTO.read_bytes())
    assert not read.isError, read.content
    assert "'weights'" in read.content[0].text and "/image.png" in read.content[0].text


@pytest.mark.parametrize(
    "tool, arguments, sentence",
    [
        ("sample", {"seed": 7, "temperature": 9, "n": 1}, "The temperature is a number from 0 to 2."),
        ("decode", {"latent": [0.0] * 255}, "A latent is a list of 256 numbers; this is 255 numbers."),
    ],
)
def test_bad_input_gets_one_sentence(server, tool, arguments, sentence):
    answer = ask(server.url, "call_tool", tool, arguments)
    assert answer.isError and [content.text for content in answer.content] == [sentence]


def test_no_photo_outlives_its_hour(tmp_path):
    """The real page, set to delete files early: files from gradio_client and MCP vanish, and the page still works."""
    running, photo = serve(tmp_path, command=("-c", HASTY)), PHOTO.read_bytes()
    try:
        assert not reconstructed(running.url, photo).isError
        Client(running.url, verbose=False, download_files=False).predict(handle_file(PHOTO), api_name="/reconstruct")
        deadline = time.monotonic() + 60
        while left := [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == photo]:
            assert time.monotonic() < deadline, left
            time.sleep(0.2)
        assert not reconstructed(running.url, photo).isError
    finally:
        running.process.terminate()
        running.process.wait(30)
