"""Which session asks. Callers set how to tell, since this package imports no Streamlit."""

from collections.abc import Callable

Session = str | None


def _take_no_session() -> Session:
    return None


_provider: Callable[[], Session] = _take_no_session


def identify_sessions_by(provider: Callable[[], Session]) -> Callable[[], Session]:
    """Set what tells the session of the calling thread: its name, or None outside of any.

    Returns what told it before.
    """
    global _provider
    before, _provider = _provider, provider
    return before


def current_session() -> Session:
    """The session of the calling thread; None for a thread of no session, as of a download."""
    return _provider()
