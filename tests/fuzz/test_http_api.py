"""Requests that schemathesis makes from the OpenAPI document of the HTTP API: none causes a 5xx.

Run by ``tox -e fuzz-api``, which installs schemathesis.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.api.conftest import ADMIN, configuration, make_application, working_manager

schemathesis: Any = pytest.importorskip("schemathesis")

CHECKS: Any = importlib.import_module("schemathesis.specs.openapi.checks")
#: A transport URL excludes the parts of one, which the schemas do not say; and a neighbor may have the name "detail",
#: so that its methods are among those of that path.
UNFIT = [CHECKS.positive_data_acceptance, CHECKS.allow_header_conformance]
#: requests for each operation
EXAMPLES = 200


def application() -> Any:
    """Return the application with a manager that is a table of answers."""
    return make_application(configuration(Path(tempfile.mkdtemp())), working_manager(), max_body_bytes=1024 * 1024)


schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", application())


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_request_gets_a_documented_answer(case: Any) -> None:
    case.call_and_validate(headers={"X-Auth-Token": ADMIN}, excluded_checks=UNFIT)


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_operation_serves_a_client_without_a_token(case: Any) -> None:
    response = case.call(headers={"X-Auth-Token": "wrong"})
    is_public = not case.operation.definition.raw.get("security")
    assert response.status_code < 500
    assert is_public or response.status_code in (400, 401, 405, 406, 413, 415)
