"""Where the installation connects to for somebody, and where never: hostile addresses, and names that change."""

import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess

import pytest

from eventflow_site.environment import Places
from observability.alerts import egress
from observability.alerts.egress import Refused, Unreachable, check_target, connect, is_outer
from observability.alerts.posting import Outcome, post_json
from observability.alerts.targets import UnusableTarget, WebTarget
from tests.observability.alerts.receiver import receiving

NOBODY = Places(frozenset(), ())


@pytest.fixture(autouse=True)
def nothing_is_allowed(settings):
    settings.ALERT_EGRESS_ALLOW = NOBODY


def allow(settings, *texts):
    networks = [ipaddress.ip_network(text) for text in texts if text[0].isdigit() or ":" in text]
    hosts = [text for text in texts if not (text[0].isdigit() or ":" in text)]
    settings.ALERT_EGRESS_ALLOW = Places(frozenset(hosts), tuple(networks))


INNER = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
OUTER = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("text", INNER)
def test_an_inner_address_is_refused_however_it_is_reached(text, monkeypatch):
    address = ipaddress.ip_address(text)
    assert not is_outer(address)
    host = f"[{text}]" if address.version == 6 else text
    with pytest.raises(Refused, match="no place on the internet"):
        check_target(WebTarget.of(f"https://{host}/"))
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (text, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused, match="no place on the internet"):
        connect(WebTarget.of("https://receiver.example/"), seconds=5)


@pytest.mark.parametrize("text", OUTER)
def test_an_address_on_the_internet_is_not(text):
    assert is_outer(ipaddress.ip_address(text))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "localhost."])
def test_other_ways_to_write_this_machine_are_names_and_what_they_lead_to_is_refused(host):
    with pytest.raises((Refused, Unreachable)):
        connect(WebTarget.of(f"https://{host}/"), seconds=5)


@pytest.mark.parametrize(
    "url",
    [
        "", "receiver.example", "//receiver.example/", "ftp://receiver.example/", "file:///etc/passwd", "gopher://x/",
        "javascript:alert(1)", "https://", "https:///path", "https://user@receiver.example/",
        "https://user:pass@receiver.example/", "https://good.example@127.0.0.1/", "https://receiver.example\\@127.0.0.1/",
        "https://receiver.example/#x", "https://receiver.example/a b", "https://receiver.example/\r\nHost: x",
        "https://receiver.example/\x00", "https://réceiver.example/", "https://receiver.example:0/",
        "https://receiver.example:70000/", "https://receiver.example:abc/", "https://[fe80::1%25eth0]/", "https://[::1/",
        "https://[not-an-address]/", "https://-receiver.example/", "https://rec eiver/", "https://receiver.example/" + "a" * 2000,
        "HTTPS ://receiver.example/", "https://%6c%6f%63alhost/", "https://receiver。example/", "https://.../",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(url):
    with pytest.raises(UnusableTarget):
        WebTarget.of(url)


def test_an_address_is_taken_apart_once_and_shown_without_its_secrets():
    target = WebTarget.of("HTTPS://Receiver.Example.:8443/services/T0/B0?token=x")
    assert (target.is_secure, target.host, target.port, target.path) == (
        True, "receiver.example", 8443, "/services/T0/B0?token=x",
    )  # fmt: skip
    assert target.shown == "https://receiver.example:8443/…"
    assert WebTarget.of("https://[2606:4700::1111]").shown == "https://[2606:4700::1111]/…"


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "https://8.8.8.8:22/", "https://8.8.8.8:25/", "https://8.8.8.8:80/"]
)
def test_on_the_internet_it_takes_tls_and_a_port_that_is_nobody_elses(url):
    with pytest.raises(Refused):
        check_target(WebTarget.of(url))


def test_a_name_that_leads_inside_a_moment_later_leads_nowhere(settings, monkeypatch):
    """Rebinding: the answer that was checked is the one that is connected to, and nobody asks again."""
    allow(settings, "127.0.0.1")
    asked = []
    with receiving() as good, receiving("127.0.0.9") as inner:

        def resolve(host, port, **_options):
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        inner.port = good.port
        monkeypatch.setattr(socket, "getaddrinfo", _only_for("rebinding.example", resolve))
        assert post_json(f"http://rebinding.example:{good.port}/", b"{}", {}).is_sent
        assert asked == ["rebinding.example"]
        assert good.requests[0][1]["host"] == f"rebinding.example:{good.port}"
        assert not post_json(f"http://rebinding.example:{good.port}/", b"{}", {}).is_sent
        assert (len(good.requests), inner.requests) == (1, [])


def _only_for(name, resolve):
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **options):
        return resolve(host, *args, **options) if host == name else real(host, *args, **options)

    return getaddrinfo


def test_of_several_addresses_only_those_that_may_be_connected_to_are(settings, monkeypatch):
    allow(settings, "127.0.0.1")
    with receiving() as receiver:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, receiver.port))
            for text in ("127.0.0.9", "10.0.0.1", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", _only_for("two.example", lambda *_, **__: found))
        assert post_json(f"http://two.example:{receiver.port}/", b"{}", {}).is_sent


def test_the_operator_allows_inner_hosts_and_networks(settings):
    with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        assert "no place on the internet" in post_json(url, b"{}", {}).error
        allow(settings, "127.0.0.0/8")
        assert post_json(url, b"{}", {}).is_sent
        named = f"http://localhost:{receiver.port}/"
        allow(settings, "10.0.0.0/8")
        assert "no place on the internet" in post_json(named, b"{}", {}).error
        allow(settings, "localhost")
        assert post_json(named, b"{}", {}).is_sent


def test_a_redirect_to_an_inner_address_is_not_followed(settings):
    allow(settings, "127.0.0.1")
    with receiving() as receiver, receiving("127.0.0.9") as inner:

        def redirect(handler):
            handler.send_response(307)
            handler.send_header("Location", f"http://127.0.0.9:{inner.port}/")
            handler.end_headers()

        receiver.answer = redirect
        assert post_json(receiver.url, b"{}", {}).error == "It answered 307; redirects are not followed."
        assert inner.requests == []


def test_a_name_that_is_resolved_too_slowly_is_not_waited_for(monkeypatch):
    import threading

    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(20))
    with pytest.raises(Unreachable, match="not resolved in time"):
        connect(WebTarget.of("https://receiver.example/"), seconds=0.1)
    go_on.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=receiver.example "
        "-addext subjectAltName=DNS:receiver.example"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.processes
class TestTls:
    """With certificates made for the test; the machine's own list of authorities is not touched."""

    @pytest.fixture
    def post(self, certificate, settings, monkeypatch):
        allow(settings, "127.0.0.1")

        def post(name, *, trusted):
            serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            serving.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
            ours = ssl.create_default_context()
            if trusted:
                ours.load_verify_locations(certificate / "cert.pem")
            monkeypatch.setattr(egress, "_tls", lambda: ours)
            with receiving(wrap=lambda sock: serving.wrap_socket(sock, server_side=True)) as receiver:
                found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]
                monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
                with contextlib.closing(socket.socket()):
                    return post_json(f"https://{name}:{receiver.port}/", b"{}", {}), len(receiver.requests)

        return post

    def test_the_named_host_has_to_prove_itself(self, post):
        assert post("receiver.example", trusted=True) == (Outcome(), 1)

    def test_another_name_is_not_proven_by_it(self, post):
        outcome, came = post("other.example", trusted=True)
        assert "The certificate is not good" in outcome.error and came == 0

    def test_nobody_proves_themselves_by_their_own_word(self, post):
        outcome, came = post("receiver.example", trusted=False)
        assert "The certificate is not good" in outcome.error and came == 0


def test_our_own_context_checks_names_and_certificates():
    context = egress._tls()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
