"""A DRF view without DRF's cost per request, for the verbs that are called thousands of times a second."""

import time
from collections.abc import Collection, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.views import APIView

from accounts.authentication import find_caller, take_request
from accounts.caller import Caller, caller_of
from accounts.conf import BODY_AT_ONCE_SECONDS
from accounts.http.hang_up import STATUS as HUNG_UP
from accounts.http.hang_up import HungUp
from accounts.http.parameters import known_parameters
from accounts.http.views import NO_PARAMETERS
from accounts.turns import current_names


class LeanView(APIView):
    """Authenticates, checks permissions and answers problems like any other view, and nothing more.

    Handlers are coroutines. They run on a web worker's event loop (`eventflow_site/front/`), where they must await
    whatever takes its time and never ask the database themselves; through Django's own handler they run as any
    asynchronous view does. They get Django's own HttpRequest (with `user` set to the Caller) and return bytes in an
    HttpResponse: no content negotiation, no parsers, no renderers.

    Attributes:
        query_parameters: for each method the names that its query may have; without an entry none.
        query: the query of this request.
    """

    query_parameters: Mapping[str, Collection[str]] = NO_PARAMETERS
    query: QueryDict

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Answer HEAD as GET, for the class once and for all.

        Django would set `self.head = self.get` in each view: a circle in which request and body stay in memory until
        the next garbage collection.
        """
        super().__init_subclass__(**kwargs)
        if "get" in vars(cls) and "head" not in vars(cls):
            cls.head = cls.get  # type: ignore[attr-defined]

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            method = (request.method or "").lower()
            handler = getattr(self, method, None) if method in self.http_method_names and method != "options" else None
            if handler is None:
                raise MethodNotAllowed(request.method or "")  # noqa: TRY301 (the handler below answers it)
            await self.admit(request)
            self._admitted_at = time.monotonic()
            if request.user is not None:
                take_request(caller_of(request))
            self.query = known_parameters(request, self.query_parameters.get("get" if method == "head" else method, ()))
            return await handler(request, *args, **kwargs)
        except HungUp:
            return HttpResponse(status=HUNG_UP)
        except Exception as error:  # noqa: BLE001 (every error becomes a problem, as in DRF's own dispatch)
            return self.settings.EXCEPTION_HANDLER(error, {"request": request, "view": self})

    async def admit(self, request: HttpRequest) -> None:
        """Find out who asks, and whether they may at all; whoever has waited since asks it again.

        Raises:
            AmbiguousCredentials, InvalidCredentials, CredentialsMissing, ScopeMissing
        """
        request.user = await self.find_caller(request)  # type: ignore[assignment]
        if request.user is not None:
            current_names.set(caller_of(request).names_in_turn)
        for permission in self.permission_classes:
            permission().has_permission(request, self)  # type: ignore[arg-type]

    async def admit_after_body(self, request: HttpRequest) -> Caller:
        """Return who sent a request whose body is there now, and which is about to be done as theirs.

        A body may take a minute to come, in which a key is revoked or a role taken away: then it is asked anew.

        Raises:
            what `admit` raises
        """
        if time.monotonic() - self._admitted_at > BODY_AT_ONCE_SECONDS:
            await self.admit(request)
        return caller_of(request)

    def forget_query(self, request: HttpRequest) -> None:
        """Let go of the query: a request that is about to wait waits with as little as it can."""
        del self.query
        forget = getattr(request, "forget_query", None)
        if forget is not None:
            forget()

    async def find_caller(self, request: HttpRequest) -> Caller | None:
        """Return who sent a request, or None if it does not say.

        Raises:
            AmbiguousCredentials, InvalidCredentials
        """
        return await find_caller(request)
