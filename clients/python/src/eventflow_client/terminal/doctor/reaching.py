"""Is the server there, is it one, and is the way to it private?"""

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from ..plaintext import is_plaintext
from .asking import Seen
from .findings import Finding, good, odd, wrong

_ENDS_SOON_DAYS: Final = 14
_SECONDS_A_DAY: Final = 86_400
_TRUST: Final = (
    "Expired, or for another host: renew it on the server. From an authority of your own: SSL_CERT_FILE names its. "
    "A clock here that is wrong makes good ones look bad, too."
)


def explain_silence(url: str, error: httpx.HTTPError) -> Finding:
    """Say why nobody answered, as far as the error knows."""
    parts = urlsplit(url)
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return wrong("encryption", f"The certificate is not to be trusted: {cause.verify_message}.", _TRUST)
        if isinstance(cause, ssl.SSLError):
            return wrong(
                "encryption",
                f"What answers at {parts.netloc} does not speak TLS ({cause.reason or cause}).",
                "Is it http:// that is served there? Then TLS ends elsewhere: give the address of the proxy.",
            )
        if isinstance(cause, socket.gaierror):
            return wrong(
                "server", f"There is no host {parts.hostname!r} ({cause.strerror}).", "Look at the address: --url."
            )
        if isinstance(cause, ConnectionRefusedError):
            return wrong(
                "server",
                f"Nobody listens at {parts.netloc}.",
                "Start it (`eventflow up`), or look at host and port: --url, EVENTFLOW_API or the profile.",
            )
    if any(isinstance(cause, httpx.ConnectTimeout) for cause in causes):
        return wrong(
            "server",
            f"No connection to {parts.netloc} in time.",
            "A firewall that says nothing, or the wrong host: look whether other machines reach it.",
        )
    if isinstance(error, httpx.TimeoutException):
        return wrong(
            "server",
            f"{parts.netloc} takes connections and answers nothing in time.",
            "Ask it on its own machine: curl http://127.0.0.1:8000/healthz. If that answers, it is what is in between.",
        )
    return wrong(
        "server",
        f"The connection to {parts.netloc} broke: {str(error) or type(error).__name__}.",
        "Is it https:// that is served there, or a proxy that has nobody behind it? Look into its log.",
    )


def look_at_server(url: str, seen: Seen) -> Finding:
    """Say whether EventFlow answered."""
    if seen.is_ours:
        return good("server", f"EventFlow answers at {url}, in {seen.seconds * 1000:,.0f} ms.")
    if 300 <= seen.status < 400:
        to = seen.headers.get("location", "elsewhere")
        return wrong(
            "server",
            f"{url} sends on to {to}.",
            "Give the address where it ends: whoever is sent on may lose the body or the credential on the way.",
        )
    what = f"{url} answers with {seen.status} and something that is not EventFlow's"
    if seen.status in (502, 503, 504):
        return wrong("server", f"{what}.", "A proxy answers, and reaches no server behind it: look there.")
    return wrong(
        "server", f"{what}.", "Look at the address: what comes before `/api/v1` of it, and no page or path of it."
    )


def look_at_encryption(url: str, seen: Seen) -> Finding:
    """Say whether others can read what is sent, and how long the certificate lasts."""
    if is_plaintext(url):
        return odd(
            "encryption",
            "The credential goes unencrypted over the network.",
            "Put a proxy that ends TLS in front, and use https:// (docs/operations.md, Install).",
        )
    if urlsplit(url).scheme == "http":
        return good("encryption", "None, and none needed: it is this machine.")
    ends = (seen.certificate or {}).get("notAfter")
    if not isinstance(ends, str):
        return good("encryption", "TLS.")
    days = (ssl.cert_time_to_seconds(ends) - time.time()) / _SECONDS_A_DAY
    if days < _ENDS_SOON_DAYS:
        return odd("encryption", f"The certificate ends in {days:.0f} days ({ends}).", "Renew it on the server.")
    return good("encryption", f"TLS; the certificate is good for {days:,.0f} days.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
