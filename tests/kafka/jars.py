"""What a broker is made of: Kafka's jars, which Maven copies once into a folder that all runs share."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.places import PROJECT, hold

POM = Path(__file__).with_name("pom.xml")
KEPT = PROJECT / "var" / "kafka-jars"


class NoJars(Exception):
    """Maven cannot fetch them, for want of a registry that answers."""


def missing_tools() -> str:
    """Say what a cluster needs and this machine has not; empty: it has all."""
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    return f"a Kafka cluster needs {' and '.join(missing)}" if missing else ""


def get_jars() -> Path:
    """Return the folder with the jars; Maven fetches 43 MB if they are not there.

    Raises:
        NoJars
    """
    jars = Path(os.environ.get("KAFKA_JARS") or KEPT)
    jars.mkdir(parents=True, exist_ok=True)
    with hold(jars / "lock"):
        is_complete = jars / "is-complete"
        if not is_complete.exists():
            command = ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
            command += ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NoJars(f"Maven cannot fetch Kafka's jars: {' '.join((done.stdout + done.stderr).split())[:300]}")
            is_complete.touch()
    return jars
