"""Many visitors share one inference thread: they take turns, each gets its own dog, and only its newest move counts."""

import asyncio
import threading

import pytest

from bench.support.visitors import all_visitors
from tests.support.threads import answered
from tests.support.tiny import some_latents, tiny_vae
from ui.pad import Pad
from ui.protocol import Move
from ui.studio import Studio
from ui.worker import MAX_WAITING, Busy, Gone, Moves, Worker, sentence


class Page:
    """Stands for Starlette's request. closed: whether the visitor closed the page."""

    def __init__(self, closed: bool):
        self.closed = closed

    async def is_disconnected(self) -> bool:
        return self.closed


class Held:
    """A worker whose thread waits until `gate` is set. `batches` lists the moves that were drawn together."""

    def __init__(self):
        self.worker, self.gate, self.batches = Worker(), threading.Event(), []
        self.moves = Moves(self.worker, self.draw)
        self.worker.pool.submit(self.gate.wait, 30)

    def draw(self, batch: list) -> list[dict]:
        self.batches.append(batch)
        return [{"picture": move} for move in batch]


async def begun(*work) -> list[asyncio.Task]:
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.sleep(0.05)
    return tasks


def test_of_each_page_only_the_newest_move_is_drawn():
    async def run():
        held = Held()
        tasks = await begun(*(held.moves.answer("a", n, f"a{n}") for n in range(1, 5)), held.moves.answer("b", 1, "b1"))
        held.gate.set()
        return held, await asyncio.gather(*tasks)

    held, answers = answered(run())
    assert answers[:3] == [{"dropped": True}] * 3
    assert [a["picture"] for a in answers[3:]] == ["a4", "b1"]
    assert held.batches == [["a4", "b1"]]  # in one batch


def test_a_move_that_the_network_brings_late_does_not_replace_a_newer_one():
    async def run():
        held = Held()
        newer, late = await begun(held.moves.answer("a", 2, "a2"), held.moves.answer("a", 1, "a1"))
        held.gate.set()
        return await asyncio.gather(newer, late)

    newer, late = answered(run())
    assert newer["picture"] == "a2" and late == {"dropped": True}


def test_a_page_that_sends_much_waits_no_less_than_the_others():
    async def run():
        held = Held()
        tasks = await begun(*(held.moves.answer(f"page {i}", 1, i) for i in range(20)))
        tasks += await begun(*(held.moves.answer("page 0", n, 0) for n in range(2, 200)))
        held.gate.set()
        await asyncio.gather(*tasks)
        return held

    held = answered(run())
    assert [len(batch) for batch in held.batches] == [8, 8, 4]
    assert sum(held.batches, []) == list(range(20))


def test_a_crowd_that_is_polite_lets_others_in_between():
    async def run():
        held, order = Held(), []
        held.moves = Moves(held.worker, held.draw, most=2, polite=True)
        moves = await begun(*(held.moves.answer(f"page {i}", 1, i) for i in range(6)))
        others = await begun(*(held.worker.run(lambda: order.append(len(held.batches))) for _ in range(2)))
        held.gate.set()
        await asyncio.gather(*moves, *others)
        return held.batches, order

    batches, order = answered(run())
    assert batches == [[0, 1], [2, 3], [4, 5]] and order == [1, 1], "others waited for more than one batch"


def test_a_polite_crowd_is_served_again_when_it_comes_back():
    async def run():
        held = Held()
        held.moves = Moves(held.worker, held.draw, polite=True)
        held.gate.set()
        return [(await held.moves.answer("page", n, n))["picture"] for n in range(3)]

    assert answered(run()) == [0, 1, 2]


def test_what_a_closed_page_asked_for_is_not_done():
    async def run():
        held, done = Held(), []
        closed, open_ = Page(closed=True), Page(closed=False)
        tasks = await begun(
            held.moves.answer("closed", 1, "closed", closed),
            held.moves.answer("open", 1, "open", open_),
            held.worker.run(done.append, "closed", request=closed),
            held.worker.run(done.append, "open", request=open_),
        )
        await asyncio.wait(tasks[::2], timeout=10)
        assert tasks[0].result() == {"dropped": True}
        with pytest.raises(Gone):
            tasks[2].result()
        held.gate.set()
        await asyncio.gather(tasks[1], tasks[3])
        return held.batches, done

    assert answered(run()) == ([["open"]], ["open"])


def test_too_many_requests_get_a_sentence_at_once():
    async def run():
        held = Held()
        tasks = await begun(*(held.worker.run(len, "x") for _ in range(MAX_WAITING)))
        with pytest.raises(Busy, match="try again"):
            await held.worker.run(len, "x")
        assert (await sentence(held.worker.run(len, "x")))["busy"]
        held.gate.set()
        return await asyncio.gather(*tasks)

    assert answered(run()) == [1] * MAX_WAITING


def test_a_batch_that_fails_answers_everyone():
    async def run():
        worker = Worker()
        moves = Moves(worker, lambda batch: 1 / 0)
        return await asyncio.gather(*(moves.answer(f"page {i}", 1, i) for i in range(3)))

    assert all("went wrong" in answer["error"] for answer in answered(run()))


def test_a_quicker_decoder_draws_what_moves_and_not_what_rests():
    vae = tiny_vae()
    vae.latents = some_latents()
    studio, drawn = Studio(vae), []
    studio.decode_moving = lambda z, half: drawn.append(len(z)) or studio.decode(z, half=half)
    moves = [Move(values=[float(i)] * 16, still=i == 1) for i in range(3)]
    answers = Pad(studio, Worker()).draw_moves(moves)
    assert drawn == [2] and [answer["type"] for answer in answers] == ["image/jpeg", "image/png", "image/jpeg"]


@pytest.mark.parametrize("channel, photos", [(True, 2), (False, 0)], ids=["channel, beside photos", "posts"])
def test_twenty_visitors_each_see_their_own_dog(server, channel, photos):
    seen = answered(all_visitors(server.url, 3, channel, photos))
    assert len(seen["drag"]) == 20 and len(seen["photos"]) == photos
    assert sum(one["errors"] for one in [*seen["drag"], *seen["photos"]]) == 0
    assert all(one["pictures"] > 0 and one["last"] and one["own"] for one in seen["drag"])
    assert all(one["photos"] and one["steps"] for one in seen["photos"])
