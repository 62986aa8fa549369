"""Figures as one HTML file to take away."""

from collections.abc import Iterable
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from .layout import CAMERA, CONFIG


def figures_page(figures: Iterable[tuple[str, go.Figure]], title: str, remark: str = "") -> str:
    """Figures as one HTML page that needs nothing else: they zoom, hover and hide lines as here.

    Parameters
    ----------
    figures : pairs
        What a figure shows, in words, and the figure.
    title, remark : str

    Notes
    -----
    The camera above each figure takes an SVG. Plotly's script is held once, some 5 MB.
    """
    parts = [
        f"<figure>{_write_element(figure)}<figcaption>{escape(words)}</figcaption></figure>"
        for words, figure in figures
    ]
    return _PAGE.format(
        title=escape(title), remark=escape(remark), script=get_plotlyjs(), figures="\n".join(parts)
    )


def _write_element(figure: go.Figure) -> str:
    # Only a browser that shows the app adds the app's theme: a file needs a template.
    plain = go.Figure(figure).update_layout(template="plotly_white")
    camera = CAMERA | {"format": "svg", "scale": 1}
    return plain.to_html(
        full_html=False,
        include_plotlyjs=False,
        config=CONFIG | {"responsive": True, "toImageButtonOptions": camera},
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }}
figure {{ margin: 0 0 2.5rem; }}
figcaption {{ color: #5b616b; font-size: 0.85rem; }}
</style>
<script>{script}</script>
</head>
<body>
<h1>{title}</h1>
<p>{remark}</p>
{figures}
</body>
</html>
"""
