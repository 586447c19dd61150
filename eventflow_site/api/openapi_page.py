"""`/api/v1/openapi.json`: the reference for machines; the same for everybody, so it is made once in each process."""

import functools
import hashlib
import threading
from dataclasses import dataclass

import orjson
from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Reference:
    """The document as it is sent, and the strong tag of exactly these bytes."""

    document: bytes
    etag: str


def get_reference() -> Reference:
    """Return the document; the first who ask wait for one of them to make it."""
    with _making:
        return _make_reference()


@functools.cache
def _make_reference() -> Reference:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document = orjson.dumps(generator.get_schema(public=True))  # type: ignore[no-untyped-call]
    return Reference(document, f'"{hashlib.sha256(document).hexdigest()[:32]}"')


class OpenApiView(APIView):
    """Tells everybody alike, and those who have it already only that it is still so."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        reference = get_reference()
        response: HttpResponse
        if reference.etag in _tags_known_to(request):
            response = HttpResponseNotModified()
        else:
            response = HttpResponse(reference.document, content_type="application/vnd.oai.openapi+json")
            response["Content-Disposition"] = 'inline; filename="EventFlow.json"'
        response["ETag"] = reference.etag
        # Kept, and asked for each time: an upgrade is seen at once.
        response["Cache-Control"] = "no-cache"
        return response


def _tags_known_to(request: Request) -> set[str]:
    # A proxy that compresses makes the tag a weak one; it still names this document.
    return {tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))}
