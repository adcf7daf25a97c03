from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifirst import Intent, Literal, Ref

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.one_of(TEXT, st.sampled_from(["$ref", "$literal", "a/b", "~", "~1", "~01", "", "0"]))
SCALARS = st.one_of(st.none(), st.booleans(), TEXT, st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=12)

FORM = re.compile(r"#/steps/([A-Za-z0-9_-]{1,64})/output((?:/(?:[^~/]|~[01])*)*)", re.DOTALL)


def read(value: Any, outputs: dict[str, Any]) -> Any:
    """As the runtime reads an input: references are followed, literals are data, the two stand alone."""
    if isinstance(value, list):
        return [read(item, outputs) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        assert list(value) == ["$ref"]
        found = FORM.fullmatch(value["$ref"])
        assert found is not None, value
        here = outputs[found[1]]
        for token in found[2].split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            here = here[int(name)] if isinstance(here, list) else here[name]
        return here
    if "$literal" in value:
        assert list(value) == ["$literal"]
        return value["$literal"]
    return {name: read(field, outputs) for name, field in value.items()}


def input_of(intent: Intent, index: int = -1) -> Any:
    return intent.to_dict()["steps"][index]["input"]


@given(JSON)
def test_data_arrives_as_it_is_whatever_it_looks_like(value: Any) -> None:
    intent = Intent("g")
    intent.step("noop", value=value)
    assert read(input_of(intent), {}) == {"value": value}
    assert json.loads(json.dumps(intent.to_dict())) == intent.to_dict()


@given(st.data(), st.lists(st.one_of(KEYS, st.integers(0, 5)), max_size=5), JSON)
def test_a_reference_leads_to_what_its_brackets_name(data: Any, path: list[str | int], leaf: Any) -> None:
    output: Any = leaf
    for key in reversed(path):
        output = [None] * key + [output] if isinstance(key, int) else {key: output}
    intent = Intent("g")
    ref = intent.step("noop", id="first").output
    for key in path:
        ref = ref[key]
    intent.step("noop", value=[{"deep": ref}])
    assert read(input_of(intent), {"first": output}) == {"value": [{"deep": leaf}]}


@given(st.lists(st.sampled_from(["fs.write", "noop", "fs.write-2", "api.crm.übung", "é", "x" * 80]), max_size=12))
def test_ids_are_valid_unlike_one_another_and_the_same_every_time(capabilities: list[str]) -> None:
    def ids() -> list[str]:
        intent = Intent("g")
        return [intent.step(capability).id for capability in capabilities]

    made = ids()
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id) for id in made) and len(set(made)) == len(made) and made == ids()


def test_an_intent_is_sent_with_what_was_said_and_nothing_else() -> None:
    intent = Intent("g", mode="saga", on_failure="pause", deadline=timedelta(minutes=1), labels={"team": "x"}, subjects=["customer:1"])
    first = intent.step("fs.write", connection="docs", path="a", content="x", timeout=1.5, attempts=3)
    intent.step("fs.read", id="b", depends_on=[first, first, "fs-write"], input={"id": 1, "timeout": 2}, connection="docs")
    assert intent.to_dict() == {
        "goal": "g", "mode": "saga", "onFailure": "pause", "deadlineMs": 60_000, "labels": {"team": "x"}, "subjects": ["customer:1"],
        "steps": [
            {"id": "fs-write", "capability": "fs.write", "input": {"connection": "docs", "path": "a", "content": "x"}, "timeoutMs": 1500, "retry": {"attemptsMax": 3}},
            {"id": "b", "capability": "fs.read", "input": {"id": 1, "timeout": 2, "connection": "docs"}, "dependsOn": ["fs-write"]},
        ],
    }  # fmt: skip
    bare = Intent("g")
    bare.step("noop")
    assert bare.to_dict() == {"goal": "g", "steps": [{"id": "noop", "capability": "noop", "input": {}}]}


def test_what_was_given_can_change_afterwards() -> None:
    given_list = [1]
    intent = Intent("g")
    intent.step("noop", value=given_list)
    given_list.append(2)
    intent.to_dict()["steps"].clear()
    assert input_of(intent) == {"value": [1]}


@pytest.mark.parametrize(
    "use", [str, lambda ref: f"Dear {ref}", bool, list, len, lambda ref: "x" in ref, lambda ref: "Dear " + ref, lambda ref: "%s" % ref, lambda ref: ref[-1], lambda ref: ref[1:2], lambda ref: ref[True]]
)  # fmt: skip
def test_a_reference_can_not_be_mistaken_for_its_value(use: Any) -> None:
    with pytest.raises((TypeError, IndexError)):
        use(Intent("g").step("noop").output["name"])


def test_references_are_equal_when_they_lead_to_the_same() -> None:
    intent = Intent("g")
    one = intent.step("noop")
    assert one.output["a"][0] == intent["noop"].output["a"]["0"] and hash(one.output["a"]) == hash(one.output["a"])
    assert one.output["a"] != one.output["b"] and one.output != Intent("g").step("noop").output
    assert repr(one.output["a/b"]) == "<reference to #/steps/noop/output/a~1b>" and isinstance(one.output, Ref)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "/value: JSON has no infinite"),
        (2**53 + 1, "/value: whole numbers beyond"),
        (b"x", "/value: bytes are sent as a text"),
        ({"a": [object()]}, "/value/a/0: object is not of JSON"),
        ({1: 2}, "names of fields are texts"),
        ("\ud800", "/value: half of a surrogate pair"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        ({1, 2}, "set is not of JSON"),
    ],
)
def test_what_json_can_not_say_is_refused_where_it_stands(value: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        Intent("g").step("noop", value=value)


def test_references_of_others_and_in_data_are_refused() -> None:
    intent, other = Intent("g"), Intent("h")
    here, there = intent.step("noop"), other.step("noop")
    for value in (there.output, here, {"$ref": here.output}, Literal([here.output])):
        with pytest.raises((TypeError, ValueError)):
            intent.step("noop", value=value)
    with pytest.raises(ValueError, match="of another intent"):
        intent.step("noop", depends_on=there)
    assert len(intent) == 1
    intent.step("noop", value=Literal({"a": Literal(1)}))
    assert input_of(intent) == {"value": {"$literal": {"a": 1}}}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Intent(""),
        lambda: Intent("g", mode="hope"),
        lambda: Intent("g", on_failure="shrug"),
        lambda: Intent("g", deadline=0),
        lambda: Intent("g", deadline=float("inf")),
        lambda: Intent("g").step("noop", id="a b"),
        lambda: Intent("g").step(""),
        lambda: Intent("g").step("noop", timeout=-1),
        lambda: Intent("g").step("noop", input={"a": 1}, a=2),
        lambda: Intent("g").to_dict(),
    ],
)
def test_what_can_not_be_is_refused_at_once(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


def test_a_step_that_is_refused_is_not_there() -> None:
    intent = Intent("g")
    with pytest.raises(TypeError):
        intent.step("noop", id="a", value=b"x")
    intent.step("noop", id="a")
    with pytest.raises(ValueError, match="already"):
        intent.step("noop", id="a")
    with pytest.raises(KeyError):
        intent["b"]
    assert repr(intent) == "<intent 'g', 1 step>" and bool(Intent("g"))
