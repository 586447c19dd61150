"""`/docs/problems`: where the `type` of every problem leads. Open to all, like the problems themselves."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from eventflow_site.api.problem_kinds import list_problem_kinds


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """Every code, with its meaning and what to do about it, from the error classes as they are now."""
    return render(request, "docs/problems.html", {"kinds": list_problem_kinds()})
