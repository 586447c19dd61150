"""docs/tutorial.md from its first line to its last: a shop of its own, a consumer that is killed, a dead letter that is mended.

`tests/packaging/test_tutorial_installed.py` does the same with what is installed from the wheels.
"""

import shutil
import sys
from pathlib import Path

import pytest

from accounts.roles import Role
from tests.conventions.commands import serving
from tests.conventions.test_client_recipes import Unreliable
from tests.conventions.tutorial import follow_tutorial
from tests.factories import make_user

_PASSWORD = "a long enough password"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("starts a Django project of its own, many times, and waits for leases to run out"),
    pytest.mark.usefixtures("db_with_commits"),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"),
]


def test_every_order_has_one_invoice_though_a_consumer_was_killed_and_what_cannot_be_processed_is_mended(tmp_path):
    admin = make_user(*Role, email="admin@eventflow.local", password=_PASSWORD)
    site = Unreliable()
    with serving(site) as api:
        follow_tutorial(tmp_path, api=api, email=admin.email, password=_PASSWORD, programs=Path(sys.executable).parent)
        site.wait_until_idle()
