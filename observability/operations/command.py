"""What the operator's commands share: words for refusals, progress on standard error."""

import os
import sys
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from accounts.caller import Caller
from accounts.errors import DomainError
from accounts.models import User
from observability.operations.transfer import NotAnExport
from streams.log import close_log
from streams.lookup import StreamInfo, load_stream

# What a shell tells of a program that Ctrl-C has ended.
_INTERRUPTED: Final = 130


class OperatorCommand(BaseCommand):
    """A command for whoever runs this installation: it may do everything, and says in words what it cannot."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run_for(options)
        except DomainError as error:
            raise CommandError(error.detail) from error
        except NotAnExport as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            first_line = str(error).partition("\n")[0]
            raise CommandError(f"PostgreSQL cannot be reached, or is too busy: {first_line}") from error
        except UnicodeEncodeError as error:
            raise CommandError("What was typed is not UTF-8.") from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted.", returncode=_INTERRUPTED) from error
        except BrokenPipeError:
            self._leave_quietly()
        except OSError as error:
            # A full disk, say, behind standard output.
            raise CommandError(f"{error.filename or 'Output'}: {error.strerror or error}") from error
        finally:
            close_log()

    def run_for(self, options: dict[str, Any]) -> None:
        """Do what the command is for; each command does it by one service call."""
        raise NotImplementedError

    def write_lines(self, lines: Iterable[bytes]) -> None:
        """Write lines to standard output as they are: nothing else of a command goes there."""
        sys.stdout.flush()
        out = sys.stdout.buffer
        for line in lines:
            out.write(line + b"\n")
        out.flush()

    def _leave_quietly(self) -> NoReturn:
        # The reader of our output has gone, as `head` does: closing it at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def console() -> Console:
    """The terminal beside standard output."""
    return Console(stderr=True)


def progress(unit: str) -> Progress:
    """A progress bar that counts in `unit`; silent where standard error is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=console(),
        transient=not sys.stderr.isatty(),
        disable=not sys.stderr.isatty(),
    )


def find_user(email: str) -> User:
    """Return an active user by e-mail address."""
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {email}. Make one with `{settings.MANAGE} create_user`.")
    return user


def find_stream_named(name: str) -> StreamInfo:
    """Return a stream by its name."""
    stream = load_stream(name)
    if stream is None:
        raise CommandError(f"There is no stream {name}. Make one with `{settings.MANAGE} create_stream`.")
    return stream


def caller_for(stream: StreamInfo, email: str | None) -> Caller:
    """Return who appends to a stream: the named user, or its owner."""
    if email:
        return find_user(email).as_caller()
    owner = stream.access.owner
    if owner.user_id is None:
        raise CommandError(f"{stream.name} belongs to a team: name the user who appends.")
    return User.objects.get(pk=owner.user_id).as_caller()
