"""The channel of moves: its frames, wrong messages, and the page without a channel."""

import asyncio
import base64
import contextlib
import math
import os
import socket
import threading
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bench.support.line import answer, frame
from bench.support.servers import free_port
from bench.support.visitors import pad_protocol
from tests.support.threads import answered
from tests.test_network import DRAG
from tests.test_page import distance, message, move, picture
from ui import channel
from ui.frames import HALF, NO_MOVE, STILL
from ui.worker import Moves, Worker

FUZZ = int(os.environ.get("FUZZ", 25))  # frames of noise; make fuzz: 500
OURS = "0123456789ab"


@pytest.fixture(scope="module")
def pad(server) -> SimpleNamespace:
    """From the running app: the channel's address, the id of the weights, and the numbers of the first dog."""
    config = httpx.get(f"{server.url}/config", timeout=60).json()
    facts = next(c["props"]["value"] for c in config["components"] if c["props"].get("elem_id") == "pad")
    return SimpleNamespace(channel=f"{server.url.replace('http', 'ws')}/channel", dog=facts["first"]["c"], **facts)


@pytest.fixture
def line(pad):
    with connect(pad.channel) as opened:
        yield opened


def asked(line, *all_, **more) -> dict:
    line.send(frame(*all_, **more))
    return answer(line.recv(60))


# ---- Frames, at the real server


def test_a_move_gets_the_picture_that_a_post_gets(line, pad, server):
    address, component, _ = pad_protocol(server.url)
    for still in (False, True):
        ours = asked(line, 7, pad.dog, pad.weights, still=still)
        data = {"page": "post", "number": 1, "values": pad.dog, "still": still}
        body = {"data": data, "component_id": component, "fn_name": "move", "session_hash": "post"}
        posted = httpx.post(address, json=body, timeout=60).json()
        assert ours["number"] == 7 and ours["type"] == ("image/png" if still else "image/jpeg")
        assert base64.b64decode(posted["picture"].split(",")[1]) == ours["picture"]
        assert ours.get("c") == posted.get("c") and ours.get("latent") == posted.get("latent")
        assert ("c" in ours) == still
    raw = asked(line, 8, ours["latent"]["z"], pad.weights, space=1, still=True)
    assert raw["latent"] == ours["latent"]


def test_values_that_can_not_be_drawn_get_a_sentence_and_the_line_stays(line, pad):
    for number, (values, weights, more, words) in enumerate(
        [
            (pad.dog[1:], pad.weights, {}, "256 numbers; this is 255"),
            ([], pad.weights, {}, "256 numbers; this is 0"),
            ([math.nan, *pad.dog[1:]], pad.weights, {}, "not a number"),
            ([-math.inf, *pad.dog[1:]], pad.weights, {}, "infinite"),
            ([1e6, *pad.dog[1:]], pad.weights, {}, "absurdly large"),
            ([200.0, *pad.dog[1:]], pad.weights, {"space": 1}, "absurdly large"),
            ([0.5, 2.0], pad.weights, {"space": 2}, "A place on the map"),
            (pad.dog, OURS, {}, "reload the page"),
        ]
    ):
        told = asked(line, number, values, weights, **more)
        assert told["number"] == number and words in told["error"] and not told["picture"], words
    assert asked(line, 99, pad.dog, pad.weights)["picture"]


@pytest.mark.parametrize(
    "sent",
    [b"", b"11 of bytes", bytes(13), bytes(12 + 4 * 1025), frame(1, [0.0] * 256, OURS, space=3), "text", bytes(9**7)],
    ids=["empty", "short", "odd", "long", "space", "text", "huge"],
)
def test_what_is_no_move_ends_the_line_with_a_sentence(line, sent):
    line.send(sent)
    with pytest.raises(ConnectionClosed) as closed:
        line.recv(60)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1003, NO_MOVE)


def test_noise(pad):
    """Any bytes get a picture or a sentence, or the connection ends with a sentence."""
    for seed in range(FUZZ):
        noise = frame(seed, pad.dog, pad.weights)[: 12 * (seed % 2)] + os.urandom(1024 - 12 * (seed % 2) + seed % 3)
        with connect(pad.channel) as line:
            line.send(noise)
            try:
                got = answer(line.recv(60))
                assert got["picture"] or got["error"].endswith(".") and "went wrong" not in got["error"]
            except ConnectionClosed as closed:
                assert closed.rcvd.reason == NO_MOVE


def test_of_a_thousand_moves_the_last_is_drawn_and_few_others(line, pad):
    for number in range(1, 1001):
        line.send(frame(number, [number / 500, *pad.dog[1:]], pad.weights))
    got = [answer(line.recv(60))]
    while got[-1]["number"] < 1000:
        got.append(answer(line.recv(60)))
    numbers = [one["number"] for one in got]
    assert numbers == sorted(set(numbers)) and len(numbers) < 500
    assert asked(line, 1001, [2.0, *pad.dog[1:]], pad.weights)["picture"] == got[-1]["picture"]


# ---- The channel without the app: connections that block, drop or are many. A picture here is the text of the move


@contextlib.contextmanager
def alone(larger: int = 1, **config):
    """A channel on its own server, and its address. A picture is the move's text, repeated `larger` times."""
    drawn = Moves(Worker(), lambda moves: [{"picture": repr(move).encode() * larger} for move in moves])
    answering = SimpleNamespace(moved=lambda data: drawn.answer(data["page"], data["number"], data["values"]))
    tested, port = channel.Channel(answering), free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[tested.route]), port=port, log_level="error", **config))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield tested, f"ws://127.0.0.1:{port}/channel"
    server.should_exit = server.force_exit = True
    thread.join(20)


def until(is_so, seconds: float = 30) -> None:
    waited = threading.Event()
    for _ in range(int(20 * seconds)):
        if is_so():
            return
        waited.wait(0.05)
    raise AssertionError("it never came")


def test_two_hundred_lines_each_get_their_own_and_leave_nothing():
    async def one(address: str, i: int) -> bool:
        async with connect_async(address) as line:
            own = True
            for number in range(1, 4):
                await line.send(frame(number, [float(i), float(number)], OURS))
                own &= answer(await line.recv())["picture"] == repr([float(i), float(number)]).encode()
            return own

    async def every(address: str):
        return await asyncio.gather(*(one(address, i) for i in range(200)))

    with alone() as (tested, address):
        assert all(answered(every(address)))
        until(lambda: tested.open == 0)


def test_more_lines_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(channel, "MAX_OPEN", 2)
    with alone() as (tested, address), connect(address), connect(address) as second:
        with pytest.raises(InvalidStatus), connect(address):
            pass
        second.close()
        until(lambda: tested.open == 1)
        with connect(address):
            pass


def held(address: str) -> socket.socket:
    """A connection whose client reads nothing after the handshake, and answers no ping."""
    host, port = address.removeprefix("ws://").split("/")[0].split(":")
    opened = socket.create_connection((host, int(port)))
    head = "GET /channel HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    opened.sendall(f"{head}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    assert b"101" in opened.recv(4096)
    return opened


def masked(data: bytes) -> bytes:
    assert len(data) < 126
    return bytes([0x82, 0x80 | len(data), 0, 0, 0, 0]) + data


def test_a_line_that_never_reads_is_ended(monkeypatch):
    monkeypatch.setattr(channel, "SEND_S", 0.5)
    with alone(larger=1_000_000, ws_ping_interval=None) as (tested, address), held(address) as line:
        for number in range(3):
            line.sendall(masked(frame(number, [1.0], OURS)))
        with connect(address, max_size=None) as other:  # other connections still get answers
            assert len(asked(other, 1, [2.0], OURS)["picture"]) == 1_000_000 * len("[2.0]")
        until(lambda: tested.open == 0)


def test_lines_that_are_half_open_are_ended():
    with alone(ws_ping_interval=0.3, ws_ping_timeout=0.3) as (tested, address), held(address), held(address):
        until(lambda: tested.open == 2)
        until(lambda: tested.open == 0)


def test_only_pages_of_this_server():
    with alone() as (tested, address):
        own = address.removeprefix("ws://").removesuffix("/channel")
        for origin, more, is_taken in (
            (f"http://{own}", {}, True),
            ("https://dogs.example", {"X-Forwarded-Host": "dogs.example"}, True),
            ("https://dogs.example", {}, False),
            ("null", {}, False),
        ):
            with contextlib.nullcontext() if is_taken else pytest.raises(InvalidStatus):
                with connect(address, origin=origin, additional_headers=more):
                    pass


# ---- The page


def test_a_dog_that_moves_fast_is_drawn_at_half_the_size(browser, server):
    page, flags = browser.new_page(), []
    page.on("websocket", lambda ws: ws.on("framesent", lambda data: flags.append(data[5])))
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    page.wait_for_timeout(500)
    drag(page, 1)
    assert HALF in flags and flags[-1] == STILL
    flags.clear()
    for step in range(4):
        move(page, 0, 1.75 + step / 10)
        page.wait_for_timeout(300)
    assert HALF not in flags and STILL in flags
    page.close()


def drag(page, seconds: float) -> list[str]:
    """Drags a slider. Returns the kinds of addresses that the dog's picture had meanwhile."""
    page.evaluate("""() => {
        window.kinds = [];
        const dog = document.querySelector("#dog img"), note = () => window.kinds.push(dog.src.split(/[:;]/, 2).join());
        new MutationObserver(note).observe(dog, { attributeFilter: ["src"] });
    }""")
    page.evaluate(DRAG, seconds)
    picture(page)
    return page.evaluate("window.kinds")


def test_the_page_moves_its_dog_over_the_channel(browser, server):
    page, frames, posts = browser.new_page(), [], []
    page.on("websocket", lambda ws: ws.on("framesent", lambda data: frames.append(data)))
    page.on("request", lambda r: posts.append(r.post_data) if "component_server" in r.url else None)
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    page.wait_for_timeout(500)
    kinds = drag(page, 2)
    assert {kind.split(",")[0] for kind in kinds[:-1]} == {"blob"} and kinds[-1] == "data,image/png"
    assert len(frames) >= len(kinds) and not [body for body in posts if '"move"' in body]
    assert page.evaluate("document.querySelector('#dog img').decode().then(() => true)")
    page.close()


@pytest.mark.parametrize("way", ["closed", "unknown to the browser"])
def test_where_no_channel_is_let_through_the_page_posts(browser, server, way):
    page = browser.new_page()
    if way == "closed":
        page.route_web_socket("**/channel", lambda ws: ws.close())
    else:
        page.add_init_script("window.WebSocket = false")
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    before = picture(page)
    kinds = drag(page, 2)
    assert kinds.count("data,image/jpeg") > 1 and picture(page) != before and message(page) == ""
    page.close()


def test_a_channel_that_breaks_in_mid_drag_is_not_missed_and_comes_back(browser, server):
    page, routes, frames = browser.new_page(), [], []

    def pass_on(ws):
        routes.append(ws)
        real = ws.connect_to_server()
        ws.on_message(lambda data: (frames.append(len(routes)), real.send(data)))

    page.route_web_socket("**/channel", pass_on)
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    drag(page, 1)
    assert frames
    routes[0].close()
    drag(page, 2)
    dragged = picture(page)
    assert len(routes) == 2 and frames[-1] == 2 and message(page) == ""
    move(page, 0, -1)
    picture(page)
    move(page, 0, 1.75)
    assert distance(picture(page), dragged) < 1.5
    page.close()


def test_a_channel_that_swallows_moves_is_given_up(browser, server):
    page = browser.new_page()
    page.route_web_socket("**/channel", lambda ws: None)  # the connection opens, but nothing is answered
    page.goto(server.url)
    page.wait_for_selector("#latents input[type=range]", timeout=60_000)
    before = picture(page)
    move(page, 0, 2.5)
    page.wait_for_function("before => document.querySelector('#dog img').src !== before", arg=before, timeout=30_000)
    assert picture(page) != before and message(page) == ""
    page.close()
