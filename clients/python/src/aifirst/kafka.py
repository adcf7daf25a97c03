"""Signed intents for the topic `aifirst.intents.v1`, for any producer. Needs the extra `aifirst[kafka]`.

The signature is a detached compact JWS (RFC 7515, appendix F) over the bytes of the record's value.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from ._request import encode
from .intent import Intent

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
except ImportError as error:
    raise ImportError("aifirst.kafka signs with the package `cryptography`: pip install 'aifirst[kafka]'") from error

__all__ = ["SIGNATURE_HEADER", "TOPIC", "TYPE", "Record", "SigningKey", "intent_record", "sign"]

TOPIC = "aifirst.intents.v1"
TYPE = "aifirst.intent.submitted.v1"
SIGNATURE_HEADER = "aifirst-signature"
#: What the signature binds of a CloudEvent.
BOUND = ("id", "source", "type", "time")
_BYTES = 32


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SigningKey:
    """A private key (Ed25519 or P-256) and the `kid` under which its public half is registered for the agent."""

    __slots__ = ("_key", "kid")

    def __init__(self, kid: str, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if not isinstance(key.curve, ec.SECP256R1):
                raise ValueError("of elliptic curves P-256 is taken")
        elif not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ValueError("a signing key is of Ed25519 or P-256")
        self.kid = kid
        self._key = key

    @classmethod
    def generate(cls, kid: str, alg: Literal["EdDSA", "ES256"] = "EdDSA") -> SigningKey:
        if alg not in ("EdDSA", "ES256"):
            raise ValueError("alg is EdDSA or ES256")
        return cls(kid, ed25519.Ed25519PrivateKey.generate() if alg == "EdDSA" else ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, kid: str, pem: bytes, password: bytes | None = None) -> SigningKey:
        key = serialization.load_pem_private_key(pem, password)
        if not isinstance(key, (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)):
            raise ValueError("a signing key is of Ed25519 or P-256")
        return cls(kid, key)

    @classmethod
    def from_jwk(cls, kid: str, jwk: Mapping[str, str]) -> SigningKey:
        if "d" not in jwk:
            raise ValueError("the JWK holds no private key (`d`)")
        secret = _unb64url(jwk["d"])
        if (jwk.get("kty"), jwk.get("crv")) == ("OKP", "Ed25519"):
            return cls(kid, ed25519.Ed25519PrivateKey.from_private_bytes(secret))
        if (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256"):
            return cls(kid, ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
        raise ValueError("a signing key is of Ed25519 or P-256")

    @property
    def alg(self) -> str:
        return "ES256" if isinstance(self._key, ec.EllipticCurvePrivateKey) else "EdDSA"

    def to_pem(self, password: bytes | None = None) -> bytes:
        """PKCS #8, for a file that only its owner reads."""
        how: serialization.KeySerializationEncryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)

    def public_jwk(self) -> dict[str, str]:
        """What `POST /v1/agents/:id/keys` takes as `jwk`."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            numbers = self._key.public_key().public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": _b64url(numbers.x.to_bytes(_BYTES, "big")), "y": _b64url(numbers.y.to_bytes(_BYTES, "big"))}
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": _b64url(raw)}

    def signature(self, data: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            # Why: JWS has r and s side by side (RFC 7518), not in DER.
            r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(_BYTES, "big") + s.to_bytes(_BYTES, "big")
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<signing key {self.kid!r}, {self.alg}>"


def sign(value: bytes, attributes: Mapping[str, str], key: SigningKey, *, audience: str = "aifirst") -> str:
    """The header `aifirst-signature` of a record.

    :param value: of the record, byte by byte as it will be sent
    :param attributes: of its CloudEvent; `id`, `source`, `type` and `time` are bound, and `expirytime` if it is there
    :param audience: the name of the deployment
    """
    missing = [name for name in BOUND if not attributes.get(name)]
    if missing:
        raise ValueError(f"the event has no {', '.join(missing)}")
    bound = {name: attributes[name] for name in (*BOUND, "expirytime") if name in attributes}
    header = _b64url(json.dumps({"alg": key.alg, "kid": key.kid, "aud": audience, "ce": bound}, ensure_ascii=False, separators=(",", ":")).encode())
    signature = key.signature(f"{header}.{_b64url(value)}".encode("ascii"))
    return f"{header}..{_b64url(signature)}"


@dataclass(frozen=True)
class Record:
    """As a producer takes it. `id` is the idempotency key: answers and outcomes name it as `intentid`."""

    id: str
    key: bytes
    value: bytes = field(repr=False)
    headers: list[tuple[str, bytes]] = field(repr=False)
    topic: str = TOPIC


def intent_record(
    intent: Intent | Mapping[str, Any],
    *,
    source: str,
    key: SigningKey,
    id: str | None = None,
    time: datetime | None = None,
    expires: datetime | timedelta | None = None,
    mode: Literal["binary", "structured"] = "binary",
    audience: str = "aifirst",
    attributes: Mapping[str, str] | None = None,
) -> Record:
    """An intent as a signed CloudEvent.

    :param source: the agent's id
    :param id: the idempotency key; made unless given
    :param time: now unless given; the server takes what is appended within five minutes of it
    :param expires: when it must have been appended at the latest, or how long after `time`
    :param attributes: more attributes of the event, such as `traceparent`
    """
    at = datetime.now(timezone.utc) if time is None else time
    event = {"specversion": "1.0", "id": str(uuid.uuid4()) if id is None else id, "source": source, "type": TYPE, "time": _rfc3339(at)}
    if expires is not None:
        event["expirytime"] = _rfc3339(at + expires if isinstance(expires, timedelta) else expires)
    for name, text in (attributes or {}).items():
        if name in event or name in ("data", "data_base64", "datacontenttype"):
            raise ValueError(f"attribute `{name}` is set already")
        event[name] = text
    data = intent.to_dict() if isinstance(intent, Intent) else intent
    if mode == "binary":
        value = encode(data)
        headers = {"content-type": "application/json", **{f"ce_{name}": text for name, text in event.items()}}
    elif mode == "structured":
        value = encode({**event, "datacontenttype": "application/json", "data": data})
        headers = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    else:
        raise ValueError("mode is binary or structured")
    headers[SIGNATURE_HEADER] = sign(value, event, key, audience=audience)
    return Record(event["id"], source.encode(), value, [(name, text.encode()) for name, text in headers.items()])


def _rfc3339(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a time says its zone: datetime.now(timezone.utc)")
    return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
