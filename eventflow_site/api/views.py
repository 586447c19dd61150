"""Answers for what no view answers: unknown addresses and unexpected errors, as problems under /api/."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from eventflow_site.api.problems import Problem


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return Problem(400, "bad_request", "Bad request", "The request is not acceptable.").as_response(request)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        detail = "There is nothing at this address. /api/v1/docs lists what there is."
        return Problem(404, "not_found", "Not found", detail).as_response(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        detail = "Something broke on our side; the request id finds it in the logs."
        return Problem(500, "internal_error", "Internal error", detail, retryable=True).as_response(request)
    return defaults.server_error(request)
