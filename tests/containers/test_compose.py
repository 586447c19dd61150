"""deploy/compose.yaml is one that Compose takes, by the schema to which Compose itself holds it."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema_rs import Draft202012Validator

from tests.run.instance import PROJECT

SCHEMA = Path(__file__).parent / "vendor/compose-spec/compose-spec.json"
TEXT = (PROJECT / "deploy/compose.yaml").read_text()


@pytest.fixture(scope="module")
def compose() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_compose_takes_it(compose: Draft202012Validator) -> None:
    assert [f"{error.instance_path}: {error.message}" for error in compose.iter_errors(yaml.safe_load(TEXT))] == []


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("read_only: true", "readonly: true"),
        ("mem_limit: 512m", "mem_limit: [512m]"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("pids_limit: 256", "pids_limit: [256]"),
        ("tmpfs: [/tmp]", "tmpfs: {/tmp: true}"),
        ("condition: service_healthy", "condition: healthy"),
        ("internal: true", "inner: true"),
    ],
)
def test_it_would_be_refused_with_a_word_that_compose_does_not_know(
    compose: Draft202012Validator, said: str, instead: str
) -> None:
    assert said in TEXT
    assert not compose.is_valid(yaml.safe_load(TEXT.replace(said, instead)))
