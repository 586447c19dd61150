"""Memory of what `make run` starts while nothing happens: `python -m benchmarks.idle`, with servers of its own.

What several processes share is counted once (PSS), a part of it for each.
"""

import os
import time
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.instance import Instance

SECONDS = float(os.environ.get("IDLE_SECONDS", "60"))
# By a word of their command lines.
PROGRAMS: Mapping[str, str] = {
    "web": "front.granian",
    "worker": "background.worker",
    "beat": "background.beat",
    "PostgreSQL": "postgres",
    "Valkey": "valkey-server",
    "supervisor": "manage.py",
    "all": "",
}


def main() -> None:
    table = Table(title=f"After {SECONDS:.0f} idle seconds")
    table.add_column("program")
    table.add_column("MB", justify="right")
    with Instance(is_embedded=True) as instance:
        time.sleep(SECONDS)
        for program, word in PROGRAMS.items():
            table.add_row(program, f"{instance.memory_bytes(of=word) / 2**20:.0f}")
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
