"""The labelled US addresses of usaddress as texts and records, and what is asked of the model.

usaddress labels every word; `FIELDS` says which labels make up which field. Recipients,
buildings, landmarks and countries are not asked for. Words keep their spelling but for
punctuation at their ends.
"""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from typing import NamedTuple

from pydantic import BaseModel, Field

from bench.fetch_addresses import fetch

FIELDS = {
    "number": ("AddressNumberPrefix", "AddressNumber", "AddressNumberSuffix"),
    "street": (
        "StreetNamePreModifier", "StreetNamePreDirectional", "StreetNamePreType", "StreetName",
        "StreetNamePostType", "StreetNamePostDirectional", "StreetNamePostModifier",
    ),
    "unit": ("OccupancyType", "OccupancyIdentifier", "SubaddressType", "SubaddressIdentifier"),
    "box": ("USPSBoxGroupType", "USPSBoxGroupID", "USPSBoxType", "USPSBoxID"),
    "city": ("PlaceName",),
    "state": ("StateName",),
    "zip": ("ZipCode", "ZipPlus"),
}  # fmt: skip


class Address(BaseModel):
    """A US postal address; what the text does not say is left out."""

    number: str | None = Field(default=None, max_length=12, description="house number")
    street: str | None = Field(default=None, max_length=40)
    unit: str | None = Field(default=None, max_length=24, description="suite, apartment or floor")
    box: str | None = Field(default=None, max_length=24, description="PO box")
    city: str | None = Field(default=None, max_length=30)
    state: str | None = Field(default=None, max_length=20)
    zip: str | None = Field(default=None, pattern=r"^[0-9]{5}(-[0-9]{4})?$", description="ZIP code")


class Labelled(NamedTuple):
    """An address as people wrote it, and the fields that annotators saw in it."""

    text: str
    fields: dict[str, str]


def labelled() -> list[Labelled]:
    """All 1,513 of them, in the order of the file."""
    return [_record(entry) for entry in ET.parse(fetch()).getroot()]


def _record(entry: ET.Element) -> Labelled:
    words = [(child.tag, (child.text or "").strip()) for child in entry]
    text = " ".join("".join(entry.itertext()).split())
    fields = {
        name: " ".join(plain(word) for label, word in words if label in labels).strip()
        for name, labels in FIELDS.items()
    }
    return Labelled(text, {name: value for name, value in fields.items() if value})


def plain(text: str) -> str:
    """Without the punctuation around a word."""
    return text.strip(" ,.;:()")


def agrees(found: object, expected: str) -> bool:
    """Whether a field was read right: equal but for case, spaces and punctuation at word ends."""
    return isinstance(found, str) and _key(found) == _key(expected)


def _key(text: str) -> list[str]:
    return [word for word in map(plain, text.casefold().split()) if word]


SHAPES = [
    ("number", "street", "city", "state", "zip"),
    ("number", "street", "unit", "city", "state", "zip"),
    ("box", "city", "state", "zip"),
    ("number", "street"),
]


def split(n_records: int, seed: int = 0) -> tuple[list[tuple[str, dict[str, str]]], list[Labelled]]:
    """Examples to show (one of each shape), and `n_records` others to read, both drawn with `seed`."""
    shuffled = labelled()
    random.Random(seed).shuffle(shuffled)
    shown = [next(r for r in shuffled if tuple(r.fields) == shape and _is_plain(r, shape)) for shape in SHAPES]
    examples = [(record.text, record.fields) for record in shown]
    return examples, [record for record in shuffled if record not in shown][:n_records]


def _is_plain(record: Labelled, shape: tuple[str, ...]) -> bool:
    return len(shape) == 2 or record.text.count(",") >= 2
