"""Looks at the requests of a run on their way into moto: whether AWS would take them, and which actions each command calls."""

import io
import json
import re
import threading
from collections import defaultdict

import rules
from check import Check
from decode import decode
from models import Request, Unidentified, identify

# How much of a request is looked into, in bytes. Nothing that describes a resource is longer; what is, is a file for S3.
MOST = 4 << 20

# The command of a run stands in the clients' user agent. Those of the run itself are not looked at.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
APPLICATION = re.compile(r"\bapp/(\S+)")
OWN = "local-run"

SEEN = "/local-run/requests"  # answers with what was seen up to now
ONLY = "HTTP_X_LOCAL_RUN_ANSWERED"  # of a request that is answered elsewhere, and only looked at here


class Watch:
    """A WSGI application before moto's."""

    def __init__(self, moto):
        self.moto, self.account, self.lock = moto, rules.Account(), threading.Lock()
        self.checked, self.unidentified = 0, 0
        self.actions, self.sentences, self.reasons, self.unchecked = defaultdict(set), set(), set(), set()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == SEEN:
            return answer(start_response, self.seen())
        command = APPLICATION.search(environ.get("HTTP_USER_AGENT", ""))
        report = None
        if not command or command[1] != OWN:
            report = self.look(environ, command[1] if command else "other")
        if environ.get(ONLY):
            return answer(start_response, report)
        return self.moto(environ, start_response)

    def look(self, environ, command):
        try:
            request = read(environ)
            report = min((self.check(request, call) for call in identify(request)), key=lambda report: len(report["violations"]))
        except Unidentified as reason:
            report = {"unidentified": f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}: {reason}"}
        with self.lock:
            self.note(report, command)
        return report

    def check(self, request, call):
        check = Check(call)
        try:
            value = decode(request, call)
        except (ValueError, SyntaxError) as error:  # ElementTree's is a SyntaxError
            check.add("the body", f"not readable: {error}", "what the protocol writes")
        else:
            check.value("", call.input, value)
            rules.apply(check, value, self.account)
        return {"service": call.service, "operation": call.operation, "violations": check.sentences, "unchecked": check.unchecked}

    def note(self, report, command):
        if "unidentified" in report:
            self.unidentified += 1
            self.reasons.add(report["unidentified"])
            return
        self.checked += 1
        self.actions[command].add(f"{report['service']}:{report['operation']}")
        self.sentences.update(report["violations"])
        self.unchecked.update(report["unchecked"])

    def seen(self):
        with self.lock:
            return {
                "checked": self.checked,
                "unidentified": self.unidentified,
                "actions": {command: sorted(actions) for command, actions in sorted(self.actions.items())},
                "violations": sorted(self.sentences),
                "reasons": sorted(self.reasons),
                "unchecked": sorted(self.unchecked),
            }


def read(environ):
    """A request, whose body moto can read again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MOST:
        raise Unidentified(f"longer than {MOST} bytes")
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    path, _, query = environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")
    return Request(environ["REQUEST_METHOD"], path, query, headers, body)


def answer(start_response, value):
    content = json.dumps(value).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]
