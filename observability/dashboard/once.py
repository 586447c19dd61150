"""A form that is sent twice does its work once: the browser's door to the API's idempotency memory."""

import functools
from collections.abc import Callable
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts.asked_before import in_one_transaction
from accounts.http.idempotent import hash_request
from accounts.services.idempotency import claim_idempotency_key, keep_answer
from observability.dashboard.page import Page, form_key

KEPT_HEADERS = ("HX-Redirect", "HX-Trigger", "Location", "Content-Type")
Post = Callable[..., HttpResponse]
NOT_HASHED = ("csrfmiddlewaretoken", "idempotency_key")


def once(*, kept_part: str = "") -> Callable[[Post], Post]:
    """Answer a retry of this POST from memory; a refusal leaves no memory, so it can be mended and sent again.

    Args:
        kept_part: a template to remember instead of the answer, where that holds a secret.
    """
    return functools.partial(_once, kept_part=kept_part)


def _once(post: Post, *, kept_part: str) -> Post:
    @functools.wraps(post)
    def answer(page: Page, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = form_key(request)
        if key is None:
            return post(page, request, *args, **kwargs)
        caller = page.caller.reference

        def claim_and_act() -> HttpResponse:
            replay = claim_idempotency_key(caller=caller, key=key, request_hash=_hash(request))
            if replay is not None:
                return _restore(replay.body)
            response = post(page, request, *args, **kwargs)
            kept = page.part(kept_part) if kept_part else response
            keep_answer(caller=caller, key=key, status=kept.status_code, body=_pack(kept))
            if response.status_code >= 400:
                transaction.set_rollback(True)
            return response

        return in_one_transaction(claim_and_act)

    return answer


def _hash(request: HttpRequest) -> bytes:
    fields = sorted((name, values) for name, values in request.POST.lists() if name not in NOT_HASHED)
    return hash_request("POST", request.path, orjson.dumps(fields))


def _pack(response: HttpResponse) -> bytes:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    return orjson.dumps({"status": response.status_code, "headers": headers, "body": response.content.decode()})


def _restore(packed: bytes) -> HttpResponse:
    kept = orjson.loads(packed)
    return HttpResponse(kept["body"], status=kept["status"], headers=kept["headers"])
