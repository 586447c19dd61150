"""The remembered process id is the process's own, in a forked child too."""

import os

import pytest

from accounts.process_id import process_id

pytestmark = pytest.mark.processes


def test_a_forked_child_has_its_own():
    assert process_id() == os.getpid()
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        os.write(sender, b"%d %d" % (process_id(), os.getpid()))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receiver, 100) == b"%d %d" % (child, child)
    os.close(receiver)
    os.close(sender)
