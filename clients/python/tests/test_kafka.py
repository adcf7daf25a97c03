from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import pytest

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: E402

from aifirst import Intent  # noqa: E402
from aifirst.kafka import SIGNATURE_HEADER, TOPIC, Record, SigningKey, intent_record, sign  # noqa: E402

AT = datetime(2026, 1, 2, 3, 4, 5, 678_900, timezone(timedelta(hours=1)))
ALGORITHMS: list[Literal["EdDSA", "ES256"]] = ["EdDSA", "ES256"]
MODES: list[Literal["binary", "structured"]] = ["binary", "structured"]


def unb64url(text: str) -> bytes:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(jws: str, value: bytes, jwk: dict[str, str]) -> dict[str, Any]:
    """By the letter of RFC 7515 and 7518; raises unless it fits."""
    header, between, signature = jws.split(".")
    assert between == ""
    signed = f"{header}.{base64.urlsafe_b64encode(value).rstrip(b'=').decode()}".encode()
    raw = unb64url(signature)
    assert len(raw) == 64
    if jwk["kty"] == "OKP":
        ed25519.Ed25519PublicKey.from_public_bytes(unb64url(jwk["x"])).verify(raw, signed)
    else:
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(unb64url(jwk["x"]), "big"), int.from_bytes(unb64url(jwk["y"]), "big"), ec.SECP256R1())
        numbers.public_key().verify(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")), signed, ec.ECDSA(hashes.SHA256()))
    found: dict[str, Any] = json.loads(unb64url(header))
    return found


def headers_of(record: Record) -> dict[str, str]:
    names = [name for name, _ in record.headers]
    assert len(names) == len(set(names))
    return {name: text.decode() for name, text in record.headers}


def intent() -> Intent:
    one = Intent("über")
    one.step("noop")
    return one


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("mode", MODES)
def test_a_record_is_a_signed_event(alg: Literal["EdDSA", "ES256"], mode: Literal["binary", "structured"]) -> None:
    key = SigningKey.generate("k", alg)
    record = intent_record(intent(), source="agent-1", key=key, id="order-1", time=AT, expires=timedelta(minutes=1), mode=mode, audience="prod", attributes={"traceparent": "00-x"})
    headers, value = headers_of(record), json.loads(record.value)
    event = {"specversion": "1.0", "id": "order-1", "source": "agent-1", "type": "aifirst.intent.submitted.v1", "time": "2026-01-02T02:04:05.678Z", "expirytime": "2026-01-02T02:05:05.678Z", "traceparent": "00-x"}
    if mode == "binary":
        assert value == intent().to_dict() and headers["content-type"] == "application/json"
        assert {name[3:]: text for name, text in headers.items() if name.startswith("ce_")} == event
    else:
        assert value == {**event, "datacontenttype": "application/json", "data": intent().to_dict()}
        assert headers["content-type"] == "application/cloudevents+json; charset=UTF-8" and not any(name.startswith("ce_") for name in headers)
    assert (record.topic, record.key, record.id) == (TOPIC, b"agent-1", "order-1")
    bound = {name: event[name] for name in ("id", "source", "type", "time", "expirytime")}
    assert verify(headers[SIGNATURE_HEADER], record.value, key.public_jwk()) == {"alg": alg, "kid": "k", "aud": "prod", "ce": bound}
    with pytest.raises(Exception):  # noqa: B017
        verify(headers[SIGNATURE_HEADER], record.value + b" ", key.public_jwk())


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_comes_back_as_it_was_and_shows_no_secret(alg: Literal["EdDSA", "ES256"]) -> None:
    key = SigningKey.generate("k", alg)
    for again in (SigningKey.from_pem("k", key.to_pem()), SigningKey.from_pem("k", key.to_pem(b"word"), b"word")):
        assert again.public_jwk() == key.public_jwk() and again.alg == alg
    assert "d" not in key.public_jwk() and repr(key) == f"<signing key 'k', {alg}>"


def test_keys_of_jwk_are_read() -> None:
    # RFC 8037, appendix A; RFC 7515, appendix A.3.
    okp = SigningKey.from_jwk("k", {"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert okp.public_jwk()["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    signed = okp.signature(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert base64.urlsafe_b64encode(signed).startswith(b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    p256 = SigningKey.from_jwk("k", {"kty": "EC", "crv": "P-256", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", "x": "", "y": ""})
    assert p256.public_jwk()["x"] == "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"


@pytest.mark.parametrize(
    "make",
    [
        lambda: SigningKey("k", ec.generate_private_key(ec.SECP384R1())),
        lambda: SigningKey("k", rsa.generate_private_key(65537, 2048)),  # type: ignore[arg-type]
        lambda: SigningKey.generate("k", "RS256"),  # type: ignore[arg-type]
        lambda: SigningKey.from_jwk("k", {"kty": "OKP", "crv": "Ed25519", "x": "x"}),
        lambda: SigningKey.from_jwk("k", {"kty": "oct", "d": "x"}),
        lambda: sign(b"", {"id": "1", "source": "s", "type": "t"}, SigningKey.generate("k")),
        lambda: intent_record(intent(), source="s", key=SigningKey.generate("k"), time=datetime(2026, 1, 1)),
        lambda: intent_record(intent(), source="s", key=SigningKey.generate("k"), attributes={"id": "another"}),
        lambda: intent_record(intent(), source="s", key=SigningKey.generate("k"), mode="other"),  # type: ignore[arg-type]
    ],
)
def test_what_no_server_would_take_is_not_signed(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


def test_every_record_has_an_id_of_its_own() -> None:
    key = SigningKey.generate("k")
    assert len({intent_record(intent(), source="s", key=key).id for _ in range(3)}) == 3
