"""Views that refuse query parameters which they do not name: a typo is found, nothing is ignored in silence."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.http.parameters import known_parameters

NO_PARAMETERS: Mapping[str, Collection[str]] = MappingProxyType({})


class StrictView(APIView):
    """A view whose query is looked at as soon as the caller may ask, before anything is done.

    Attributes:
        query_parameters: for each handler (`get`, or the action of a view set) the names that it knows; a handler
            that is not there knows none.
        query: the query of this request, each name once.

    Raises:
        UnknownField, InvalidParameter: the query has a name that is not known, or one twice.
    """

    query_parameters: Mapping[str, Collection[str]] = NO_PARAMETERS
    query: QueryDict

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = self.name_of_handler(request)
        if handler is not None:
            self.query = known_parameters(request, self.known_names(handler))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        # What is told to somebody with a credential is for nobody else: tokens, keys, events.
        response.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    def name_of_handler(self, request: Request) -> str | None:
        """Return which handler answers; None if the method is not possible here, which is then said instead."""
        name = "get" if request.method == "HEAD" else str(request.method).lower()
        return name if hasattr(self, name) else None

    def known_names(self, handler: str) -> Collection[str]:
        return self.query_parameters.get(handler, ())


class StrictViewSet(StrictView, GenericViewSet):
    """The same for several actions; a list knows its filters and its paging as well."""

    def name_of_handler(self, request: Request) -> str | None:
        return self.action

    def known_names(self, handler: str) -> Collection[str]:
        names = set(super().known_names(handler))
        if handler == "list":
            filterset = getattr(self, "filterset_class", None)
            names.update(self.paginator.parameters, filterset.base_filters if filterset else ())  # type: ignore[union-attr]
        return names
