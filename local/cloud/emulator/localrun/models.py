"""AWS's API models, as botocore has them, and the operation of them that a request calls.

https://github.com/boto/botocore/tree/master/botocore/data
"""

import glob
import gzip
import json
import os
import re
from collections import defaultdict
from functools import cache
from urllib.parse import parse_qs, unquote

import botocore
import botocore.session
from botocore.model import StructureShape

QUERY, EC2, JSON, REST_JSON, REST_XML = "query", "ec2", "json", "rest-json", "rest-xml"

# <key>/<date>/<region>/<service>/aws4_request
# https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
SCOPE = re.compile(r"[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


class Unidentified(Exception):
    """A request of which it cannot be said what it calls."""


class Request:
    """A request, taken apart as far as that needs no model."""

    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.query = parse_qs(query, keep_blank_values=True)
        self.form = None
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self.form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        elif "Action" in self.query and "Version" in self.query:
            self.form = self.query

    def signer(self):
        """The name of the service for which the request is signed."""
        credential = self.query.get("X-Amz-Credential", [""])[0]
        if "Credential=" in self.headers.get("authorization", ""):
            credential = self.headers["authorization"].split("Credential=", 1)[1].split(",")[0].strip()
        if not credential:
            raise Unidentified("the request is not signed, and the signature names the service")
        scope = SCOPE.fullmatch(credential)
        if not scope:
            raise Unidentified(f'the credential "{credential}" is not <key>/<date>/<region>/<service>/aws4_request')
        return scope[1]


class Call:
    """A request as a call of an operation."""

    def __init__(self, service, operation, protocol, route=None, path=None):
        self.service, self.operation, self.protocol = service.name, operation.name, protocol
        self.route, self.path = route, path or {}
        self.input = operation.input_shape or StructureShape(operation.name + "Request", {"type": "structure", "members": {}})


class Route:
    """A request URI of the REST protocols, such as /{Bucket}/{Key+}?tagging.

    https://smithy.io/2.0/spec/http-bindings.html#http-trait
    """

    def __init__(self, operation):
        path, _, query = operation.http["requestUri"].partition("?")
        self.operation, self.method = operation, operation.http["method"]
        self.segments, self.query = segments(path), parse_qs(query, keep_blank_values=True)

    def match(self, request):
        """How much of the request the route says, and the members in its path; None if it is another's."""
        if request.method != self.method or request.query.get("x-id", [self.operation.name])[0] != self.operation.name:
            return None
        for name, values in self.query.items():
            if name not in request.query or values[0] and request.query[name] != values:
                return None
        path = self.match_path(segments(request.path))
        if path is None:
            return None
        literals = sum(not segment.startswith("{") for segment in self.segments)
        return (literals, len(self.query), self.present(request)), path

    def match_path(self, given):
        path = {}
        for i, segment in enumerate(self.segments):
            if i >= len(given) or not segment.startswith("{") and segment != given[i]:
                return None
            if segment.startswith("{"):
                name, value = segment.strip("{}"), given[i]
                if name.endswith("+"):
                    name, value, given = name[:-1], "/".join(given[i:]), given[: i + 1]
                if not value:
                    return None
                path[name] = unquote(value)
        return path if len(given) == len(self.segments) else None

    def present(self, request):
        """The number of required members in query and headers, -1 if one is missing: what tells CopyObject from PutObject."""
        count, shape = 0, self.operation.input_shape
        for name in shape.required_members if shape else []:
            member = shape.members[name]
            place, wire = member.serialization.get("location"), member.serialization.get("name", name)
            if place in ("querystring", "header"):
                if wire not in request.query if place == "querystring" else not request.headers.get(wire.lower()):
                    return -1
                count += 1
        return count


def segments(path):
    """The parts of a path. One slash at its end makes no difference."""
    return path.removeprefix("/").removesuffix("/").split("/")


class Service:
    def __init__(self, name):
        self.name, self.model = name, session().get_service_model(name)
        self.metadata = self.model.metadata
        operations = [self.model.operation_model(name) for name in self.model.operation_names]
        # Of PutBucketLifecycle and PutBucketLifecycleConfiguration, which look alike, the newer is meant.
        operations.sort(key=lambda o: (o.deprecated, o.name))
        self.routes = [Route(o) for o in operations] if self.metadata["protocol"].startswith("rest") else []

    def identify(self, request):
        """How sure it is that a request calls an operation of this service, and the call."""
        protocol = self.metadata["protocol"]
        target = request.headers.get("x-amz-target", "")
        if target:
            prefix, _, action = target.rpartition(".")
            return self.named(prefix == self.metadata.get("targetPrefix"), action, JSON)
        if request.form is not None:
            version, action = (request.form.get(name, [""])[0] for name in ("Version", "Action"))
            return self.named(version == self.metadata["apiVersion"], action, EC2 if protocol == EC2 else QUERY)
        best = None
        for route in self.routes:
            found = route.match(request)
            if found and (best is None or found[0] > best[0]):
                best = found[0], Call(self, route.operation, protocol, route, found[1])
        return best

    def named(self, meant, action, protocol):
        if not meant or action not in self.model.operation_names:
            return None
        return (1, 0, 0), Call(self, self.model.operation_model(action), protocol)


@cache
def session():
    return botocore.session.get_session()


@cache
def service(name):
    return Service(name)


@cache
def services():
    """The services by the name with which requests to them are signed. Of each model only the beginning is read."""
    found = defaultdict(set)
    for file in glob.glob(os.path.join(os.path.dirname(botocore.__file__), "data", "*", "*", "service-2.json*")):
        with (gzip.open if file.endswith(".gz") else open)(file, "rb") as content:
            start = content.read(8192).decode("utf-8", "ignore")
        metadata = json.JSONDecoder().raw_decode(start[start.index('"metadata"') :].split(":", 1)[1].lstrip())[0]
        found[metadata.get("signingName", metadata["endpointPrefix"])].add(file.split(os.sep)[-3])
    return {signer: sorted(names) for signer, names in found.items()}


def identify(request):
    """The calls that a request can be; nearly always it is one."""
    signer = request.signer()
    names = services().get(signer)
    if not names:
        raise Unidentified(f'no service is signed for as "{signer}"')
    found = [call for call in (service(name).identify(request) for name in names) if call]
    if not found:
        raise Unidentified(f"no operation of {', '.join(names)} is called like this")
    best = max(rank for rank, _ in found)
    return [call for rank, call in found if rank == best]
