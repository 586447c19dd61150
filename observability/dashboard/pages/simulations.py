"""Simulations: made-up events at a steady rate, with progress and a stop button."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.errors import DomainError, InvalidParameter
from accounts.permissions import MayProduce
from observability.dashboard.forms import Form, number_or_text, refused_form
from observability.dashboard.listing import text_filter
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.stream_pages import list_producible_names
from observability.errors import InvalidTemplate
from observability.operations.simulations.placeholders import KINDS
from observability.operations.simulations.queries import get_simulation, list_simulation_rows
from observability.operations.simulations.services import SimulationPlan, start_simulation, stop_simulation
from streams.errors import StreamNotFound

SHOWN_RUNS = 30
TEMPLATE = """{
  "order_id": "{{sequence}}",
  "id": "{{uuid}}",
  "customer": {"name": "{{name}}", "email": "{{email}}"},
  "total": "{{amount 5 200}}",
  "status": "{{choice new paid shipped}}",
  "at": "{{now}}"
}"""
FIELDS = {
    "?rate": "rate",
    "?duration": "duration",
    "?bad_percent": "bad_percent",
    "/type": "type",
    "/key": "key",
}


class Simulations(Page):
    """The form, and the runs with their progress."""

    section = "simulations"
    permission_classes = (MayProduce,)
    template = "dashboard/simulations.html"
    region = "dashboard/_simulations.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        values = {
            "stream": text_filter(request, "stream"),
            "type": "order.created",
            "key": "customer-{{int 1 50}}",
            "payload": TEMPLATE,
            "rate": "10",
            "duration": "60",
            "bad_percent": "0",
        }
        return self.show(**self._context(Form(values)))

    @once()
    def post(self, request: HttpRequest) -> HttpResponse:
        values = request.POST.dict()
        try:
            run = start_simulation(caller=self.caller, plan=_plan(values), now=timezone.now())
        except DomainError as error:
            whole = (
                "stream"
                if isinstance(error, StreamNotFound)
                else "payload"
                if isinstance(error, InvalidTemplate)
                else ""
            )
            form = refused_form(values, problem_of(error, request), FIELDS, whole=whole)
            return self.form_again("dashboard/_simulation_form.html", self.template, **self._context(form))
        return self.done(
            Toast("good", f"Sending {run.planned_count:,} events to {values['stream']}"), to=reverse("simulations")
        )

    def _context(self, form: Form) -> dict[str, Any]:
        return {
            "form": form,
            "runs": list_simulation_rows(self.caller, now=timezone.now(), limit=SHOWN_RUNS),
            "stream_names": list_producible_names(self.caller),
            "placeholders": [kind.example for kind in KINDS.values()],
        }


class StopSimulation(Page):
    """Stops a run; stopping twice is harmless."""

    section = "simulations"
    permission_classes = (MayProduce,)

    def post(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = get_simulation(self.caller, run_id)
        is_stopped = stop_simulation(run=run, now=timezone.now())
        toast = Toast("good", "Stopped") if is_stopped else Toast("info", "It had ended already")
        return self.done(toast, to=reverse("simulations"), stay=True)


def _plan(values: dict[str, str]) -> SimulationPlan:
    def whole(name: str) -> int:
        number = number_or_text(values.get(name, ""))
        if not isinstance(number, int):
            raise InvalidParameter(name, "Must be a whole number.")
        return number

    return SimulationPlan(
        stream=values.get("stream", "").strip(),
        event_type=values.get("type", "").strip(),
        key_template=values.get("key", "").strip(),
        payload_template=values.get("payload", ""),
        rate_per_second=whole("rate"),
        duration_seconds=whole("duration"),
        bad_percent=whole("bad_percent"),
    )
