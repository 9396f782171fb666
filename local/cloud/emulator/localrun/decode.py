"""Reads the input of a call in each of AWS's protocols.

A value is a dict, a list, or a leaf: what JSON has, Text where the protocol has no types, bytes for a body that is the value
itself. Members have the names of the model; what the model does not have keeps its own.
https://smithy.io/2.0/aws/protocols/index.html
"""

import json
from xml.etree import ElementTree

from models import EC2, JSON, QUERY, REST_JSON


class Text(str):
    """A leaf of a form, a header or an XML element."""


def decode(request, call):
    if call.protocol == JSON:
        return from_json(call.input, load(request.body))
    if call.protocol in (QUERY, EC2):
        root = Branch.grow({key: value for key, value in request.form.items() if key not in ("Action", "Version")})
        return root.structure(call.input, call.protocol)
    return rest(request, call)


def wire(member, name):
    return member.serialization.get("name", name)


def load(body):
    return json.loads(body) if body.strip() else {}


def from_json(shape, raw):
    if isinstance(raw, list) and shape.type_name == "list":
        return [from_json(shape.member, item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    if shape.type_name == "map":
        return {key: from_json(shape.value, value) for key, value in raw.items()}
    if shape.type_name != "structure" or shape.is_document_type:
        return raw
    named, left = {}, dict(raw)
    for name, member in shape.members.items():
        if wire(member, name) in left and "location" not in member.serialization:
            named[name] = from_json(member, left.pop(wire(member, name)))
    return left | named


class Branch(dict):
    """A part of a form whose keys are paths, such as Actions.member.1.Type."""

    text = None

    @classmethod
    def grow(cls, form):
        root = cls()
        for key, values in form.items():
            at = root
            for step in key.split("."):
                at = at.setdefault(step, cls())
            at.text = Text(values[0])
        return root

    def decode(self, shape, dialect):
        if shape.type_name == "structure":
            return self.structure(shape, dialect)
        if shape.type_name == "list":
            return self.list(shape, dialect)
        if shape.type_name == "map":
            return self.map(shape, dialect)
        return self.raw()

    def structure(self, shape, dialect):
        if self.text:
            return self.text
        decoded, left = {}, dict(self)
        for name, member in shape.members.items():
            key = form_name(member, name, dialect)
            if key in left:
                decoded[name] = left.pop(key).decode(member, dialect)
        return {key: branch.raw() for key, branch in left.items()} | decoded

    def list(self, shape, dialect):
        if self.text:
            return self.text
        flat = dialect == EC2 or shape.serialization.get("flattened")
        items = self.numbered(None if flat else wire(shape.member, "member"))
        return self.raw() if items is None else [item.decode(shape.member, dialect) for item in items]

    def map(self, shape, dialect):
        items = self.numbered("entry")
        if items is None or any(set(item) != {wire(shape.key, "key"), wire(shape.value, "value")} for item in items):
            return self.raw()
        return {item[wire(shape.key, "key")].raw(): item[wire(shape.value, "value")].decode(shape.value, dialect) for item in items}

    def numbered(self, name):
        """The entries of a list: under one name and nothing beside it, or right here. None if their names are no numbers."""
        if name and self:
            if set(self) != {name}:
                return None
            return self[name].numbered(None)
        if not all(key.isdigit() for key in self):
            return None
        return [self[key] for key in sorted(self, key=int)]

    def raw(self):
        """What stands where the model has nothing, or something else."""
        return {key: branch.raw() for key, branch in self.items()} if self else self.text or Text()


def form_name(member, name, dialect):
    if dialect == EC2:
        name = wire(member, name)
        return member.serialization.get("queryName", name[0].upper() + name[1:])
    if member.type_name == "list" and member.serialization.get("flattened"):
        return wire(member.member, wire(member, name))
    return wire(member, name)


def rest(request, call):
    """What the REST protocols put into path, query, headers and body.

    https://smithy.io/2.0/spec/http-bindings.html
    """
    value = body(request.body, call)
    query = {
        name: values
        for name, values in request.query.items()
        if name != "x-id" and not name.startswith("X-Amz-") and name not in call.route.query
    }
    takes_any = False
    for name, member in call.input.members.items():
        key, place = wire(member, name), member.serialization.get("location")
        if place == "uri":
            value[name] = Text(call.path.get(key, ""))
        elif place == "querystring":
            takes_any = takes_any or member.type_name == "map"
            if key in query:
                value[name] = texts(member, query.pop(key))
        elif place == "header" and request.headers.get(key.lower()):
            value[name] = texts(member, [item.strip() for item in request.headers[key.lower()].split(",")], request.headers[key.lower()])
        elif place == "headers":
            prefix = key.lower()
            value[name] = {header[len(prefix) :]: Text(text) for header, text in request.headers.items() if header.startswith(prefix)}
    if not takes_any:
        value |= {"?" + name: Text(values[0]) for name, values in query.items()}
    return value


def texts(shape, values, whole=None):
    return [Text(value) for value in values] if shape.type_name == "list" else Text(values[0] if whole is None else whole)


def body(content, call):
    """The members of a REST request that are in its body."""
    name = call.input.serialization.get("payload")
    if not name:
        value = whole(content, call.input, call.input.serialization.get("name"), call.protocol)
        return value if isinstance(value, dict) else {"the body": value}
    payload = call.input.members[name]
    if payload.type_name in ("blob", "string"):
        return {name: content}  # S3 streams; what is in them is the client's
    if not content.strip():
        return {}
    return {name: whole(content, payload, wire(payload, name), call.protocol)}


def whole(content, shape, root, protocol):
    if protocol == REST_JSON:
        return from_json(shape, load(content))
    if not content.strip():
        return {}
    element = ElementTree.fromstring(content)
    if root and local(element.tag) != root:
        raise ValueError(f"the element is <{local(element.tag)}>, not <{root}>")
    return from_xml(shape, element)


def local(tag):
    return tag.rpartition("}")[2]


def from_xml(shape, element):
    if shape.type_name == "structure":
        return xml_structure(shape, element)
    if shape.type_name == "list":
        if any(local(item.tag) != wire(shape.member, "member") for item in element):
            return raw_xml(element)
        return [from_xml(shape.member, item) for item in element]
    if shape.type_name == "map":
        key, value = wire(shape.key, "key"), wire(shape.value, "value")
        entries = [{local(part.tag): part for part in entry} for entry in element]
        if any(set(entry) != {key, value} for entry in entries):
            return raw_xml(element)
        return {Text(entry[key].text or ""): from_xml(shape.value, entry[value]) for entry in entries}
    return raw_xml(element)


def xml_structure(shape, element):
    if not len(element) and (element.text or "").strip():
        return Text(element.text)
    decoded, taken = {}, set()
    for name, member in shape.members.items():
        key = wire(member, name)
        if member.serialization.get("xmlAttribute"):
            found = [text for tag, text in element.items() if local(tag) == key.rpartition(":")[2]]
            decoded |= {name: Text(found[0])} if found else {}
            continue
        given = [below for below in element if local(below.tag) == key]
        taken.add(key)
        if given and member.type_name == "list" and member.serialization.get("flattened"):
            decoded[name] = [from_xml(member.member, item) for item in given]
        elif given:
            decoded[name] = from_xml(member, given[0])
    return {local(below.tag): raw_xml(below) for below in element if local(below.tag) not in taken} | decoded


def raw_xml(element):
    return {local(below.tag): raw_xml(below) for below in element} if len(element) else Text(element.text or "")
