"""Holds the input of a call against the model of its operation."""

import base64
import json
import re
import sys
import unicodedata
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache

from decode import Text

SHOWN = 60  # characters of a value in a sentence
LISTED = 40  # names in a sentence

# What a model says wrongly. Java reads four digits after \u: of U+10000 to U+10FFFF, which are meant, all are refused.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
WRONG = {("sts", "arnType"): r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"}


class Check:
    """The sentences about one call, and the shapes whose pattern could not be applied."""

    def __init__(self, call):
        self.call, self.sentences, self.unchecked = call, [], []

    def add(self, member, got, allowed, source=""):
        sentence = f"{self.call.service} {self.call.operation}: {member or 'the request'} is {got}; allowed: {allowed}"
        self.sentences.append(sentence + (f" ({source})" if source else ""))

    def value(self, path, shape, value):
        if value is None:
            return  # for AWS a member that is not there; of a required one its structure says so
        if shape.type_name == "structure":
            self.structure(path, shape, value)
        elif shape.type_name == "list":
            self.list(path, shape, value)
        elif shape.type_name == "map":
            self.map(path, shape, value)
        else:
            self.leaf(path, shape, value)

    def structure(self, path, shape, value):
        if not isinstance(value, dict):
            if not shape.is_document_type:
                self.add(path, quote(shape, value), "a structure")
            return
        for name in shape.required_members:
            if value.get(name) is None:
                self.add(under(path, name), "missing", "a value, which is required")
        for name in sorted(value):
            if name in shape.members:
                self.value(under(path, name), shape.members[name], value[name])
            elif not shape.is_document_type:
                self.add(under(path, name), "not known to the API", "only members of " + shape.name)
        given = sum(member is not None for member in value.values())
        if shape.metadata.get("union") and given != 1:
            self.add(path, f"a choice with {given} of its members", "exactly one of " + words(sorted(shape.members)))

    def list(self, path, shape, value):
        if not isinstance(value, list):
            self.add(path, quote(shape, value), "a list")
            return
        self.size(path, shape, f"a list of {len(value)}", len(value), " entries")
        for i, item in enumerate(value):
            if item is None and not shape.serialization.get("sparse"):
                self.add(f"{path}[{i}]", "null", "a value")
            self.value(f"{path}[{i}]", shape.member, item)

    def map(self, path, shape, value):
        if not isinstance(value, dict):
            self.add(path, quote(shape, value), "a map")
            return
        self.size(path, shape, f"a map of {len(value)}", len(value), " entries")
        for key in sorted(value):
            self.value(f'the key of {path}["{key}"]', shape.key, key)
            self.value(f'{path}["{key}"]', shape.value, value[key])

    def size(self, path, shape, got, size, unit):
        """A length or a number against the shape's range."""
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is None or size >= least) and (most is None or size <= most):
            return
        if least is None:
            limits = f"at most {most}"
        elif most is None:
            limits = f"at least {least}"
        else:
            limits = str(least) if least == most else f"{least} to {most}"
        self.add(path, got, limits + unit)

    def leaf(self, path, shape, value):
        kind = shape.type_name
        if kind in ("string", "character"):
            self.text(path, shape, value)
        elif kind in ("integer", "long"):
            self.number(path, shape, value, "a whole number")
        elif kind in ("float", "double"):
            self.number(path, shape, value, "a number")
        elif kind == "boolean" and not (isinstance(value, bool) or isinstance(value, Text) and value in ("true", "false")):
            self.add(path, quote(shape, value), "true or false")
        elif kind == "timestamp" and not is_time(value):
            self.add(path, quote(shape, value), "a point in time")
        elif kind == "blob":
            self.blob(path, shape, value)

    def text(self, path, shape, value):
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            self.add(path, quote(shape, value), "a text")
            return
        self.size(path, shape, quote(shape, value), len(value), " characters")
        if shape.enum and value not in shape.enum:
            self.add(path, quote(shape, value), "one of " + words(shape.enum))
        pattern = shape.metadata.get("pattern")
        if not pattern or pattern == WRONG.get((self.call.service, shape.name)):
            return
        expression = compiled(pattern)
        if expression is None:
            self.unchecked.append(f"{self.call.service}.{shape.name}")
        elif not expression.fullmatch(value):
            self.add(path, quote(shape, value), "what matches " + pattern)

    def number(self, path, shape, value, what):
        whole = shape.type_name in ("integer", "long")
        # JSON has no other way to write infinity.
        if isinstance(value, str) and not isinstance(value, Text) and not whole and value in ("NaN", "Infinity", "-Infinity"):
            return
        try:
            number = float(value) if isinstance(value, (int, float, Text)) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or whole and number != int(number) or shape.type_name == "integer" and abs(number) >= 2**31:
            self.add(path, quote(shape, value), what)
            return
        self.size(path, shape, str(value), number, "")

    def blob(self, path, shape, value):
        try:
            content = value if isinstance(value, bytes) else base64.b64decode(value.strip(), validate=True)
        except (AttributeError, ValueError):
            self.add(path, quote(shape, value), "data in Base64")
            return
        self.size(path, shape, f"{len(content)} bytes", len(content), " bytes")


def under(path, member):
    """The path of a member below another."""
    return f"{path}.{member}".removeprefix(".")


def is_time(value):
    """Whether a value is in one of the forms in which AWS reads times.

    https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait
    """
    for read in (float, datetime.fromisoformat, parsedate_to_datetime):
        try:
            read(value)
            return True
        except (TypeError, ValueError):
            pass
    return False


def quote(shape, value):
    """A value for a sentence: shortened, and not at all where the model calls it sensitive."""
    if isinstance(value, dict):
        return "a structure"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return json.dumps(value)
    if shape and shape.metadata.get("sensitive"):
        return f"a sensitive text of {len(value)} characters"
    if len(value) > SHOWN:
        return f"{json.dumps(value[:SHOWN], ensure_ascii=False)}… ({len(value)} characters)"
    return json.dumps(value, ensure_ascii=False)


def words(names):
    """Names for a sentence, the first of very many."""
    return ", ".join(names) if len(names) <= LISTED else f"{', '.join(names[:LISTED])} … ({len(names)} in all)"


# A character beyond U+FFFF, which Java writes as two.
SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
CLASS = re.compile(r"\[(?:\\.|[^\]\\])*\]")
NAMED = re.compile(r"\\p\{(?:Is)?([A-Z]\w*)\}")
RANGES = {"Print": r"\x20-\x7E", "ASCII": r"\x00-\x7F"}


@cache
def compiled(java):
    """A pattern in the syntax of Java, of which the models are; None if it cannot be translated.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html
    """
    ready = SURROGATES.sub(lambda pair: chr(0x10000 + (int(pair[1], 16) - 0xD800) * 0x400 + int(pair[2], 16) - 0xDC00), java)
    ready = re.sub(r"(\\[wdsWDS])-", r"\1\\-", ready)
    if "&&" in ready or re.search(r"[*+?}]\+", NAMED.sub("x", CLASS.sub("x", ready))):
        return None  # intersections and possessive quantifiers
    ready = CLASS.sub(lambda of: NAMED.sub(lambda name: ranges(name[1]), of[0]), ready)
    ready = NAMED.sub(lambda name: f"[{ranges(name[1])}]", ready)
    try:
        return re.compile(ready, re.ASCII)
    except re.error:
        return None


@cache
def ranges(name):
    """The characters that have a name, or are of a Unicode category, as they stand in a class."""
    found = []
    for code in range(sys.maxunicode + 1 if name not in RANGES else 0):
        if unicodedata.category(chr(code)).startswith(name):
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return RANGES.get(name) or "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)
