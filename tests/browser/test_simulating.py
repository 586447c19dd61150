"""Simulations in the dashboard."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.roles import Role
from observability.models import SimulationRun
from observability.operations.simulations.services import drive_simulations
from tests.factories import make_stream, make_user


@pytest.fixture
def producer(site, page, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=user)
    return sign_in(user=user)


def test_a_simulation_is_started_watched_and_stopped(page, producer):
    page.goto("/simulations?stream=orders")
    page.get_by_label("Events per second").fill("50")
    page.get_by_label("Seconds").fill("600")
    page.get_by_role("button", name="Start").click()
    run = page.locator("#region li")
    expect(run).to_contain_text("running")
    started_at = SimulationRun.objects.get().started_at
    # What a tick of the worker does, two seconds into the run.
    drive_simulations(now=started_at + timezone.timedelta(seconds=2))

    expect(run).to_contain_text("100 of 30,000")
    page.get_by_role("button", name="Stop the simulation on orders").click()
    expect(run).to_contain_text("stopped")
    drive_simulations(now=started_at + timezone.timedelta(seconds=9))
    assert SimulationRun.objects.get().sent_count == 100

    page.goto("/streams/orders/events")
    expect(page.locator("#event-rows tr").first).to_contain_text("sim")


def test_a_template_that_cannot_be_used_is_told_at_its_field(page, producer, complaints):
    page.goto("/simulations?stream=orders")
    page.get_by_label("Payload template").fill('{"a": "{{colour}}"}')
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("alert").filter(has_text="There is no {{colour}}")).to_be_visible()
    assert not SimulationRun.objects.exists()
    complaints.expect("422")
