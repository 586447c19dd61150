from typing import Any

from django.core.management.base import CommandError, CommandParser

from observability.operations.command import OperatorCommand, console, find_user
from streams.conf import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_OFFSET,
    MAX_PARTITIONS,
    MAX_RETENTION_AGE_SECONDS,
    POSTGRES,
)
from streams.models import Visibility
from streams.services.lifecycle import StreamSettings, create_stream, place_for_stream


class Command(OperatorCommand):
    help = "Create a stream."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--partitions", type=int, default=1)
        parser.add_argument("--description", default="")
        parser.add_argument("--visibility", choices=Visibility.values, default=Visibility.INTERNAL.value)
        parser.add_argument("--max-age", type=int, metavar="SECONDS", help="retention; no limit unless given")
        parser.add_argument("--max-bytes", type=int, metavar="BYTES")
        parser.add_argument("--max-events", type=int, metavar="EVENTS")
        parser.add_argument(
            "--engine", default=POSTGRES, metavar="ALIAS", help="where its events lie; else in PostgreSQL"
        )
        parser.add_argument(
            "--allow-weak", action="store_true", help="also in an engine that could lose what it has stored"
        )

    def run_for(self, options: dict[str, Any]) -> None:
        if not 1 <= options["partitions"] <= MAX_PARTITIONS:
            raise CommandError(f"--partitions: from 1 to {MAX_PARTITIONS}.")
        limits = {"max_age": MAX_RETENTION_AGE_SECONDS, "max_bytes": MAX_OFFSET, "max_events": MAX_OFFSET}
        for limit, most in limits.items():
            if options[limit] is not None and not 1 <= options[limit] <= most:
                raise CommandError(f"--{limit.replace('_', '-')}: from 1 to {most}.")
        if len(options["description"]) > MAX_DESCRIPTION_CHARACTERS:
            raise CommandError(f"--description: at most {MAX_DESCRIPTION_CHARACTERS} characters.")
        owner = find_user(options["owner"])
        settings = StreamSettings(
            description=options["description"],
            partitions=options["partitions"],
            visibility=options["visibility"],
            retention_max_age_seconds=options["max_age"],
            retention_max_bytes=options["max_bytes"],
            retention_max_events=options["max_events"],
            engine=options["engine"],
            allow_weak=options["allow_weak"],
        )
        caller, name = owner.as_caller(), options["name"]
        place = place_for_stream(caller=caller, name=name, settings=settings)
        stream = create_stream(caller=caller, name=name, settings=settings, place=place)
        partitions = "1 partition" if stream.partition_count == 1 else f"{stream.partition_count} partitions"
        where = "" if stream.engine == POSTGRES else f" in {stream.engine}"
        console().print(f"Created {stream.name} with {partitions}{where}, owned by {owner.email}.")
