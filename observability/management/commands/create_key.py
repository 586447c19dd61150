from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.conf import MAX_KEY_NAME_CHARACTERS
from accounts.roles import MEANING_OF_SCOPE, Scope
from accounts.services.api_keys import create_api_key
from observability.operations.command import OperatorCommand, console, find_user


class Command(OperatorCommand):
    help = "Create an API key for a user. The key, and nothing else, goes to standard output, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True)
        meanings = "; ".join(f"{scope}: {meaning}" for scope, meaning in MEANING_OF_SCOPE.items())
        parser.add_argument(
            "--scope",
            action="append",
            choices=[scope.value for scope in Scope],
            required=True,
            help=f"may be given more than once. {meanings}",
        )
        parser.add_argument("--stream", action="append", help="limit it to these streams; may be given more than once")
        parser.add_argument("--expires-in-days", type=int)

    def run_for(self, options: dict[str, Any]) -> None:
        if not 1 <= len(options["name"]) <= MAX_KEY_NAME_CHARACTERS:
            raise CommandError(f"--name: from 1 to {MAX_KEY_NAME_CHARACTERS} characters.")
        days = options["expires_in_days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--expires-in-days: from 1 to 36500.")
        made = create_api_key(
            user=find_user(options["email"]),
            name=options["name"],
            scopes=[Scope(scope) for scope in options["scope"]],
            stream_names=options["stream"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        console().print(f"Created {made.key.prefix}… for {options['email']}. It is shown this once:")
        self.stdout.write(made.secret)
