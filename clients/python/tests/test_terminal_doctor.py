"""`eventflow doctor`: what is wrong between here and the server is found, each with what mends it."""

import socket
import ssl
import subprocess
from email.utils import formatdate

import pytest
from between import Between
from eventflow_client import EventFlow
from eventflow_client.models import Caller, User
from eventflow_client.terminal.doctor.asking import Seen
from eventflow_client.terminal.doctor.clocks import look_at_clock
from eventflow_client.terminal.doctor.findings import Standing
from eventflow_client.terminal.doctor.rights import look_at_versions
from running import append

from eventflow_site.version import version
from tests.factories import make_key, make_token

pytestmark = pytest.mark.processes
QUICK = ["--wait", "0.5"]


@pytest.fixture
def direct(shell, web):
    """Nothing in between."""
    shell.environment["EVENTFLOW_API"] = web.url
    return shell


def look(shell, *words, **environment):
    """What was found, by what was looked at, and the exit code."""
    said = shell.run("doctor", *words, "--json", **environment)
    return {each["check"]: each for each in said.all_json()}, said.code


def test_where_all_is_well_it_says_so_and_stores_nothing(direct, client, orders):
    client.groups.create(orders, "readers")
    append(client, orders, 3)

    found, code = look(direct, orders, "readers", "--for", "produce,consume", *QUICK)

    assert code == 0
    assert {each["standing"] for each in found.values()} == {"good"}
    assert list(found) == [
        *("server", "encryption", "clock", "version", "credential", "stream", "group", "live streams", "waits")
    ]
    assert f"The server is {version()}" in found["version"]["found"]
    assert "3 behind" in found["group"]["found"]
    assert client.streams.stats(orders).head_offset == 3


def test_people_read_what_is_wrong_and_beneath_it_how_to_mend_it(direct, orders):
    said = direct.run("doctor", "nothing", "--wait", "0")

    wrong = next(number for number, line in enumerate(said.lines) if line.startswith("WRONG"))
    assert said.code == 1
    assert "nothing: " in said.lines[wrong]
    assert said.lines[wrong + 1].lstrip().startswith("→ Look at its name")


def test_nobody_listens(shell):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    found, code = look(shell, EVENTFLOW_API=f"http://127.0.0.1:{port}")

    assert code == 1
    assert found["server"]["found"] == f"Nobody listens at 127.0.0.1:{port}."
    assert "eventflow up" in found["server"]["mend"]
    assert list(found) == ["server"]


def test_somebody_takes_connections_and_says_nothing(shell):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        found, _ = look(shell, "--timeout", "0.5", EVENTFLOW_API=f"http://127.0.0.1:{mute.getsockname()[1]}")

    assert "answers nothing in time" in found["server"]["found"]


def test_an_address_with_a_page_of_it_is_no_address_of_it(direct, web):
    found, code = look(direct, EVENTFLOW_API=f"{web.url}/dashboard")

    assert code == 1
    assert "something that is not EventFlow's" in found["server"]["found"]


def test_without_a_credential_the_server_is_looked_at_all_the_same(bare, web):
    found, code = look(bare, "--url", web.url)

    assert code == 1
    assert found["server"]["standing"] == "good"
    assert "eventflow login" in found["credential"]["found"]


def test_a_key_that_ended_is_told_from_one_that_did_not_arrive(direct, web, network, owner):
    key = make_key(owner)
    with EventFlow(web.url, token=make_token(owner)) as person:
        person.keys.revoke(key.split("_")[2])
    found, _ = look(direct, EVENTFLOW_KEY=key)
    assert "It is refused" in found["credential"]["found"]

    network.withheld.add("x-api-key")
    found, code = look(direct, EVENTFLOW_API=network.url)
    assert code == 1
    assert found["credential"]["found"] == "It was sent, and did not arrive."


def test_a_key_lacks_what_it_is_wanted_for(direct, owner, orders):
    key = make_key(owner, "produce")

    found, code = look(direct, orders, "--for", "produce", "--for", "consume,manage", EVENTFLOW_KEY=key)

    assert code == 1
    assert found["credential"]["found"].endswith("a key to produce: lacks consume and manage.")
    assert "--scope produce,consume,manage" in found["credential"]["mend"]
    assert found["live streams"]["standing"] == "not looked at"


def test_a_key_for_other_streams_is_told_so(direct, owner, client, orders):
    found, code = look(direct, orders, EVENTFLOW_KEY=make_key(owner, streams=["others"]))

    assert code == 1
    assert found["stream"]["mend"] == "The key is for others only: make another for this one."


def test_what_is_paused_is_odd_and_no_failure(direct, client, orders):
    client.streams.change(orders, paused=True)

    found, code = look(direct, orders, *QUICK)

    assert (found["stream"]["standing"], code) == ("odd", 0)
    assert found["stream"]["mend"] == f"eventflow streams resume {orders}"


def test_a_proxy_that_holds_live_streams_back(shell, web, orders):
    with Between(web.port, holds_back=True) as between:
        found, code = look(shell, orders, "--wait", "0", EVENTFLOW_API=between.url)

    assert code == 1
    assert "The first byte had not come" in found["live streams"]["found"]
    assert "proxy_buffering off" in found["live streams"]["mend"]


def test_a_proxy_that_cuts_waits_short(shell, web, orders):
    with Between(web.port, patience_seconds=1) as between:
        found, code = look(shell, orders, "--wait", "8", EVENTFLOW_API=between.url)

    assert code == 1
    assert "Of 8 s asked for, it ended after 1." in found["waits"]["found"]
    assert "proxy_read_timeout" in found["waits"]["mend"]


def test_a_proxy_that_drops_who_waits(shell, web, orders):
    with Between(web.port, patience_seconds=1, is_mute=True) as between:
        found, _ = look(shell, orders, "--wait", "8", EVENTFLOW_API=between.url)

    assert "the connection broke" in found["waits"]["found"]


# --- encryption ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    place = tmp_path_factory.mktemp("tls")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", place / "key.pem", "-out", place / "certificate.pem", "-days", "9", "-subj", "/CN=here"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl, which makes a certificate")
    return place


@pytest.fixture
def encrypted(web, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    with Between(web.port, encryption=context) as between:
        yield between


def test_a_certificate_that_nobody_vouches_for(shell, encrypted):
    found, code = look(shell, EVENTFLOW_API=encrypted.url)

    assert (code, list(found)) == (1, ["encryption"])
    assert "is not to be trusted" in found["encryption"]["found"]
    assert "SSL_CERT_FILE" in found["encryption"]["mend"]


def test_a_certificate_that_ends_soon(shell, encrypted, certificate, orders):
    trusted = str(certificate / "certificate.pem")

    found, code = look(shell, orders, "--wait", "0", EVENTFLOW_API=encrypted.url, SSL_CERT_FILE=trusted)

    assert (found["encryption"]["standing"], code) == ("odd", 0)
    assert "ends in 9 days" in found["encryption"]["found"]


def test_encryption_where_there_is_none(shell, web):
    found, _ = look(shell, EVENTFLOW_API=web.url.replace("http:", "https:"))

    assert "does not speak TLS" in found["encryption"]["found"]


# --- without a server ---


@pytest.mark.parametrize(
    ("ahead", "standing", "words"),
    [
        (0.0, Standing.GOOD, "agrees"),
        (0.9, Standing.GOOD, "agrees"),
        (3.0, Standing.GOOD, "ahead"),
        (-3.0, Standing.GOOD, "behind"),
        (3600.0, Standing.ODD, "3,599 s ahead"),
        (-3600.0, Standing.ODD, "3,600 s behind"),
    ],
)
def test_clocks_agree_as_far_as_a_header_of_whole_seconds_can_tell(ahead, standing, words):
    written = 1_800_000_000
    seen = Seen(200, {"date": formatdate(written, usegmt=True)}, b"", written + ahead, written + ahead + 0.1)

    finding = look_at_clock(seen)

    assert finding.standing is standing
    assert words in finding.found


def test_an_answer_without_a_date_says_nothing_of_clocks():
    assert look_at_clock(Seen(200, {}, b"", 0.0, 0.1)).standing is Standing.UNSEEN
    assert look_at_clock(Seen(200, {"date": "yesterday"}, b"", 0.0, 0.1)).standing is Standing.UNSEEN


@pytest.mark.parametrize(
    ("own", "server", "standing"),
    [
        ("0.1.0", "0.1.9", Standing.GOOD),
        ("0.1.0", "0.2.0", Standing.ODD),
        ("1.4.0", "1.0.2", Standing.GOOD),
        ("1.4.0", "2.0.0", Standing.ODD),
        ("0", "3.0.0", Standing.GOOD),
        ("1.4.0", None, Standing.GOOD),
    ],
)
def test_versions_that_go_together(own, server, standing):
    caller = Caller(user=User(id=1, email="a@example.com", name="", roles=[]), server_version=server)

    assert look_at_versions(caller, own).standing is standing
