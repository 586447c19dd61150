"""The same messages for Slack and by mail."""

import socketserver
import threading
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django.db.models import F

from accounts.roles import Role
from eventflow_site.environment import MailServer, Places
from observability.alerts.channels import create_channel
from observability.alerts.delivering import slack_message
from observability.models import AlertChannel, AlertNotification
from observability.tasks import send_alert_messages
from tests.factories import make_dead_letter, make_group, make_stream, make_user
from tests.observability.alerts.receiver import receiving
from tests.observability.alerts.rules import look, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")


@contextmanager
def mail_server(refuse=b""):
    """Takes mail on this machine, and keeps it."""
    mails = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            recipients = []
            for line in iter(self.rfile.readline, b""):
                verb = line[:4].upper()
                if verb == b"RCPT" and refuse:
                    self.wfile.write(refuse + b" no\r\n")
                    continue
                if verb == b"RCPT":
                    recipients.append(line.split(b":", 1)[1].strip(b" <>\r\n").decode())
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    mails.append((recipients, message_from_bytes(body, policy=policy.default)))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], mails
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def mailing(settings):
    def use(port):
        settings.MAIL_SERVER = MailServer("127.0.0.1", port, "", "", uses_ssl=False, uses_tls=False)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.DEFAULT_FROM_EMAIL = "alerts@example.com"
        settings.PUBLIC_URL = "https://events.example"

    return use


def fire(kind, target):
    admin = make_user(Role.ADMIN)
    group = make_group(make_stream("orders", owner=admin), "billing")
    make_dead_letter(group)
    new = create_channel(
        caller=admin.as_caller(), owner=admin.as_caller().principal, kind=kind, name="n", target=target
    )
    make_rule(admin, "dead_letters", new.channel, stream="orders", group="billing")
    look()


def test_a_mail_says_what_and_where_under_the_same_id_in_every_try(mailing):
    with mail_server() as (port, mails):
        mailing(port)
        fire("email", "oncall@example.com")
        assert send_alert_messages() == 1
        AlertNotification.objects.update(
            status="waiting", ended_at=None, next_attempt_at=F("next_attempt_at") - timedelta(hours=1)
        )
        assert send_alert_messages() == 1
    (recipients, mail), (_, again) = mails
    assert recipients == ["oncall@example.com"]
    assert mail["Subject"] == "[EventFlow] orders/billing has 1 open dead letter (threshold 1)"
    assert mail["From"] == "alerts@example.com"
    text = mail.get_content()
    assert text.startswith("orders/billing has 1 open dead letter (threshold 1) since 20")
    assert "https://events.example/streams/orders/consumer-groups/billing" in text
    assert mail["Message-ID"] == again["Message-ID"] == f"<{AlertNotification.objects.get().message_id}@eventflow>"


def test_a_mail_server_that_refuses_or_is_away_is_tried_again(mailing):
    with mail_server(refuse=b"550") as (port, _):
        mailing(port)
        fire("email", "oncall@example.com")
        assert send_alert_messages() == 0
    assert AlertNotification.objects.get().status == "waiting"
    AlertNotification.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(hours=1))
    assert send_alert_messages() == 0
    found = AlertNotification.objects.get()
    assert (found.attempts, found.last_error) == (2, "The mail server could not be reached.")


def test_a_mail_that_cannot_be_made_is_told_of_and_tried_no_more_than_others(mailing, settings):
    with mail_server() as (port, mails):
        mailing(port)
        settings.DEFAULT_FROM_EMAIL = "alerts@example.com, others@example.com"
        fire("email", "oncall@example.com")
        assert send_alert_messages() == 0
    found = AlertNotification.objects.get()
    assert (found.status, found.last_error) == ("waiting", "The mail could not be made; the worker's log says why.")
    assert AlertChannel.objects.get().failed_in_row == 1
    assert not mails


def test_slack_gets_a_line_with_a_link(settings):
    settings.ALERT_EGRESS_ALLOW = Places(frozenset({"127.0.0.1"}), ())
    settings.PUBLIC_URL = "https://events.example"
    with receiving() as receiver:
        receiver.answer = 200
        fire("slack", receiver.url)
        assert send_alert_messages() == 1
        (body,), ((_, headers, _),) = receiver.bodies, receiver.requests
    assert body["text"].startswith(":red_circle: orders/billing has 1 open dead letter")
    (block,) = body["blocks"]
    assert block["text"]["text"].endswith("<https://events.example/streams/orders/consumer-groups/billing|Open>")
    assert "webhook-signature" not in headers


def test_a_name_mentions_nobody_and_links_nowhere():
    content = {"type": "alert.test", "data": {"text": "<!channel> <https://evil.example|x> & <@U1>", "url": None}}
    assert slack_message(content)["text"] == (
        ":bell: &lt;!channel&gt; &lt;https://evil.example|x&gt; &amp; &lt;@U1&gt;"
    )
