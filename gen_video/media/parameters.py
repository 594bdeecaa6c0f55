"""Generation parameters inside picture files: as text for people and tools, and as JSON for us.

The text has the form that image generators and galleries customarily read: the prompt, a line
with the negative prompt, then one line of `Name: value` pairs. PNG carries both as iTXt chunks;
JPEG and WebP carry the text in the Exif user comment and the JSON in an XMP packet.

Sources: PNG specification (third edition) §11.3.3.4; Exif 2.32 §4.6.5 (UserComment); ISO 16684-1.
"""

import json
import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from PIL import ExifTags, Image, PngImagePlugin

TEXT_CHUNK = "parameters"
JSON_CHUNK = "gen_video"
NAMESPACE = "https://gen-video.invalid/ns/1.0/"
"""Names our XMP property; nothing is ever fetched from it."""
USER_COMMENT = 0x9286
UNICODE_HEADER = b"UNICODE\x00"
MAX_SEGMENT_BYTES = 60_000
"""A JPEG segment holds 65,533 bytes, part of them for its own headers."""
SHORTENED = "…"

CUSTOMARY_NAMES = {
    "num_inference_steps": "Steps",
    "scheduler": "Sampler",
    "guidance_scale": "CFG scale",
    "seed": "Seed",
    "size": "Size",
    "model": "Model",
    "strength": "Denoising strength",
    "software": "Version",
}
"""What other tools call our parameters, in their order."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NEEDS_QUOTES = re.compile(r'[,:\n"]')
_UNSAFE_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_text(parameters: Mapping[str, str]) -> str:
    """Write parameters in the customary form."""
    rest = dict(parameters)
    prompt, negative_prompt = rest.pop("prompt", ""), rest.pop("negative_prompt", "")
    if "width" in rest and "height" in rest:
        rest["size"] = f"{rest.pop('width')}x{rest.pop('height')}"
    known = [name for name in CUSTOMARY_NAMES if name in rest]
    pairs = [
        f"{CUSTOMARY_NAMES.get(name, name)}: {_quoted(rest[name])}"
        for name in [*known, *sorted(rest.keys() - set(known))]
    ]
    lines = [prompt]
    if negative_prompt:
        lines.append(f"Negative prompt: {negative_prompt}")
    if pairs:
        lines.append(", ".join(pairs))
    return _encodable(_CONTROL.sub(" ", "\n".join(lines)))


def to_json(parameters: Mapping[str, str]) -> str:
    """Write parameters as one JSON object."""
    return _encodable(json.dumps(dict(parameters), ensure_ascii=False))


def from_json(text: str) -> dict[str, str]:
    """Read what `to_json` wrote; {} for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def to_png_text(parameters: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Return the chunks of a PNG file."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(TEXT_CHUNK, to_text(parameters))
    info.add_itxt(JSON_CHUNK, to_json(parameters))
    return info


def to_exif(parameters: Mapping[str, str]) -> bytes:
    """Return an Exif block with the text as its user comment, shortened to what JPEG can hold."""
    exif = Image.Exif()
    exif.endian = ">"  # the byte order of its text follows, and this is the one all readers know
    text = _shorten(to_text(parameters), MAX_SEGMENT_BYTES // 4)
    exif.get_ifd(ExifTags.IFD.Exif)[USER_COMMENT] = UNICODE_HEADER + text.encode("utf-16-be")
    return exif.tobytes()


def to_xmp(parameters: Mapping[str, str]) -> bytes:
    """Return an XMP packet with the JSON; long values are shortened to what JPEG can hold."""
    limit = max(map(len, parameters.values()), default=0)
    packet = _xmp_packet(parameters)
    while len(packet) > MAX_SEGMENT_BYTES and limit:
        limit //= 2
        packet = _xmp_packet({name: _shorten(value, limit) for name, value in parameters.items()})
    return packet


def from_xmp(packet: bytes) -> dict[str, str]:
    """Read what `to_xmp` wrote; {} for anything else."""
    if b"<!" in packet:
        return {}  # our packets declare nothing, so no entity can ever be expanded
    try:
        root = ET.fromstring(packet)  # noqa: S314 - declarations were refused above
    except ET.ParseError:
        return {}
    found = root.find(f".//{{{NAMESPACE}}}parameters")
    return {} if found is None else from_json(found.text or "")


def _xmp_packet(parameters: Mapping[str, str]) -> bytes:
    body = escape(_UNSAFE_XML.sub("\ufffd", to_json(parameters)))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:gv={quoteattr(NAMESPACE)}>'
        f"<gv:parameters>{body}</gv:parameters>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="r"?>'
    ).encode()


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if _NEEDS_QUOTES.search(value) else value


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no encoding can write."""
    return text.encode("utf-8", "replace").decode()


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)] + SHORTENED
