import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from observability.operations.command import OperatorCommand, console
from streams.errors import StreamNotFound
from streams.models import MoveState, Stream, StreamMove
from streams.services.moving.asking import abort_move, ask_for_move, find_move_under_way
from streams.services.moving.plan import foresee_move
from streams.services.moving.steps import carry_out

_TOLD = {
    MoveState.PLANNED: "Making the new place …",
    MoveState.PREPARED: "The new place is there.",
    MoveState.FENCING: "Closing the old place; appends wait …",
}


class Command(OperatorCommand):
    help = "Move a stream to another engine while it is used. Events that are stored stay where they are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--to", metavar="ENGINE", help="alias of the engine to move it to, or postgres")
        what.add_argument("--resume", action="store_true", help="go on with a move whose process has ended")
        what.add_argument("--abort", action="store_true", help="end a move that has not come about")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change, and what is in the way")
        parser.add_argument("--allow-weak", action="store_true", help="also where one broker's end could lose events")

    def run_for(self, options: dict[str, Any]) -> None:
        stream = Stream.objects.filter(name=options["stream"]).first()
        if stream is None:
            raise StreamNotFound
        if options["dry_run"]:
            _foresee(stream, options)
        elif options["abort"]:
            console().print(f"Ended: {abort_move(move=find_move_under_way(stream)).stream.name} lies where it was.")
        elif options["resume"]:
            _carry_out(find_move_under_way(stream), is_taken_over=True)
        else:
            _carry_out(ask_for_move(stream=stream, target=options["to"], allow_weak=options["allow_weak"]))


def _foresee(stream: Stream, options: dict[str, Any]) -> None:
    if not options["to"]:
        raise CommandError("--dry-run goes with --to.")
    plan = foresee_move(stream=stream, target=options["to"], allow_weak=options["allow_weak"])
    partitions = "1 partition" if plan.partitions == 1 else f"{plan.partitions} partitions"
    console().print(f"{stream.name}, {partitions}, from {plan.source} to {plan.target}.")
    for warning in plan.warnings:
        console().print(f"  note: {warning}")
    plan.check()
    console().print("Nothing stands in the way.")


def _carry_out(move: StreamMove, *, is_taken_over: bool = False) -> None:
    started = time.monotonic()

    def tell(at: StreamMove) -> None:
        if (words := _TOLD.get(MoveState(at.state))) is not None:
            console().print(f"{time.monotonic() - started:6.2f} s  {words}")

    move = carry_out(move, tell=tell, is_taken_over=is_taken_over)
    if move.state != MoveState.MOVED:
        raise CommandError(f"{move.stream.name} has not moved: {move.problem}")
    console().print(f"{time.monotonic() - started:6.2f} s  {move.stream.name} lies in {move.target}.")
    if move.problem:
        raise CommandError(move.problem)
