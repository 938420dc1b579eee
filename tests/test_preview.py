"""The preview that others see of a link before they open it."""

import io
import re

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from model import load
from tests.support.serving import ROOT
from ui.pad import FIRST_SEED

TAG = re.compile(r'<meta (?:property|name)="((?:og|twitter):[\w:]+)" content="([^"]*)">')


@pytest.fixture(scope="module")
def vae():
    return load(ROOT / "weights" / "dogvae", device="cpu")


def tags(url: str, **headers: str) -> dict[str, str]:
    page = httpx.get(url, headers=headers).text
    head = page[: page.index("</head>")]
    found = TAG.findall(head)
    assert len(found) == len(dict(found)) and "gradio" not in head[: head.index("<script>")].lower()
    assert re.search(r'property="og:|name="twitter:', TAG.sub("", head)) is None
    return dict(found)


def picture(address: str) -> Image.Image:
    answer = httpx.get(address)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


def unlike(a: Image.Image, b: Image.Image) -> float:
    a, b = (one.convert("RGB").resize((64, 64)) for one in (a, b))
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


def drawn(vae, z) -> Image.Image:
    from model.pixels import to_picture

    return to_picture(vae.decode(z[None])[0])


def test_the_page_shows_a_dog(server, vae):
    told = tags(server.url)
    assert told["og:url"] == f"{server.url}/" and "DogVAE" in told["og:title"] and told["twitter:card"] == "summary"
    shown = picture(told["og:image"])
    assert shown.size == (512, 512) and unlike(shown, drawn(vae, vae.latents.sample(1, 1.0, FIRST_SEED)[0])) < 4


def test_a_link_shows_its_own_dog(server, vae):
    by_seed = tags(f"{server.url}/?dog={vae.weights_id}.s5t0.8")
    assert by_seed["og:url"].endswith(f"?dog={vae.weights_id}.s5t0.8")
    assert unlike(picture(by_seed["og:image"]), drawn(vae, vae.latents.sample(1, 0.8, 5)[0])) < 4
    by_numbers = tags(f"{server.url}/?__theme=dark&dog={vae.weights_id}.z{'0AcwAg' + 'A' * 677}")
    c = vae.latents.coordinates(vae.latents.sample(1, 1.0, 5)) * 0
    c[0, :2] = c.new_tensor([1.0, 0.28])
    assert unlike(picture(by_numbers["og:image"]), drawn(vae, vae.latents.from_coordinates(c)[0])) < 4


@pytest.mark.parametrize("dog", ["x", "0123456789ab.s1t1", '"><script>', "ID.s1", "ID.zAAAA", "ID.s1t9", "ID.s1t1.2.3"])
def test_a_link_that_tells_no_dog(server, vae, dog):
    dog = dog.replace("ID", vae.weights_id)
    answer = httpx.get(f"{server.url}/preview.jpg", params={"dog": dog})
    assert answer.status_code == 404 and answer.text.endswith(".") and "\n" not in answer.text
    assert dog not in tags(str(httpx.URL(server.url, params={"dog": dog}))).get("og:title", "")


def test_behind_a_proxy_the_addresses_are_those_that_others_see(server):
    told = tags(server.url, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "dogs.example"})
    assert told["og:url"] == "https://dogs.example/" and told["og:image"] == "https://dogs.example/preview.jpg"
