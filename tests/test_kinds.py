"""Random picture files of each kind that failed in other projects (docs/field.md)."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from model import PhotoError, open_photo
from model.photos import MAX_BYTES, scans
from tests.support.files import SRGB, SWAPPED, exif, grey_profile, jpeg_with, packed, png, tiff, with_chunk
from tests.support.tiny import draw_dog
from tests.test_photos import STORED_AS, UPRIGHT, close, sentence

MANY = int(os.environ.get("FUZZ", 30))  # examples of each kind; make fuzz: 500
many = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
TURNED = UPRIGHT.transpose(Image.Transpose.ROTATE_90)  # as stored with EXIF orientation 6
DOG = draw_dog(2, 48).resize((47, 33))
SHADES = np.asarray(DOG) / 255
SHADES[0, 0], SHADES[0, 1] = 0, 1  # black and white


def seen(data: bytes) -> np.ndarray:
    """The opened picture, [h, w, 3] in 0..255."""
    return np.asarray(open_photo(data)).astype(int)


def assert_looks_like(data: bytes, shades: np.ndarray, tolerance: float = 1.01) -> None:
    assert np.abs(seen(data) - 255 * shades).max() <= tolerance


# ---- 1. A still picture with data embedded in it or after it

VIDEO = b"\0\0\0\x18ftypmp42" + os.urandom(2000) + b"\xff\xda\xff\xd9\xff\xd8\xff\xe1" * 2000
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP")


@pytest.mark.parametrize("format", FORMATS)
def test_a_motion_photo_is_its_still(format):
    still = packed(draw_dog(3, 160), format)
    photo = open_photo((still + VIDEO * 2000)[: MAX_BYTES - 1])
    assert photo.tobytes() == open_photo(still).tobytes() and not photo.info


@many
@given(st.sampled_from([packed(UPRIGHT, format) for format in FORMATS]), st.binary(max_size=2000))
def test_whatever_is_appended(still, appended):
    assert open_photo(still + appended).size == (48, 64)


def test_a_jpeg_with_much_in_its_segments():
    still = packed(draw_dog(3, 160), "JPEG")
    whole = open_photo(still).tobytes()
    segments = [(0xE4 + n % 8, b"\xff\xda\xff\xd9" * 16_000) for n in range(125)]
    for changed in (jpeg_with(still, *segments), jpeg_with(still, (0xFE, b"\xff\xda" * 30_000))):
        assert open_photo(changed).tobytes() == whole
    assert scans(jpeg_with(still, *segments) + VIDEO) == 1


@pytest.mark.parametrize("between", [b"", b"\xff\xfe\0\2", b"\xff\xff", b"\0\0\0"])
def test_scans_without_end_are_still_refused(between):
    data = packed(draw_dog(3, 160), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert "scans" in sentence(data[:last] + (between + data[last:-2]) * 500 + data[-2:] + VIDEO)


# ---- 2. EXIF: only the orientation matters

TAGS = [256, 258, 271, 273, 277, 282, 330, 513, 700, 33434, 34665, 34853, 36867, 37500, 40965, 65535]
VALUES = [struct.pack("<ii", 1, 0), struct.pack("<ii", 5, -1), b"\xff" * 8, b"text\0", struct.pack("<I", 700_000)]
ENTRIES = st.tuples(
    st.sampled_from(TAGS) | st.integers(0, 65535),
    st.integers(1, 13) | st.integers(0, 65535),
    st.sampled_from(VALUES) | st.binary(min_size=1, max_size=40),
)


def with_exif(format: str, data: bytes) -> bytes:
    plain = packed(TURNED, format, quality=95)
    if format == "JPEG":
        return jpeg_with(plain, (0xE1, data))
    if format == "PNG":
        return with_chunk(plain, b"eXIf", data[6:])
    return packed(TURNED, format, exif=data, quality=95)


@many
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP"]),
    st.lists(ENTRIES, max_size=12),
    st.sampled_from("<>"),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_nothing_in_the_exif_but_the_orientation_matters(format, entries, order, offset):
    photo = open_photo(with_exif(format, exif(entries, 6, order, offset)))
    assert photo.size == (48, 64)
    assert close(photo.getpixel((8, 8)), (255, 0, 0), 40) and close(photo.getpixel((40, 8)), (0, 255, 0), 40)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_every_orientation_beside_what_can_not_be_written_again(orientation):
    turn = STORED_AS[orientation]
    stored = packed(UPRIGHT if turn is None else UPRIGHT.transpose(turn), "JPEG", quality=95)
    entries = [(33434, 10, VALUES[0]), (277, 4, VALUES[4]), (273, 2, b"text\0"), (330, 2, b"text\0")]
    photo = open_photo(jpeg_with(stored, (0xE1, exif(entries, orientation))))
    assert photo.size == (48, 64) and close(photo.getpixel((8, 8)), (255, 0, 0)), orientation


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_formats_that_say_themselves_how_they_are_turned(format):
    plain = packed(TURNED, format, exif=exif([(270, 2, b"a" * 400)], 6), quality=95)
    odd = exif([(33434, 10, VALUES[0]), (273, 2, b"text\0"), (330, 7, VALUES[2])], 3)[6:]
    at = plain.rindex(b"a" * 400)
    at = max(plain.rfind(start, 0, at) for start in (b"II*\0", b"MM\0*"))
    photo = open_photo(plain[:at] + odd + plain[at + len(odd) :])
    assert photo.size == (48, 64) and close(photo.getpixel((8, 8)), (255, 0, 0), 40)


# ---- 3. Files whose end is missing

NOISY = Image.blend(draw_dog(5, 400), Image.merge("RGB", [Image.effect_noise((400, 400), 80)] * 3), 0.3)
CUT = {
    "JPEG": packed(NOISY, "JPEG"),
    "JPEG with restarts": packed(NOISY, "JPEG", restart_marker_rows=2),
    "JPEG with many": packed(NOISY, "JPEG", restart_marker_blocks=3),
    "progressive with restarts": packed(NOISY, "JPEG", progressive=True, restart_marker_rows=2),
    "progressive JPEG": packed(NOISY, "JPEG", progressive=True),
    "PNG": packed(NOISY, "PNG"),
    "WebP": packed(NOISY, "WEBP"),
    "lossless WebP": packed(NOISY, "WEBP", lossless=True),
    "AVIF": packed(NOISY, "AVIF"),
    "HEIC": packed(NOISY, "HEIF"),
    "GIF": packed(NOISY, "GIF"),
    "BMP": packed(NOISY, "BMP"),
}


@pytest.mark.parametrize("format", CUT)
def test_a_picture_of_which_nearly_all_is_there_is_shown(format):
    whole, data = seen(CUT[format]), CUT[format]
    for missing in (1, 2, 3, len(data) // 200):
        photo = open_photo(data[:-missing])
        assert np.abs(np.asarray(photo).astype(int) - whole).mean() < 2, missing
    assert photo.info.get("cut_short") and not open_photo(data).info
    for missing in (len(data) // 5, len(data) // 2):
        assert "could not be read" in sentence(data[:-missing])


def test_a_jpeg_without_its_last_bytes_is_whole():
    data = CUT["JPEG"]
    for missing in (1, 2):
        assert (seen(data[:-missing]) == seen(data)).all()


@many
@given(st.sampled_from(sorted(CUT)), st.floats(0, 1))
def test_a_file_cut_anywhere_gives_a_picture_or_a_sentence(format, share):
    data = CUT[format]
    try:
        photo = open_photo(data[: int(share * len(data))])
    except PhotoError as error:
        assert share < 0.98, "nearly all is there"
        assert str(error).startswith("The file") and str(error).endswith(".")
        return
    # A progressive JPEG cut between two scans has all rows, but coarser, so means of blocks of 8 x 8 are compared.
    blocks = [p.reduce(8) if "progressive" in format else p for p in (photo, open_photo(data))]
    there, whole = (np.asarray(p).astype(int) for p in blocks)
    assert np.abs(there - whole).mean() < 6.5, "a twentieth, at most, is missing"


# ---- 4. Profiles


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG", "HEIF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_the_profile_of_colours_is_followed(format, mode):
    red = Image.new("RGB", (8, 8), "red").convert(mode)
    if format in ("PNG", "TIFF") or mode == "RGB" or (mode == "RGBA" and format != "JPEG"):
        assert close(open_photo(packed(red, format, icc_profile=SWAPPED)).getpixel((4, 4)), (0, 0, 255), 30)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA", "P"])
def test_the_profile_of_greys_is_followed(format, mode):
    ramp = Image.linear_gradient("L").resize((16, 16)).convert(mode)
    linear, plain = (seen(packed(ramp, format, **o)) for o in ({"icc_profile": grey_profile(1.0)}, {}))
    assert linear.mean() > plain.mean() + 20


def test_a_profile_of_other_colours_than_the_picture_has():
    red, grey = Image.new("RGB", (8, 8), "red"), Image.new("L", (8, 8), 77)
    assert open_photo(packed(red, icc_profile=grey_profile(1.0))).getpixel((4, 4)) == (255, 0, 0)
    assert close(open_photo(packed(grey, icc_profile=SRGB)).getpixel((4, 4)), (77, 77, 77), 1)
    assert close(open_photo(packed(red.convert("CMYK"), "JPEG", icc_profile=SRGB)).getpixel((4, 4)), (255, 0, 0), 5)


def test_the_gamma_of_a_png_is_followed():
    grey = Image.new("L", (8, 8), 64)
    for mode in ("L", "RGB", "P", "RGBA"):
        plain = packed(grey.convert(mode))
        for gamma, value in ((1.0, 136), (1 / 1.8, 82), (1 / 2.2, 64), (0, 64)):
            chunk = struct.pack(">I", round(gamma * 100_000))
            assert close(open_photo(with_chunk(plain, b"gAMA", chunk)).getpixel((4, 4)), (value,) * 3, 1), (mode, gamma)
    linear = with_chunk(packed(grey), b"gAMA", struct.pack(">I", 100_000))
    assert open_photo(with_chunk(linear, b"sRGB", b"\0")).getpixel((4, 4)) == (64, 64, 64), "sRGB goes before gAMA"


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_much_text_in_a_png(kind):
    head = {b"zTXt": b"notes\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", b"iCCP": b"icc\0\0"}[kind]
    much = with_chunk(packed(UPRIGHT), kind, head + zlib.compress(bytes(9_000_000)))
    assert open_photo(much).tobytes() == UPRIGHT.tobytes()


def test_more_text_than_a_file_may_hold():
    bomb = with_chunk(packed(UPRIGHT), b"zTXt", b"notes\0\0" + zlib.compress(bytes(40_000_000)))
    assert "could not be read" in sentence(bomb)


# ---- 5. Pixel samples of any depth and layout


@pytest.mark.parametrize("bits", range(1, 17))
def test_fewer_bits_stored_in_16(bits):
    white = 2**bits - 1
    colours = (SHADES * white).round()
    grey = colours[..., :1]
    alike = np.repeat(grey, 3, 2) / white
    assert_looks_like(tiff(colours.astype(np.uint16), 2), colours / white)
    assert_looks_like(tiff(grey.astype(np.uint16)), alike)
    assert_looks_like(tiff(grey.astype(np.uint16), 0), 1 - alike)
    opaque = np.full_like(grey, white)
    assert_looks_like(tiff(np.concatenate([colours, opaque], 2).astype(np.uint16), 2, extra=(2,)), colours / white)
    for parts, shades in (((grey,), alike), ((grey, opaque), alike), ((colours,), None), ((colours, opaque), None)):
        picture = np.concatenate(parts, 2).astype(np.uint16)
        assert_looks_like(png(picture), colours / white if shades is None else shades)


@pytest.mark.parametrize("most", [1e-3, 1, 1.5, 3, 50, 255, 4095, 65535, 1e6])
def test_floating_point_up_to_anything(most):
    for data in (tiff((SHADES * most).astype(np.float32), 2), tiff((SHADES[..., :1] * most).astype(np.float32))):
        bright = seen(data) / 255
        assert 0.6 < bright.mean() / SHADES.mean() < 1.6 and bright.max() > 0.9


def test_a_lamp_does_not_darken_the_rest():
    lit = SHADES.copy()
    lit[5:7, 5:7] = 500
    assert_looks_like(tiff(lit.astype(np.float32), 2), lit.clip(0, 1))


def test_values_that_are_not_numbers_are_black():
    holes = SHADES.astype(np.float32)
    holes[3, 3], holes[4, 4] = np.nan, np.inf
    picture = seen(tiff(holes, 2))
    assert picture[3, 3].max() == 0 and np.abs(picture[9:] - 255 * SHADES[9:]).max() <= 1.01
    assert "could not be read" in sentence(tiff(np.full((4, 4, 3), np.nan, np.float32), 2))


@pytest.mark.parametrize("type", ["u1", "u2", "f4"])
def test_samples_that_are_not_colours(type):
    white = {"u1": 255, "u2": 65535, "f4": 1}[type]
    empty, full = np.zeros((33, 47, 1)), np.full((33, 47, 1), white)
    ink = np.concatenate([1 - SHADES, empty], 2) * white
    for parts, photometric, extra in (
        ((SHADES * white, empty), 2, ()),
        ((SHADES * white, empty), 2, (0,)),
        ((SHADES * white, empty, empty), 2, ()),
        ((SHADES * white, full, empty), 2, (2, 0)),
        ((SHADES * white, empty, full), 2, (0, 1)),
        ((ink, full), 5, (2,)),
        ((ink, full), 5, (1,)),
        ((ink, empty), 5, (0,)),
    ):
        picture = np.concatenate(parts, 2)
        picture = picture.round(0 if white > 1 else 9).astype(type)
        assert_looks_like(tiff(picture, photometric, extra=extra), SHADES, 2.5)


@many
@given(st.data())
def test_any_layout_of_samples(data):
    """Varies depth, byte order, compression, predictor, strips or tiles, planes, and extra samples."""
    type = data.draw(st.sampled_from(["u1", "u2", "u4", "f2", "f4", "f8", "packed"]))
    deflated = data.draw(st.booleans())
    options = {"order": data.draw(st.sampled_from("<>")), "deflated": deflated, "apart": data.draw(st.booleans())}
    options["tile"] = data.draw(st.sampled_from([0, 16, 32]))
    photometric, extra = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([(), (0,), (2,), (0, 0)]))
    if deflated and type != "packed":
        options["predictor"] = data.draw(st.sampled_from([1, 2, 3] if type[0] == "f" else [1, 2]))
    bits = {"u1": 8, "u2": 16, "u4": 32}.get(type, 0)
    if type == "packed":
        bits = data.draw(st.integers(1, 15).filter(lambda n: n != 8))
    white = 2**bits - 1 if bits else 1
    shades = SHADES if photometric == 2 else SHADES[..., :1]
    samples = np.concatenate([shades * white, np.full((33, 47, len(extra)), white)], 2)
    samples = samples.round().astype("u2" if type == "packed" else type) if bits else samples.astype(type)
    options |= {"bits": bits} if type == "packed" else {}
    right = np.broadcast_to((shades * white).round() / white if bits else shades, SHADES.shape)
    assert_looks_like(tiff(samples, photometric, extra=extra, **options), right)


@many
@given(st.binary(max_size=400), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]), st.integers(0, 400))
def test_a_damaged_tiff_gives_a_picture_or_a_sentence(noise, magic, at):
    whole = tiff((SHADES * 4095).astype(np.uint16), 2, deflated=True, predictor=2, tags={274: [6]})
    for data in (magic + noise, whole[:-at] if at else whole, whole[: -at - 9] + noise[:9] + whole[len(whole) - at :]):
        try:
            photo = open_photo(data)
        except PhotoError as error:
            assert "\n" not in str(error) and str(error).endswith(".")
        else:
            assert photo.mode == "RGB"


def test_orientation_and_odd_tags_of_a_tiff():
    for orientation, turn in STORED_AS.items():
        stored = np.asarray(UPRIGHT if turn is None else UPRIGHT.transpose(turn))
        assert_looks_like(tiff(stored, 2, tags={274: [orientation], 330: [2**32 - 1]}), np.asarray(UPRIGHT) / 255)
        buffer = io.BytesIO()
        Image.fromarray(stored).save(buffer, "TIFF", compression="jpeg", tiffinfo={274: orientation})
        assert open_photo(buffer.getvalue()).size == (48, 64)
