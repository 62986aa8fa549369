"""The app for more than one's own machine: with headers, a health check and numbers to watch.

    streamlit run server.py

is ``streamlit run app.py``, whose pages it serves, and beside them ``/health`` and ``/metrics``.
SECURITY.md says what else a server that others reach needs.
"""

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from pages.shared import monitoring

app = st.App(
    "app.py",
    routes=[
        Route("/health", monitoring.answer_health),
        Route("/metrics", monitoring.answer_metrics),
    ],
    middleware=[Middleware(monitoring.SecurityHeaders)],
)
