"""A browser's session as we list it, and the one that Django keeps."""

from django.http import HttpRequest

from accounts.services.sessions import SESSION_ID, keep_browser_session


def follow_browser(request: HttpRequest) -> None:
    """Go on knowing a browser whose session Django has given another key, and with it more time."""
    session_id = request.session.get(SESSION_ID)
    if session_id:
        keep_browser_session(
            session_id,
            browser_key=str(request.session.session_key),
            expires_at=request.session.get_expiry_date(),
        )
