import os
from getpass import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.models import User
from accounts.roles import Role
from accounts.services.users import create_user
from observability.operations.command import OperatorCommand, console


class Command(OperatorCommand):
    help = "Create a user. The password is asked for, or taken from $EVENTFLOW_PASSWORD: never from the arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        roles = [role.value for role in Role]
        parser.add_argument("--role", action="append", choices=roles, required=True, help="may be given more than once")
        parser.add_argument("--no-password", action="store_true", help="acts through API keys only")

    def run_for(self, options: dict[str, Any]) -> None:
        email = options["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise CommandError(f"There is a user {email} already.")
        password = None if options["no_password"] else _ask_password()
        user = create_user(email=email, password=password, roles=map(Role, options["role"]), name=options["name"])
        console().print(f"Created {user.email}: {', '.join(sorted(user.roles))}.")


def _ask_password() -> str:
    given = os.environ.get("EVENTFLOW_PASSWORD")
    if given is not None:
        return given
    password = getpass("Password: ")
    if password != getpass("Once more: "):
        raise CommandError("The two are not the same.")
    return password
