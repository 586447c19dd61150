"""Every answer carries the id of its request."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from structlog.contextvars import get_contextvars

from eventflow_site.request_id import RequestIdMiddleware


def ask(request_id: str | None) -> tuple[HttpRequest, Any]:
    headers = {} if request_id is None else {"X-Request-Id": request_id}
    request = RequestFactory().get("/api/v1/streams", headers=headers)
    response = RequestIdMiddleware(lambda _: HttpResponse())(request)
    return request, response


@pytest.mark.parametrize("request_id", ["abcdefgh", "01890a5d-ac96-774b-bcce-b302099a8057", "A.b_c-9" * 18])
def test_a_well_formed_id_is_taken_and_echoed(request_id):
    request, response = ask(request_id)

    assert request.request_id == request_id
    assert response["X-Request-Id"] == request_id


@pytest.mark.parametrize(
    "request_id",
    [None, "", "short", "x" * 129, "with space", "line\nbreak12", "trailing-nl\n", "<script>", "ünïcödé1", "12345678٣"],
)
def test_any_other_id_is_replaced_by_a_new_one(request_id):
    _, first = ask(request_id)
    _, second = ask(request_id)

    assert first["X-Request-Id"] != request_id
    assert len(first["X-Request-Id"]) == 36
    assert first["X-Request-Id"] != second["X-Request-Id"]


def test_the_id_is_bound_for_log_lines_while_the_request_runs_and_no_longer():
    seen = {}

    def view(_):
        seen.update(get_contextvars())
        return HttpResponse()

    RequestIdMiddleware(view)(RequestFactory().get("/", headers={"X-Request-Id": "request-1"}))

    assert seen == {"request_id": "request-1"}
    assert "request_id" not in get_contextvars()


def test_the_id_is_unbound_when_the_view_raises():
    def view(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        RequestIdMiddleware(view)(RequestFactory().get("/"))

    assert "request_id" not in get_contextvars()
