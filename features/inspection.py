"""Inspection: what a file that somebody adds really is, judged by its content; images are made anew without
what their camera wrote into them.

    python -I features/inspection.py INBOX RESULT NAME DOCUMENTS

runs in a process of its own, with bounds on its time and memory: a hostile file can hurt nothing but itself,
and no stream waits for it. It writes what may be kept to RESULT and prints its findings as JSON; or it prints
why the file is refused. It imports nothing of ours; whoever asks it for a name needs no images.

Libraries of signatures were tried and left (puremagic takes a docm for a docx, an odt for an xlsx, and knows
no plain text): what counts is whether the whole file reads as what it says it is.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import sys
import unicodedata
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from PIL import Image

IMAGES = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "JPEG2000", "ICO", "PPM", "TGA", "PCX")
MOST_PIXELS = 50_000_000
THUMBNAIL_BYTES = 10_000  # of the data: URL
THUMBNAILS = ((320, 70), (320, 45), (240, 45), (160, 45), (96, 30))  # longest side, quality

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
MOST_PARTS = 2_000  # of a document, which is a zip
MOST_UNPACKED_BYTES = 300_000_000
MOST_RATIO = 200  # unpacked to packed

MARKUP = re.compile(rb"\s*(<\?xml|<!doctype|<!--|<html|<head|<body|<script|<svg|<iframe|<img)", re.IGNORECASE)
CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x19\x1c-\x1f\x7f]")
EXTENSIONS = {
    "text/plain": (".txt", ".csv", ".md", ".rtf"),
    "application/pdf": (".pdf",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    DOCX: (".docx",),
    ODT: (".odt",),
}
PICTURES = re.compile(
    r"\.(png|jpe?g|jfif|gif|webp|avif|bmp|dib|tiff?|jp2|j2k|ico|pp?m|tga|pcx|svg|heic)$", re.IGNORECASE
)
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
UNSEEN = (
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
)  # controls, marks that turn the reading order, what is no letter at all
NAME_BYTES = 180  # of 255 that a disk allows, so that a browser can still add " (1)"

CPU_S = 40
MEMORY_BYTES = 2_500_000_000


class Refused(Exception):
    """A code: kind, empty, image, pixels, macros, document."""


def main(inbox: str, result: str, name: str, documents: str) -> None:
    bound()
    try:
        print(json.dumps(inspected(Path(inbox), Path(result), unquote(name), documents == "yes")))
    except Refused as refused:
        print(json.dumps({"refused": str(refused)}))
    except OSError as problem:  # of our disk: the file may be a good one
        print(json.dumps({"errno": problem.errno}))


def bound() -> None:
    import resource  # not where only names are looked at

    for what, limit in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))
    os.nice(10)


def inspected(inbox: Path, result: Path, name: str, documents: bool) -> dict[str, Any]:
    content = inbox.read_bytes()
    found = judged(content, documents)
    kept = found.pop("kept", content)
    with result.open("wb") as file:
        file.write(kept)
        file.flush()
        os.fsync(file.fileno())
    return {
        **found,
        "name": safe_name(name, found["media"]),
        "sha256": hashlib.sha256(kept).hexdigest(),
        "size": len(kept),
    }


def judged(content: bytes, documents: bool) -> dict[str, Any]:
    """By the first thing it can be. What pretends to be several is taken for one of them, and is only ever
    downloaded."""
    if not content:
        raise Refused("empty")
    if content.startswith(b"%PDF-"):
        return {"media": "application/pdf"}
    if content.startswith(b"PK\x03\x04"):
        if not documents:
            raise Refused("kind")
        return {"media": document(content)}
    if (image := image_in(content)) is not None:
        return image
    if is_text(content):
        return {"media": "text/plain"}
    raise Refused("kind")


# ---- text ------------------------------------------------------------------------------------------------


def is_text(content: bytes) -> bool:
    """Readable from beginning to end, and no page or drawing that a browser would run."""
    for encoding in encodings(content):
        with contextlib.suppress(UnicodeError):
            text = content.decode(encoding)
            return not CONTROLS.search(text) and not MARKUP.match(text[:400].encode("utf-8", "replace"))
    return False


def encodings(content: bytes) -> tuple[str, ...]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    return ("utf-8-sig", "cp1252")


# ---- documents -------------------------------------------------------------------------------------------


def document(content: bytes) -> str:
    """Nothing is unpacked but the two small parts that say what it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            refuse_bombs(parts, len(content))
            names = {part.filename for part in parts}
            if any(re.search(r"vba|macro|activex|^basic/|^scripts/", name.lower()) for name in names):
                raise Refused("macros")
            if start_of(packed, names, "mimetype") == ODT.encode():
                return ODT
            types = start_of(packed, names, "[Content_Types].xml").lower()
            if b"macroenabled" in types:
                raise Refused("macros")
            if b"wordprocessingml.document.main+xml" in types and "word/document.xml" in names:
                return DOCX
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, ValueError, EOFError):
        raise Refused("document") from None
    except RuntimeError:  # it wants a password
        raise Refused("document") from None
    raise Refused("kind")


def refuse_bombs(parts: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED_BYTES or unpacked > MOST_RATIO * packed_bytes:
        raise Refused("document")


def start_of(packed: zipfile.ZipFile, names: set[str], name: str) -> bytes:
    if name not in names:
        return b""
    with packed.open(name) as part:
        return part.read(1_000_000)


# ---- images ----------------------------------------------------------------------------------------------


def image_in(content: bytes) -> dict[str, Any] | None:
    """Its first frame, upright, in the colours of screens, drawn anew: nothing is kept but pixels."""
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(io.BytesIO(content), formats=IMAGES) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused("pixels")
            image.load()
            return redrawn(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("pixels") from None
    except UnidentifiedImageError:
        return None
    except Refused:
        raise
    except Exception:  # whatever a decoder says of what somebody broke on purpose
        if is_text(content):  # the signatures of some kinds are ordinary letters
            return None
        raise Refused("image") from None


def redrawn(image: "Image.Image") -> dict[str, Any]:
    lossy = image.format in ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000")
    pixels = upright(image)
    clear = pixels.mode in ("RGBA", "LA", "PA") or "transparency" in pixels.info
    pixels = on_screen(pixels, "RGBA" if clear else "RGB")
    pixels.info.clear()
    kept = io.BytesIO()
    if lossy and not clear:
        pixels.save(kept, "JPEG", quality=90)
    else:
        pixels.save(kept, "PNG")
    return {
        "kept": kept.getvalue(),
        "media": "image/jpeg" if lossy and not clear else "image/png",
        "width": pixels.width,
        "height": pixels.height,
        "thumbnail": thumbnail(pixels),
    }


def upright(image: "Image.Image") -> "Image.Image":
    """A broken note of the camera turns nothing."""
    from PIL import ImageOps

    with contextlib.suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def on_screen(image: "Image.Image", mode: str) -> "Image.Image":
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256, "L").convert(mode)
    with contextlib.suppress(Exception):
        if profile and image.mode in ("RGB", "CMYK", "RGBA"):
            its = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screens = ImageCms.createProfile("sRGB")
            turned = ImageCms.profileToProfile(image, its, screens, outputMode=mode)
            if turned is not None:
                return turned
    return image.convert(mode)


def thumbnail(image: "Image.Image") -> str:
    from PIL import ImageOps

    for side, quality in THUMBNAILS:
        small = image.copy() if max(image.size) <= side else ImageOps.contain(image, (side, side))
        webp = io.BytesIO()
        small.save(webp, "WEBP", quality=quality)
        url = f"data:image/webp;base64,{base64.b64encode(webp.getvalue()).decode()}"
        if len(url) <= THUMBNAIL_BYTES:
            return url
    return ""


# ---- names -----------------------------------------------------------------------------------------------


def safe_name(given: str, media: str) -> str:
    """A name that every disk takes and that says what the file is: no path, nothing invisible, an ending that
    fits the content."""
    name = readable_name(given)
    endings = EXTENSIONS[media]
    ending = next((each for each in endings if name.lower().endswith(each)), "")
    stem, ending = (name[: -len(ending)], name[-len(ending) :]) if ending else (name, endings[0])
    if media.startswith("image/"):
        stem = PICTURES.sub("", stem)
    if RESERVED.fullmatch(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    while len((stem + ending).encode()) > NAME_BYTES:
        stem = stem[:-1]
    return (stem.strip(" .") or "file") + ending


def readable_name(given: str) -> str:
    """Its last part, all of it visible, in the order in which it is stored."""
    name = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    name = "".join(" " if letter.isspace() else letter for letter in name)
    name = "".join(letter for letter in name if unicodedata.category(letter) not in UNSEEN)
    return re.sub(r'[<>:"|?*%;]', "_", re.sub(r" {2,}", " ", name)).strip(" .")


if __name__ == "__main__":
    os.nice(10)  # streams go first
    main(*sys.argv[1:])
