"""Real-world photo files open upright and in the right colours, or give one plain sentence."""

import io
import struct
import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from model import PhotoError, open_photo
from model.formats import torn
from model.photos import MAX_BYTES, center_crop
from model.pixels import to_picture, to_pixels, to_tensor
from tests.support.tiny import draw_dog


def packed(picture: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def sentence(source) -> str:
    with pytest.raises(PhotoError) as caught:
        open_photo(source)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 200, text
    return text


def close(pixel, expected, tolerance: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= tolerance


# An upright scene: red at the top left, green at the top right, blue below.
UPRIGHT = Image.new("RGB", (48, 64), "blue")
UPRIGHT.paste("red", (0, 0, 24, 32))
UPRIGHT.paste("lime", (24, 0, 48, 32))

STORED_AS = {  # how a camera stores an upright scene for each EXIF orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED_AS)
def test_phone_photos_are_turned_upright(orientation):
    turn = STORED_AS[orientation]
    stored = UPRIGHT if turn is None else UPRIGHT.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = open_photo(packed(stored, "JPEG", exif=exif, quality=95))
    assert photo.mode == "RGB" and photo.size == (48, 64)
    corners = [photo.getpixel(at) for at in ((8, 8), (40, 8), (8, 56), (40, 56))]
    for pixel, expected in zip(corners, ((255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 255)), strict=True):
        assert close(pixel, expected), corners


def test_broken_exif_does_not_cost_the_photo():
    assert open_photo(packed(UPRIGHT, "JPEG", exif=b"Exif\0\0garbage")).size == (48, 64)


def test_cmyk():
    photo = open_photo(packed(UPRIGHT.convert("CMYK"), "JPEG", quality=95))
    assert photo.mode == "RGB" and close(photo.getpixel((8, 8)), (255, 0, 0))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(format):
    values = [x * 65535 // 255 for x in range(256)]
    wide = Image.frombytes("I;16", (256, 1), struct.pack("<256H", *values))
    photo = open_photo(packed(wide, format))
    assert photo.mode == "RGB"
    for x in (0, 64, 128, 255):
        assert close(photo.getpixel((x, 0)), (x, x, x), 1)


@pytest.mark.parametrize("format", ["HEIF", "AVIF", "WEBP", "TIFF", "BMP", "MPO"])
def test_formats(format):
    photo = open_photo(packed(UPRIGHT, format, quality=95))
    assert photo.mode == "RGB" and photo.size == (48, 64)
    for at, expected in (((8, 8), (255, 0, 0)), ((40, 8), (0, 255, 0)), ((40, 56), (0, 0, 255))):
        assert close(photo.getpixel(at), expected, 40), format


def test_a_heic_is_not_turned_twice():
    """HEIC turns the picture by itself. Its EXIF only repeats that."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_photo(packed(UPRIGHT, "HEIF", exif=exif)).size == (48, 64)


@pytest.mark.parametrize("format", ["JPEG", "MPO", "PNG", "TIFF"])
def test_photos_of_many_megapixels_come_back_smaller(format):
    large = UPRIGHT.resize((4800, 6400), Image.Resampling.NEAREST)
    options = {"compression": "tiff_lzw"} if format == "TIFF" else {}
    photo = open_photo(packed(large, format, **options))
    assert 1024 <= photo.width < 2500 and photo.height * 3 == photo.width * 4
    assert close(photo.getpixel((photo.width // 6, photo.height // 8)), (255, 0, 0))


def test_a_long_strip_keeps_its_short_side():
    assert open_photo(packed(Image.new("RGB", (9000, 300)), "PNG")).size == (9000, 300)


def test_grey():
    assert open_photo(packed(Image.new("L", (9, 9), 77))).getpixel((4, 4)) == (77, 77, 77)


def test_black_and_white():
    assert open_photo(packed(Image.new("1", (9, 9), 1))).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_with_transparency_is_on_white(format):
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.paste(0, (0, 0, 4, 8))
    photo = open_photo(packed(palette, format, transparency=0))
    assert photo.getpixel((1, 1)) == (255, 255, 255) and photo.getpixel((6, 1)) == (10, 20, 30)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparent_pictures_are_on_white(format):
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    clear.paste((0, 0, 0, 128), (4, 0, 8, 8))
    photo = open_photo(packed(clear, format, **({"lossless": True} if format == "WEBP" else {})))
    assert photo.getpixel((1, 1)) == (255, 255, 255) and close(photo.getpixel((6, 1)), (127, 127, 127), 2)


def test_grey_with_transparency_is_on_white():
    assert open_photo(packed(Image.new("LA", (4, 4), (0, 0)))).getpixel((1, 1)) == (255, 255, 255)


def test_first_frame_of_a_gif():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    photo = open_photo(packed(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert photo.getpixel((4, 4)) == (255, 0, 0)


def test_colour_profile_is_followed():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")  # red and blue swapped
    red = Image.new("RGB", (8, 8), "red")
    assert close(open_photo(packed(red, icc_profile=srgb)).getpixel((4, 4)), (255, 0, 0), 2)
    assert close(open_photo(packed(red, icc_profile=swapped)).getpixel((4, 4)), (0, 0, 255), 2)
    assert open_photo(packed(red, icc_profile=b"no profile")).getpixel((4, 4)) == (255, 0, 0)


def test_one_pixel():
    photo = open_photo(packed(Image.new("RGB", (1, 1), "red")))
    assert to_tensor(photo, 32).shape == (3, 32, 32)


def test_sources(tmp_path):
    data = packed(UPRIGHT)
    (tmp_path / "dog.png").write_bytes(data)
    for source in (data, tmp_path / "dog.png", str(tmp_path / "dog.png"), io.BytesIO(data)):
        assert open_photo(source).tobytes() == UPRIGHT.tobytes()


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_truncated_files_give_a_sentence(format, keep):
    data = packed(draw_dog(1, 200), format)
    try:
        assert open_photo(data[: int(len(data) * keep)]).size == (200, 200)
    except PhotoError:
        sentence(data[: int(len(data) * keep)])


def test_what_is_no_picture():
    assert "could not be read" in sentence(b"Dear dog,\nplease sit.\n")
    assert "empty" in sentence(b"")
    assert "could not be read" in sentence(packed(UPRIGHT, "EPS")), "a program, which Pillow would run"


def test_what_is_no_file(tmp_path):
    for source in (tmp_path / "missing.jpg", tmp_path, "with a \0 in it"):
        assert "could not be opened" in sentence(source)


def png_header(width: int, height: int) -> bytes:
    """A PNG that states a size but has almost no data, as a decompression bomb does."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [50_000, 11_000, 2**31 - 1])  # Pillow's own limit accepts the second
def test_bombs(side):
    assert "pixels" in sentence(png_header(side, side))


def test_large_files(tmp_path):
    data = packed(UPRIGHT)
    assert open_photo(data + bytes(MAX_BYTES - len(data))).size == (48, 64)
    too_large = data + bytes(MAX_BYTES + 1 - len(data))
    (tmp_path / "large.png").write_bytes(too_large)
    for source in (too_large, tmp_path / "large.png", io.BytesIO(too_large)):
        assert "25 MB" in sentence(source)


def picture_or_sentence(data: bytes) -> None:
    try:
        photo = open_photo(data)
    except PhotoError as error:
        assert "\n" not in str(error)
    else:
        assert photo.mode == "RGB" and min(photo.size) > 0


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0"]))
def test_any_bytes_give_a_picture_or_a_sentence(data, magic):
    picture_or_sentence(magic + data)


WHOLE = [packed(draw_dog(2, 48), format) for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP")]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damaged_files_give_a_picture_or_a_sentence(whole, changes):
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    picture_or_sentence(bytes(data))


def test_center_crop():
    wide = Image.new("RGB", (90, 30), "white")
    wide.paste("red", (30, 0, 60, 30))
    assert center_crop(wide).getcolors() == [(900, (255, 0, 0))]
    assert center_crop(wide.transpose(Image.Transpose.ROTATE_90)).getcolors() == [(900, (255, 0, 0))]


def test_tensor_and_back():
    x = to_tensor(UPRIGHT.crop((0, 0, 48, 48)), 48)
    assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1
    assert to_picture(x).tobytes() == UPRIGHT.crop((0, 0, 48, 48)).tobytes()
    every = torch.arange(256) / 127.5 - 1
    assert torch.equal(to_pixels(every), torch.arange(256, dtype=torch.uint8))
    assert to_pixels(torch.tensor([-9.0, 9.0])).tolist() == [0, 255]


def test_what_a_comment_claims_costs_nothing():
    """A comment holds JPEG markers: a frame of 65,535 pixels a side, and a restart after each block."""
    claims, out = b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\xff\xdd\x00\x04\x00\x01", io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "JPEG", comment=claims)
    torn_off = out.getvalue()[:-3]
    assert all(len(torn.completed(torn_off, filler)) < 4 * len(torn_off) for filler in torn.FILLERS)
