"""Makes malicious and damaged files, and opens them in a process: `python -m tests.support.hostile FOLDER`.

The process prints a line of JSON for each file: the outcome, the processor's seconds, and the peak memory so far.
"""

import io
import json
import random
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path

from PIL import Image

from bench.support.memory import peak_mb
from model import DogFinder, PhotoError
from tests.support.tiny import draw_dog, some_latents, tiny_vae
from ui.studio import Studio

MUTATED = ("JPEG", "PNG", "WEBP", "HEIF")
TRUNCATED = (*MUTATED, "AVIF", "GIF", "TIFF", "BMP")


def packed(picture: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def png(width: int, height: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A grey PNG with these rows. Its header may state a false size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(width: int, height: int, data: bytes, bits: int = 8, form: int = 1) -> bytes:
    """A grey TIFF in one strip. form: 1 for unsigned integers, 3 for floating point."""
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags += [(279, len(data)), (339, form)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def corpus() -> dict[str, bytes]:
    """name -> contents, of files that a visitor might send by mistake and an attacker on purpose."""
    dog = draw_dog(3, 160)
    large = Image.new("L", (7000, 7000))  # 49 megapixels in a few kilobytes: allowed, so it must work
    jpeg = packed(dog, "JPEG")
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    scans = packed(dog, "JPEG", progressive=True)
    last = scans.rindex(b"\xff\xda")
    files = {
        "empty.jpg": b"",
        "png-named.jpg": packed(dog, "PNG"),
        "heic-named.png": packed(dog, "HEIF"),
        "huge.png": png(50_000, 50_000, bytes(100)),
        "endless.png": png(2**31 - 1, 2**31 - 1, bytes(100)),
        "huge.gif": b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6) + packed(dog, "GIF")[13:],
        "huge.tif": tiff(60_000, 60_000, bytes(16)),
        "large.png": packed(large, "PNG"),
        "large.gif": packed(large, "GIF"),
        "large.tif": packed(large, "TIFF", compression="tiff_adobe_deflate"),
        "large-clear.png": packed(Image.new("P", (7000, 7000)), "PNG", transparency=0),
        "large-deep.png": packed(Image.new("I;16", (7000, 7000), 40_000), "PNG"),
        "large.webp": packed(large.resize((4900, 4900)), "WEBP", quality=1, method=0),
        "larger.webp": packed(large.resize((7000, 7000)), "WEBP", quality=1, method=0),
        "many-scans.jpg": scans[:last] + scans[last:-2] * 500 + b"\xff\xd9",
        "profile-bomb.png": png(9, 9, bytes(90), chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9))),
        "text-bomb.png": png(9, 9, bytes(90), chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(200_000_000), 9)) * 5),
        "1x1.png": packed(dog.resize((1, 1)), "PNG"),
        "1x20000.png": packed(dog.resize((1, 20_000)), "PNG"),
        "20000x1.jpg": packed(dog.resize((20_000, 1)), "JPEG"),
        "zero.png": png(0, 0, b""),
        "zero-high.tif": tiff(9, 0, b""),
        "nan.tif": tiff(8, 8, struct.pack("<64f", *[float("nan")] * 64), 32, 3),
        "some-nan.tif": tiff(8, 8, struct.pack("<64f", *[0.5, float("nan"), float("inf"), -1e38] * 16), 32, 3),
        "exif.jpg": packed(dog, "JPEG", exif=exif),
        "exif-junk.jpg": packed(dog, "JPEG", exif=b"Exif\0\0MM\0*" + b"\xff" * 5000),
        "icc-junk.jpg": packed(dog, "JPEG", icc_profile=b"\xff" * 300_000),
        "icc-junk.png": packed(dog, "PNG", icc_profile=bytes(128) + b"acsp" * 99),
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "page.jpg": b"<!doctype html><script>alert(1)</script>",
        "program.eps": packed(dog, "EPS"),
        "polyglot.jpg": jpeg + b"<script>alert(1)</script>",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("dog.png", packed(large, "PNG"))
    files["nested.zip"] = files["nested.png"] = archive.getvalue()
    for format in TRUNCATED:
        whole = packed(draw_dog(4, 24), format)
        step = max(10, len(whole) // 200)  # cuts at every tenth byte, or at 200 places in a large file
        files |= {f"cut-{n:05d}.{format.lower()}": whole[:n] for n in range(0, len(whole), step)}
    return files


def mutations(format: str, count: int, seed: int = 0) -> dict[str, bytes]:
    """Pictures with up to 30 random changes: bytes overwritten, deleted or inserted."""
    files = {}
    for i in range(count):
        rng = random.Random(f"{format} {seed} {i}")
        data = bytearray(packed(draw_dog(i, rng.choice((16, 48, 96))), format))
        for _ in range(rng.randint(1, 30)):
            place = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 200))
            kind = rng.random()
            if kind < 0.6:
                data[place] = rng.randrange(256)
            elif kind < 0.75:
                data[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
            elif kind < 0.9:
                del data[place : place + rng.randint(1, 20)]
            else:
                data[place:place] = rng.randbytes(rng.randint(1, 20))
            if len(data) < 20:
                break
        files[f"{i:04d}.{format.lower()}"] = bytes(data)
    return files


def main(folder: Path) -> None:
    vae = tiny_vae()
    vae.latents = some_latents()
    studio = Studio(vae, DogFinder())
    studio.look(packed(draw_dog(0, 64), "JPEG"))  # the first call is slow, and must not count for a file
    for path in sorted(folder.iterdir()):
        began = time.process_time()  # processor time does not depend on how busy the machine is
        try:
            sight = studio.look(path)
            studio.reconstruct(sight.photo, sight.crop)
            outcome = "picture"
        except PhotoError as error:
            outcome = str(error)
        except Exception as error:
            outcome = f"Traceback: {error!r}"
        line = {"file": path.name, "outcome": outcome, "seconds": time.process_time() - began, "peak_mb": peak_mb()}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
