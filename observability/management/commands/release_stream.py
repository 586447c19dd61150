from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from observability.operations.command import OperatorCommand, console, find_stream_named
from streams.services.quarantine import list_quarantined
from streams.services.release import plan_release, release_stream


class Command(OperatorCommand):
    help = (
        "Let a stream go on whose topic was lost, cut short or made anew: without --accept-loss it says what is lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="the stream; without one those in quarantine are listed")
        parser.add_argument("--accept-loss", action="store_true", help="what is named as lost is lost; go on behind it")

    def run_for(self, options: dict[str, Any]) -> None:
        if options["name"] is None:
            quarantined = list_quarantined()
            for each in quarantined:
                console().print(f"{each.stream}, in {each.engine}: {each.reason}")
            if not quarantined:
                console().print("No stream is in quarantine.")
            return
        release = plan_release(find_stream_named(options["name"]))
        if release.changes_nothing:
            console().print(f"{release.stream.name} is not in quarantine, and its topics are as they were.")
            return
        for loss in release.losses:
            events = loss.last_offset - loss.first_offset + 1
            console().print(
                f"Partition {loss.partition.number}: {events:,} events are lost, offsets {loss.first_offset} to "
                f"{loss.last_offset}."
            )
        if release.losses and not options["accept_loss"]:
            raise CommandError(
                "Nothing was changed. If they cannot be had back in the engine, go on without them: "
                f"`{settings.MANAGE} release_stream {release.stream.name} --accept-loss`."
            )
        release_stream(release)
        console().print(f"{release.stream.name} goes on; its next events follow all offsets that were ever told.")
