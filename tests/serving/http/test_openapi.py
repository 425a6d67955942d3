"""The OpenAPI document describes what the service does: asked by schemathesis, with examples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.serving.http.conftest import Client

from tumorscope.serving.http import schema
from tumorscope.serving.http.documents import as_json

pytest.importorskip("schemathesis", reason="needs the dev extra")
import schemathesis
from schemathesis import Case


def test_every_address_answers_as_the_document_says(shared_service: Client) -> None:
    document = schemathesis.openapi.from_url(f"{shared_service.base_url}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 12
    for operation in operations:

        @given(operation.as_strategy())
        @settings(
            max_examples=5,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Case[Any]) -> None:
            case.call_and_validate()

        check()


def test_the_document_has_examples_of_what_people_send_and_get(shared_service: Client) -> None:
    found = shared_service.get("/openapi.json").json()
    post = found["paths"]["/v1/findings"]["post"]
    assert set(post["requestBody"]["content"]) >= {"multipart/form-data", "image/png"}
    example = post["responses"]["200"]["content"]["application/json"]["example"]
    assert schema.Findings.model_validate(example).state == "done"
    assert schema.Findings.model_validate(schema.WAITS).state == "queued"
    assert "ProblemDocument" in found["components"]["schemas"]
    for path, methods in found["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (path, method)
            assert all(each["description"] for each in about["responses"].values())


def test_json_never_hides_a_number_that_is_none() -> None:
    assert json.loads(as_json({"a": None, "b": 0.5})) == {"a": None, "b": 0.5}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            as_json({"rows": [{"distance": value}]})
