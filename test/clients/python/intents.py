#!/usr/bin/env python3
"""An agent in Python: publishes signed intents on Kafka and reads what comes of them. It shares no code with the product.

  intents.py all      a good intent in either mode and with either algorithm, a repeat, and every abuse: a JSON line for each
  intents.py publish  one good intent (--id, --mode), without waiting; an agent and keys are made unless --state has them
  intents.py await    waits for the answer and the outcome of --id, published earlier
  intents.py sign     signed records as JSON lines, without Kafka or HTTP (--source)

Where to: --brokers (KAFKA_BROKERS), --url (AIFIRST_URL), --token (AIFIRST_TOKEN, of the administrator), --deployment
(DEPLOYMENT). Exit 0: every line is as expected; 1: one is not; 2: wrong usage. `ok` says which.
"""
import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

INTENTS = "aifirst.intents.v1"
ANSWERS = "aifirst.intent.events.v1"
OUTCOMES = "aifirst.workflow.events.v1"
TYPE = "aifirst.intent.submitted.v1"
ENDED = "aifirst.workflow.workflow-ended.v1"
ALGORITHMS = {"OKP": "EdDSA", "EC": "ES256"}


def now(seconds=0.0):
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- keys and signatures ------------------------------------------------------------------------------------------------

class Key:
    def __init__(self, kid, key):
        self.kid, self.key = kid, key

    @classmethod
    def ed25519(cls, kid):
        return cls(kid, OKPKey.generate_key("Ed25519"))

    @classmethod
    def p256(cls, kid):
        return cls(kid, ECKey.generate_key("P-256"))

    @classmethod
    def load(cls, saved):
        kind = OKPKey if saved["jwk"]["kty"] == "OKP" else ECKey
        return cls(saved["kid"], kind.import_key(saved["jwk"]))

    def save(self):
        return {"kid": self.kid, "jwk": self.key.as_dict(private=True)}

    def public(self):
        jwk = self.key.as_dict(private=False)
        return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}

    def sign(self, value, aud, event, kid=None):
        """A detached compact JWS (RFC 7515 appendix F) over the record's value."""
        algorithm = ALGORITHMS[self.public()["kty"]]
        protected = {"alg": algorithm, "kid": kid or self.kid, "aud": aud, "ce": {name: event[name] for name in ("id", "source", "type", "time")}}
        # Why not strict: the library knows the registered header parameters alone, and `aud` and `ce` are ours.
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        header, _, signature = jws.serialize_compact(protected, value, self.key, registry=registry).split(".")
        return f"{header}..{signature}"


# --- CloudEvents --------------------------------------------------------------------------------------------------------

def intent(goal="ask for nothing in particular"):
    return {"goal": goal, "steps": [{"id": "a", "capability": "noop", "input": {"value": 42}}]}


def event_of(source, **over):
    return {"specversion": "1.0", "id": str(uuid.uuid4()), "source": source, "type": TYPE, "time": now(), **over}


def record_of(event, data, mode, key=None, aud="aifirst", kid=None):
    if mode == "binary":
        value = json.dumps(data).encode()
        headers = {"content-type": "application/json", **{f"ce_{name}": text for name, text in event.items()}}
    else:
        value = json.dumps({**event, "datacontenttype": "application/json", "data": data}).encode()
        headers = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    if key is not None:
        headers["aifirst-signature"] = key.sign(value, aud, event, kid)
    return {"value": value, "headers": headers}


def read_event(message):
    """Either content mode."""
    headers = {name: value.decode() for name, value in message.headers() or [] if value is not None}
    if headers.get("content-type", "").startswith("application/cloudevents+json"):
        return json.loads(message.value())
    event = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
    event["data"] = json.loads(message.value()) if message.value() else None
    return event


# --- HTTP and Kafka -----------------------------------------------------------------------------------------------------

class Api:
    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def call(self, method, path, body=None, token=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("authorization", f"Bearer {token or self.token}")
        if data is not None:
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None
        return json.loads(text) if text else None


class Wire:
    def __init__(self, options):
        from confluent_kafka import Consumer, Producer
        common = {"bootstrap.servers": options.brokers}
        self.prefix = options.topic_prefix
        # Why an idempotent producer: a retry of the client's must not look like a repeat of the agent's.
        self.producer = Producer({**common, "acks": "all", "enable.idempotence": True, "compression.type": options.compression})
        self.consumer = Consumer({**common, "group.id": f"python-client-{uuid.uuid4()}", "auto.offset.reset": "earliest", "enable.auto.commit": False})
        self.consumer.subscribe([self.prefix + ANSWERS, self.prefix + OUTCOMES])
        self.timeout = options.timeout
        self.events = []

    def publish(self, record):
        failures = []
        self.producer.produce(self.prefix + INTENTS, value=record["value"], headers=list(record["headers"].items()), on_delivery=lambda error, _: failures.append(error) if error else None)
        left = self.producer.flush(self.timeout)
        if left or failures:
            raise RuntimeError(f"not published: {failures or 'no answer from the broker'}")

    def find(self, wanted, at_least=1):
        """Waits until so many events fit. What is read is kept, as answers to others may come in between."""
        give_up = time.monotonic() + self.timeout
        while True:
            found = [event for event in self.events if wanted(event)]
            if len(found) >= at_least:
                return found
            if time.monotonic() > give_up:
                return found
            for message in self.consumer.consume(500, 0.2):
                if message.error() is None:
                    self.events.append(read_event(message))

    def close(self):
        self.consumer.close()


def answers_to(source, id):
    return lambda event: event["type"] in ("aifirst.intent.accepted.v1", "aifirst.intent.refused.v1") and event.get("intentid") == id and event.get("intentsource") == source


def outcome_of(source, id):
    return lambda event: event["type"] == ENDED and event.get("intentid") == id and event.get("intentsource") == source


def code_of(answer):
    if answer is None:
        return "no answer"
    if answer["type"] == "aifirst.intent.refused.v1":
        return answer["data"]["code"]
    return "replayed" if answer["data"].get("replayed") else "accepted"


# --- what is tried ------------------------------------------------------------------------------------------------------

class Client:
    def __init__(self, options):
        self.options = options
        self.api = Api(options.url, options.token)
        self.failed = 0
        self.state = None

    def prepare(self):
        path = self.options.state
        if path and os.path.exists(path):
            with open(path) as file:
                saved = json.load(file)
            self.state = {"agent": saved["agent"], "keys": {name: Key.load(key) for name, key in saved["keys"].items()}}
            return
        self.api.call("PUT", "/v1/roles/python-client", {"capabilities": ["noop"], "connections": ["*"]})
        agent = self.api.call("POST", "/v1/agents", {"name": "python client", "owner": "tests", "roles": ["python-client"]})["id"]
        keys = {"ed": Key.ed25519("ed"), "p256": Key.p256("p256")}
        for key in keys.values():
            self.register(agent, key)
        self.state = {"agent": agent, "keys": keys}
        if path:
            with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"agent": agent, "keys": {name: key.save() for name, key in keys.items()}}, file)

    def register(self, agent, key):
        self.api.call("POST", f"/v1/agents/{agent}/keys", {"kid": key.kid, "jwk": key.public()})

    def say(self, case, expected, got, **more):
        ok = got == expected
        self.failed += not ok
        print(json.dumps({"case": case, "ok": ok, "code": got, "expected": expected, **more}), flush=True)

    def record(self, event, mode="binary", key=None, data=None, aud=None, kid=None):
        return record_of(event, data or intent(), mode, key or self.state["keys"]["ed"], aud or self.options.deployment, kid)

    def run_all(self):
        self.prepare()
        wire = Wire(self.options)
        try:
            self.good(wire)
            self.abuse(wire)
            self.nothing_else(wire)
        finally:
            wire.close()

    def good(self, wire):
        agent, keys = self.state["agent"], self.state["keys"]
        self.accepted = set()
        for mode in ("binary", "structured"):
            for name, key in keys.items():
                event = event_of(agent)
                wire.publish(self.record(event, mode, key))
                self.outcome(wire, f"{mode} mode, {ALGORITHMS[key.public()['kty']]}", event["id"])
                self.last = event
        # The same intent again under the same id: a record of its own, freshly signed.
        event = {**self.last, "time": now()}
        wire.publish(self.record(event))
        found = wire.find(answers_to(agent, event["id"]), 2)
        got = code_of(found[1] if len(found) > 1 else None)
        if len(found) > 1 and found[1]["data"].get("workflowId") != found[0]["data"]["workflowId"]:
            got = "another workflow"
        self.say("the same intent again", "replayed", got)
        wire.publish(self.record({**event, "time": now()}, data=intent("another goal")))
        found = wire.find(answers_to(agent, event["id"]), 3)
        self.say("another intent under the same id", "IDEMPOTENCY_CONFLICT", code_of(found[2] if len(found) > 2 else None))

    def outcome(self, wire, case, id):
        agent = self.state["agent"]
        answer = next(iter(wire.find(answers_to(agent, id))), None)
        got, more = code_of(answer), {}
        if answer is not None and "workflowId" in answer["data"]:
            more["workflowId"] = answer["data"]["workflowId"]
            self.accepted.add(more["workflowId"])
            ended = next(iter(wire.find(outcome_of(agent, id))), None)
            more["outcome"] = None if ended is None else ended["data"]["status"]
            if ended is None or ended["subject"] != more["workflowId"] or ended["data"]["status"] != "completed":
                got = f"outcome: {more['outcome']}"
        self.say(case, "accepted", got, **more)

    def abuse(self, wire):
        agent, key = self.state["agent"], self.state["keys"]["ed"]
        fresh = self.options.freshness
        other = self.api.call("POST", "/v1/agents", {"name": "another", "owner": "tests", "roles": ["python-client"]})["id"]
        theirs, revoked = Key.ed25519("theirs"), Key.ed25519("revoked")
        self.register(other, theirs)
        self.register(agent, revoked)
        self.api.call("DELETE", f"/v1/agents/{agent}/keys/revoked")

        def forged(change):
            def make(event):
                record = self.record(event)
                change(record, event)
                return record
            return make

        def header(name, text):
            return forged(lambda record, event: record["headers"].update({name: text}))

        def without_algorithm(record, event):
            protected = {"alg": "none", "kid": key.kid, "aud": self.options.deployment, "ce": {name: event[name] for name in ("id", "source", "type", "time")}}
            record["headers"]["aifirst-signature"] = f"{b64url(json.dumps(protected).encode())}.."

        def tampered(record, event):
            record["value"] = record["value"].replace(b"42", b"43")

        def within_value(**over):
            def change(event):
                record = self.record(event, "structured")
                record["value"] = json.dumps({**json.loads(record["value"]), **over}).encode()
                return record
            return change

        another_id = str(uuid.uuid4())
        cases = [
            ("replayed under another id", "ATTRIBUTE_MISMATCH", {}, header("ce_id", another_id), another_id, agent),
            ("replayed under another source", "UNKNOWN_KEY", {}, header("ce_source", other), None, other),
            ("replayed under another time", "ATTRIBUTE_MISMATCH", {}, header("ce_time", now(1)), None, agent),
            ("replayed in structured mode under another time", "BAD_SIGNATURE", {}, within_value(time=now(1)), None, agent),
            ("tampered", "BAD_SIGNATURE", {}, forged(tampered), None, agent),
            ("stale", "STALE", {"time": now(-fresh - 60)}, self.record, None, agent),
            ("from the future", "FROM_THE_FUTURE", {"time": now(fresh + 60)}, self.record, None, agent),
            ("expired", "EXPIRED", {"expirytime": now(-1)}, self.record, None, agent),
            ("signed with a revoked key", "REVOKED_KEY", {}, lambda event: self.record(event, key=revoked), None, agent),
            ("signed with another agent's key", "UNKNOWN_KEY", {}, lambda event: self.record(event, key=theirs), None, agent),
            ("signed with another agent's key under a kid of its own", "BAD_SIGNATURE", {}, lambda event: self.record(event, key=theirs, kid=key.kid), None, agent),
            ("alg none", "WRONG_ALGORITHM", {}, forged(without_algorithm), None, agent),
            ("unsigned", "UNSIGNED", {}, forged(lambda record, event: record["headers"].pop("aifirst-signature")), None, agent),
            ("for another deployment", "WRONG_AUDIENCE", {}, lambda event: self.record(event, aud="another"), None, agent),
            ("of another type", "WRONG_TYPE", {"type": "aifirst.intent.other.v1"}, self.record, None, agent),
            ("unknown capability", "UNKNOWN_CAPABILITY", {}, lambda event: self.record(event, data={"goal": "g", "steps": [{"id": "a", "capability": "no.such"}]}), None, agent),
        ]
        waiting = []
        for case, expected, over, make, id, source in cases:
            event = event_of(agent, **over)
            wire.publish(make(event))
            waiting.append((case, expected, source, id or event["id"]))
        for case, expected, source, id in waiting:
            self.say(case, expected, code_of(next(iter(wire.find(answers_to(source, id))), None)))

    def nothing_else(self, wire):
        page = self.api.call("GET", f"/v1/workflows?agent={self.state['agent']}&limit=200")
        made = {workflow["id"] for workflow in page["items"]}
        self.say("workflows that nobody accepted", 0, len(made - self.accepted))
        self.say("workflows that were accepted but are not there", 0, len(self.accepted - made))

    def publish_one(self):
        self.prepare()
        wire = Wire(self.options)
        event = event_of(self.state["agent"], **({"id": self.options.id} if self.options.id else {}))
        wire.publish(self.record(event, self.options.mode))
        wire.close()
        print(json.dumps({"case": "published", "ok": True, "agent": self.state["agent"], "id": event["id"], "time": event["time"]}), flush=True)

    def await_one(self):
        self.prepare()
        self.accepted = set()
        wire = Wire(self.options)
        self.outcome(wire, "published earlier", self.options.id)
        wire.close()

    def sign(self):
        """What a verifier can be tried with: public key and record of each."""
        for mode in ("binary", "structured"):
            for key in (Key.ed25519("ed"), Key.p256("p256")):
                event = event_of(self.options.source)
                record = record_of(event, intent(), mode, key, self.options.deployment)
                print(json.dumps({"mode": mode, "kid": key.kid, "jwk": key.public(), "event": event, "value": base64.b64encode(record["value"]).decode(), "headers": record["headers"]}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["all", "publish", "await", "sign"])
    parser.add_argument("--brokers", default=os.environ.get("KAFKA_BROKERS", "127.0.0.1:9092"))
    parser.add_argument("--url", default=os.environ.get("AIFIRST_URL", "http://127.0.0.1:7400"))
    parser.add_argument("--token", default=os.environ.get("AIFIRST_TOKEN", ""))
    parser.add_argument("--deployment", default=os.environ.get("DEPLOYMENT", "aifirst"))
    parser.add_argument("--freshness", type=float, default=float(os.environ.get("INTENT_FRESHNESS_SECONDS", "300")), help="seconds")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for each answer")
    parser.add_argument("--compression", default="none", help="as the producer's compression.type")
    parser.add_argument("--topic-prefix", default="")
    parser.add_argument("--state", help="a file that keeps the agent and its keys from one call to the next")
    parser.add_argument("--id")
    parser.add_argument("--mode", choices=["binary", "structured"], default="binary")
    parser.add_argument("--source", default="agent")
    options = parser.parse_args()
    if options.what == "await" and not options.id:
        parser.error("await needs --id")
    client = Client(options)
    {"all": client.run_all, "publish": client.publish_one, "await": client.await_one, "sign": client.sign}[options.what]()
    return 1 if client.failed else 0


if __name__ == "__main__":
    sys.exit(main())
