"""What the person at the terminal sees."""

import os
import select
import signal
import sys
from pathlib import Path

from eventflow_site.supervisor.configuration import Configuration
from eventflow_site.supervisor.first_answer import read_answer
from eventflow_site.supervisor.home import FIRST_ADMINS_VARIABLE, Home, read_env_file


class Terminal:
    """The terminal that the command was started from, if any.

    When it is closed, its session's first process is told, and nobody else: under `ssh -t host make
    run` that is make, which then waits for us.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        # nohup has SIGHUP ignored: whoever used it means to close the terminal and go on.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            for descriptor in (0, 1, 2):
                if os.isatty(descriptor):
                    self._poll.register(descriptor, 0)

    def is_gone(self) -> bool:
        return any(event & (select.POLLHUP | select.POLLNVAL) for _, event in self._poll.poll(0))


def say(line: str) -> None:
    """Print one line at once; a terminal that is closed, or cannot show a letter of it, is no reason to end."""
    encoding = sys.stdout.encoding
    try:
        sys.stdout.write(f"{line.encode(encoding, 'replace').decode(encoding)}\n")
        sys.stdout.flush()
    except OSError:
        return


def complain(problem: str, way_out: str) -> None:
    """Say why there is nothing running, and what to do."""
    sys.stderr.write(f"\nEventFlow did not start. {problem}\n  {way_out}\n")


def greet(configuration: Configuration, home: Home, *, answer: Path, is_first: bool, seconds: float) -> None:
    """Say where everything is, and give lines to paste."""
    seeded = read_answer(answer) or {}
    url = configuration.address
    say(
        f"""
EventFlow is up at {url}  ({seconds:.1f} s)

  Dashboard  {url}/
  Admin      {url}/admin/
  API docs   {url}/api/v1/docs
  E-mail     {seeded["admin_email"]}
  Password   {_where_the_password_is(home, seeded, is_first=is_first)}
  Logs       {home.logs}

{_lines_to_paste(url, seeded)}

Ctrl-C stops everything.
"""
    )


def _where_the_password_is(home: Home, seeded: dict[str, str], *, is_first: bool) -> str:
    # Whoever starts on a database that has its admin already gets no key, and knows the password or does not.
    if "api_key" in seeded:
        if is_first and os.environ.get(FIRST_ADMINS_VARIABLE):
            return f"as {FIRST_ADMINS_VARIABLE} says"
        if kept := read_env_file(home.secrets_file).get(FIRST_ADMINS_VARIABLE):
            return f"{kept}  (shown this once; kept in {home.secrets_file})" if is_first else f"in {home.secrets_file}"
    return "as it was set"


def _lines_to_paste(url: str, seeded: dict[str, str]) -> str:
    api, stream, group = f"{url}/api/v1", seeded["stream"], seeded["consumer_group"]
    key = seeded.get("api_key") or "evf_YOUR_KEY"
    who = f"-H 'X-API-Key: {key}'"
    json_type = "-H 'Content-Type: application/json'"
    event = f"""{{"stream": "{stream}", "type": "greeting", "payload": {{"text": "Hello"}}}}"""
    return f"""Append an event, read it back, and commit it as done:

  curl -sS {who} {json_type} -d '{event}' '{api}/events'
  curl -sS {who} '{api}/streams/{stream}/events?consumer_group_id={group}&last_offset=0'
  curl -sS {who} {json_type} -d '{{"offset": 1}}' '{api}/streams/{stream}/consumer-groups/{group}/offsets'"""
