"""Prints signed records of the agent whose id is given, with the public key of each, as JSON lines: for a verifier to judge."""

from __future__ import annotations

import base64
import json
import sys
from datetime import timedelta
from typing import Literal

from aifirst import Intent
from aifirst.kafka import SigningKey, intent_record

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ALGORITHMS: tuple[Literal["EdDSA", "ES256"], ...] = ("EdDSA", "ES256")
MODES: tuple[Literal["binary", "structured"], ...] = ("binary", "structured")


def main(source: str) -> None:
    intent = Intent("über Kafka 🗂")
    first = intent.step("noop", value=42)
    intent.step("noop", value=first.output["value"])
    for mode in MODES:
        for alg in ALGORITHMS:
            key = SigningKey.generate(f"{alg} {mode}", alg)
            record = intent_record(intent, source=source, key=key, mode=mode, expires=timedelta(minutes=2), attributes={"traceparent": TRACE})
            headers = {name: text.decode() for name, text in record.headers}
            print(json.dumps({"id": record.id, "kid": key.kid, "jwk": key.public_jwk(), "value": base64.b64encode(record.value).decode(), "headers": headers}))


if __name__ == "__main__":
    main(sys.argv[1])
