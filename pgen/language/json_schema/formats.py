"""The string formats of draft 2020-12 as regular expressions.

Each is contained in what `jsonschema`'s format checker accepts. They are as wide
as their standard, not as wide as that checker, which takes any text with an `@`
for an e-mail address and a few non-standard forms of UUIDs and durations.
Calendars are exact (leap years included); leap seconds are not accepted. Runs of
digits without a limit in the standard end at 20.
"""

from __future__ import annotations

ANNOTATIONS = frozenset(
    {
        "binary", "byte", "password", "path", "file-path", "directory-path", "json-string",
        "int32", "int64", "uint32", "uint64", "float", "double", "decimal",
        "ipvanynetwork", "ipv4network", "ipv6network", "ipv4interface", "ipv6interface", "ipvanyaddress",
        "ipvanyinterface", "name-email", "multi-host-uri", "postgres-dsn", "base64url",
    }
)  # fmt: skip
"""Formats of pydantic and OpenAPI that no draft defines: annotations without a warning."""

INCOMPLETE = frozenset({"idn-email", "idn-hostname", "iri", "iri-reference", "uri-template", "regex"})
"""Formats of the draft that are not compiled."""

_DIGITS = "[0-9]{1,20}"

_LEAP = "(?:0[48]|[2468][048]|[13579][26])"
_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP_YEAR = f"(?:[0-9]{{2}}{_LEAP}|{_LEAP}00)"
_LONG_MONTH = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTH = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_MONTH_DAY = f"(?:{_LONG_MONTH}|{_SHORT_MONTH}|02-(?:0[1-9]|1[0-9]|2[0-8]))"
_DATE = f"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29)"
_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_HOUR_MINUTE}:[0-5][0-9](?:\.{_DIGITS})?(?:[Zz]|[+-]{_HOUR_MINUTE})"

_IN_DAY = f"(?:{_DIGITS}H(?:{_DIGITS}M)?(?:{{seconds}})?|{_DIGITS}M(?:{{seconds}})?|{{seconds}})"
_CLOCK = "T" + _IN_DAY.replace("{seconds}", rf"{_DIGITS}(?:\.{_DIGITS})?S")
_CALENDAR = f"(?:{_DIGITS}Y(?:{_DIGITS}M)?(?:{_DIGITS}D)?|{_DIGITS}M(?:{_DIGITS}D)?|{_DIGITS}D)"
_DURATION = f"P(?:{_CALENDAR}(?:{_CLOCK})?|{_CLOCK}|{_DIGITS}W)"

_LABEL = "[0-9A-Za-z](?:[-0-9A-Za-z]{0,61}[0-9A-Za-z])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_HOSTNAME = rf"(?=.{{1,253}}\Z){_NAME}"

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_TAIL = f"(?:{_GROUP}:{_GROUP}|{_IPV4})"


def _ipv6() -> str:
    before = [f"(?:{_GROUP}:){{6}}", f"::(?:{_GROUP}:){{5}}"]
    before += [f"(?:{_GROUP}(?::{_GROUP}){{0,{n}}})?::(?:{_GROUP}:){{{4 - n}}}" for n in range(5)]
    short = [f"(?:{_GROUP}(?::{_GROUP}){{0,5}})?::{_GROUP}", f"(?:{_GROUP}(?::{_GROUP}){{0,6}})?::"]
    return f"(?:(?:{'|'.join(before)}){_TAIL}|{'|'.join(short)})"


_IPV6 = _ipv6()

_ATOM = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_EMAIL = rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@(?:{_NAME}|\[(?:{_IPV4}|IPv6:{_IPV6})\])"

_ESCAPED = "%[0-9A-Fa-f]{2}"
_PLAIN = r"[0-9A-Za-z\-._~!$&'()*+,;="
_PCHAR = f"(?:{_PLAIN}:@]|{_ESCAPED})"
_QUERY = f"(?:{_PLAIN}:@/?]|{_ESCAPED})*"
_LITERAL = rf"\[(?:{_IPV6}|v[0-9A-Fa-f]+\.{_PLAIN}:]+)\]"
_AUTHORITY = f"(?:(?:{_PLAIN}:]|{_ESCAPED})*@)?(?:{_LITERAL}|(?:{_PLAIN}]|{_ESCAPED})*)(?::[0-9]*)?"
_ABSOLUTE = f"//{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
_SUFFIX = rf"(?:\?{_QUERY})?(?:#{_QUERY})?"
_SCHEME = "[A-Za-z][0-9A-Za-z+.-]*:"
_URI = f"{_SCHEME}(?:{_ABSOLUTE}|{_PCHAR}+(?:/{_PCHAR}*)*|){_SUFFIX}"
_FIRST = f"(?:{_SCHEME}{_PCHAR}+|(?:{_PLAIN}@]|{_ESCAPED})+)"
_REFERENCE = f"(?:(?:{_SCHEME})?(?:{_ABSOLUTE})?|{_FIRST}(?:/{_PCHAR}*)*){_SUFFIX}"

_POINTER = "(?:/(?:[^/~]|~[01])*)*"

PATTERNS: dict[str, str] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}[Tt]{_TIME}",
    "duration": _DURATION,
    "email": _EMAIL,
    "hostname": _HOSTNAME,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "uri": _URI,
    "uri-reference": _REFERENCE,
    "uuid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "json-pointer": _POINTER,
    "relative-json-pointer": f"(?:0|[1-9]{{1,19}}0?)(?:#|{_POINTER})",
}
"""Format name -> the pattern that the whole string must match."""

SHORTEST = {
    "date": 10, "time": 9, "date-time": 20, "duration": 3, "email": 3, "hostname": 1, "ipv4": 7, "ipv6": 2, "uri": 2,
    "uri-reference": 0, "uuid": 36, "json-pointer": 0, "relative-json-pointer": 1,
}  # fmt: skip
"""Format name -> bytes of its shortest strings as JSON spells them, quotes not counted."""
