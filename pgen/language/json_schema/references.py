"""Where references lead: base URIs, identifiers and anchors of one schema document.

The document is walked once, through the places where drafts put schemas; each
resource (`$id`) and anchor is remembered by its URI, so that a look-up costs no more
than the steps of a JSON pointer. Nothing outside the document is ever fetched.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from pgen.errors import InvalidLanguage, UnsupportedFeature
from pgen.language.base import late
from pgen.language.json_schema.dialects import Dialect

if TYPE_CHECKING:
    from referencing import Registry

SINGLE = [
    "items",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
]
LISTS = ["allOf", "anyOf", "oneOf", "prefixItems", "items"]
MAPS = ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"]


_DRAFTS = ("http://json-schema.org/", "https://json-schema.org/")

_MARSHALLED = {word: marshal.dumps(word, 0) for word in ("id", "$id", "$anchor", "$dynamicAnchor")}
_MARSHALLED_REFERENCES = [marshal.dumps(word, 0) for word in ("$ref", "$dynamicRef", "$recursiveRef")]
_SURELY_A_URI = re.compile(r"[A-Za-z0-9_~/.:#%+,;=@!$&'()*?-]*")
"""URI references of these characters alone can be joined: what is refused are brackets and letters of other scripts."""

_RESOURCES = "(resources)"
"""Under which name the resources that come with a document stand in pointers."""


def escaped(name: str) -> str:
    """One step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


class Document:
    """The resources and anchors of a schema, and of other schemas by their URIs; pointers start at its root."""

    def __init__(self, root: Any, dialect: Dialect, resources: Mapping[str, Any]) -> None:
        self.root = {**root, _RESOURCES: list(resources.values())} if resources and isinstance(root, dict) else root
        self.dialect = dialect
        self._resources: dict[str, str] = {"": ""}
        self._bases: dict[str, str] = {"": ""}
        self._anchors: dict[tuple[str, str], str] = {}
        self._dynamic: dict[str, list[str]] = {}
        self._targets: dict[tuple[str, str], str | None] = {}
        waiting = [(root, "", "")]
        for i, (uri, resource) in enumerate(resources.items()):
            place, uri = f"/{_RESOURCES}/{i}", urldefrag(uri).url
            self._resources[uri], self._bases[place] = place, uri
            waiting.append((resource, place, uri))
        data = marshal.dumps(root, 0) if isinstance(root, dict) else b""
        inner = bool(resources) or self._names_parts(data)
        # Where nothing refers to anything, what things are called only has to be well-formed.
        self._refers = bool(resources) or any(map(data.__contains__, _MARSHALLED_REFERENCES))
        while waiting:
            schema, pointer, base = waiting.pop()
            base = self._index(schema, pointer, base)
            if inner:
                waiting += ((part, pointer + step, base) for part, step in subschemas(schema))

    def _names_parts(self, data: bytes) -> bool:
        """Whether something below the root may have a name of its own; told from its bytes, which is much faster."""
        words = (self.dialect.identifier, "$anchor", "$dynamicAnchor")
        count = sum([data.count(_MARSHALLED[word]) for word in words])
        return count > 0 and count > sum([word in self.root for word in words])

    def _index(self, schema: Any, pointer: str, base: str) -> str:
        """Remember what a schema is called; the base URI inside it."""
        if not isinstance(schema, dict):
            return base
        identifier = self.dialect.identifier
        named = schema.get(identifier)
        if identifier in schema:
            check_identifier(named, f"{pointer}/{identifier}")
        if not self._refers and isinstance(named, str) and _SURELY_A_URI.fullmatch(named):
            return named
        if isinstance(named, str) and not (self.dialect.lone_references and "$ref" in schema):
            uri, fragment = urldefrag(_joined(base, named, f"{pointer}/{identifier}"))
            if fragment and self.dialect.lone_references:
                self._anchors.setdefault((uri, fragment), pointer)
            if uri != base or not pointer:
                base = uri
                self._resources.setdefault(base, pointer)
                self._bases[pointer] = base
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(keyword), str):
                self._anchors.setdefault((base, schema[keyword]), pointer)
        if isinstance(schema.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(schema["$dynamicAnchor"], []).append(pointer)
        return base

    def target(self, reference: str, pointer: str) -> str | None:
        """The pointer that a reference at `pointer` leads to; `None` in a draft's metaschemas.

        Raises `InvalidLanguage` where there is nothing, `UnsupportedFeature` outside the document.
        """
        place = self._base(pointer), reference
        if place not in self._targets:
            self._targets[place] = self._found(*place, pointer)
        return self._targets[place]

    def _found(self, base: str, reference: str, pointer: str) -> str | None:
        # Bases have no fragment, and most references nothing else.
        inside = reference.startswith("#")
        uri, fragment = (base, reference[1:]) if inside else urldefrag(_joined(base, reference, pointer))
        if uri not in self._resources:
            if _is_of_a_draft(uri, fragment, pointer):
                return None
            raise UnsupportedFeature(
                f"$ref leaves the document: {reference!r}",
                pointer=pointer,
                hint="put the schema under $defs, or pass it in resources",
            )
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            if (uri, fragment) not in self._anchors:
                raise InvalidLanguage(f"$ref leads nowhere: no anchor {fragment!r}", pointer=pointer)
            return self._anchors[uri, fragment]
        found = self._resources[uri] + fragment
        try:
            self.at(found)
        except LookupError:
            raise InvalidLanguage(f"$ref leads nowhere: {reference!r}", pointer=pointer) from None
        return found

    def is_dynamic(self, keyword: str, reference: str, target: str) -> bool:
        """Whether a `$dynamicRef` or `$recursiveRef` may lead elsewhere than to `target`, by the way of validation."""
        schema = self.at(target)
        if keyword == "$recursiveRef":
            return isinstance(schema, dict) and schema.get("$recursiveAnchor") is True and len(self._bases) > 1
        places = self._dynamic.get(urldefrag(reference).fragment, ())
        return target in places and len(places) > 1

    def at(self, pointer: str) -> Any:
        """What stands at a JSON pointer. Raises `LookupError`."""
        place = self.root
        for step in pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~") if "~" in step else step
            if isinstance(place, dict):
                place = place[name]
            elif isinstance(place, list):
                if not name.isdecimal():
                    raise LookupError(pointer)
                place = place[int(name)]
            else:
                raise LookupError(pointer)
        return place

    def known_at(self, pointer: str) -> dict[str, Any]:
        """The keywords that the draft knows of the schema at a JSON pointer."""
        schema = self.at(pointer)
        if not isinstance(schema, dict):
            return {}
        if self.dialect.lone_references and "$ref" in schema:
            return {"$ref": schema["$ref"]}
        return {name: value for name, value in schema.items() if name in self.dialect.keywords}

    def _base(self, pointer: str) -> str:
        if len(self._bases) == 1:
            return self._bases[""]
        while pointer not in self._bases:
            pointer = pointer.rpartition("/")[0]
        return self._bases[pointer]


def check_identifier(name: Any, pointer: str) -> None:
    """Raise `InvalidLanguage` if what a schema is called is no URI reference."""
    if not isinstance(name, str):
        raise InvalidLanguage(f"{pointer.rpartition('/')[2]} must be a string, not {name!r:.80}", pointer=pointer)
    if not _SURELY_A_URI.fullmatch(name):
        _joined("", name, pointer)


def subschemas(schema: Any) -> Iterator[tuple[Any, str]]:
    """The schemas right below one, wherever drafts put them, with the pointers that lead there."""
    if not isinstance(schema, dict):
        return
    for keyword in SINGLE:
        if isinstance(schema.get(keyword), dict):
            yield schema[keyword], f"/{keyword}"
    for keyword in LISTS:
        if isinstance(schema.get(keyword), list):
            yield from ((part, f"/{keyword}/{i}") for i, part in enumerate(schema[keyword]))
    for keyword in MAPS:
        if isinstance(schema.get(keyword), dict):
            yield from ((part, f"/{keyword}/{escaped(name)}") for name, part in schema[keyword].items())


def _is_of_a_draft(uri: str, fragment: str, pointer: str) -> bool:
    """Whether a reference leads into a metaschema. Raises `InvalidLanguage` where that has no such part."""
    if not uri.startswith(_DRAFTS):
        return False
    known: Registry[Any] = late("jsonschema_specifications:REGISTRY")
    if uri not in known:
        return False
    try:
        known.resolver().lookup(f"{uri}#{fragment}")
    except late("referencing.exceptions:Unresolvable"):
        raise InvalidLanguage(f"$ref leads nowhere: '{uri}#{fragment}'", pointer=pointer) from None
    return True


def _joined(base: str, reference: str, pointer: str) -> str:
    """The URI that a reference at `pointer` means. Raises `InvalidLanguage` if it is none."""
    try:
        # urljoin drops the base of schemes that it does not know, such as urn.
        if reference.startswith("#") or not reference:
            return urldefrag(base).url + reference
        return urljoin(base, reference)
    except ValueError as error:
        raise InvalidLanguage(f"{reference!r:.80} is no URI reference: {error}", pointer=pointer) from None
