"""Links that nobody made in good faith: each widget with every value, each page with a few."""

import ast
import random

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import hostile_links
from benchmarks.hostile_links import (
    ALL_KEYS,
    BEGINNINGS,
    HOSTILE,
    LEAST_LINKS,
    SITES,
    SMALL,
    Site,
    keys_of,
    list_faults,
    list_untried_keys,
    listen,
    open_link,
)
from benchmarks.server import ROOT
from pages.shared import links
from pages.shared.format import escape_markdown, quote

KEYS = ("menu", "slider", "buttons", "list", "switch", "amount", "seed")


def widgets_of_each_kind():
    import streamlit as st

    from pages.shared.models.controls import choose_seed
    from pages.shared.ui import knobs, widgets

    shown = [
        widgets.pick("menu", "Menu", ["first", "second"], "first"),
        knobs.draw("slider", "Slider", (0.5, 1.0, 2.5), 1.0),
        widgets.choose_segment("buttons", "Buttons", {"first": "First", "second": "Second"}),
        widgets.choose_several("list", "List", ["first", "second"]),
        widgets.switch("switch", "Switch"),
        widgets.choose_amount("amount", "Amount", 1.0),
        choose_seed(),
    ]
    widgets.draw_remarks("menu", "amount", "seed")
    st.text(repr(shown))


def as_text(value):
    return str(value)[:30]


@pytest.mark.parametrize("value", HOSTILE, ids=as_text)
def test_each_kind_of_widget_takes_no_harm_from_a_link_and_says_so(value):
    app = AppTest.from_function(widgets_of_each_kind, default_timeout=30)
    for key in KEYS:
        app.query_params[key] = value
    with listen() as heard:
        app.run()
        first = app.text[0].value
        app.run()
    assert not app.exception
    assert not heard
    assert app.text[0].value == first
    remarks = "\n\n".join(warning.value for warning in app.warning)
    plain = "".join(remarks.split("`")[::2])  # without what is shown as code
    assert "stranger" not in plain
    assert "alert" not in plain
    assert "**" not in plain
    assert max(map(len, remarks.split())) < 100
    for label in ("Menu", "Buttons", "Switch"):  # nothing hostile is one of theirs
        assert label in remarks


# The networks' curves are drawn for other tests' sake as well; what is costly is left to
# ``python -m benchmarks hostile_links``.
@pytest.mark.parametrize("page", ["compare", "train", "decide"])
def test_a_page_takes_no_harm_from_a_link_that_is_hostile_throughout(page):
    site = Site(page, SMALL)
    chosen = random.Random(page)
    keys = [key for key in keys_of(open_link(site, SMALL), site) if key not in SMALL]
    for _ in range(3):
        with listen() as heard:
            app = open_link(site, {**SMALL, **{key: chosen.choice(HOSTILE) for key in keys}})
        assert not list_faults(app, heard)
        assert app.warning or not keys


def test_every_page_is_among_those_that_hostile_links_are_tried_on():
    from tests.pages.test_shell import PAGES

    assert {site.page for site in SITES} == set(PAGES)


def read_keys(arguments):
    """The query keys among a call's arguments: texts, and names of ``links``."""
    for argument in arguments:
        if isinstance(argument, ast.Constant):
            yield argument.value
        elif ast.unparse(argument).startswith("links."):
            yield getattr(links, argument.attr)


def test_every_menu_s_remark_is_drawn_somewhere():
    """A menu leaves its remark to its page, which may forget it."""
    menus, remarks = set(), set(links.REFERENCE)
    for path in (ROOT / "pages").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if name == "widgets.pick":
                menus |= set(read_keys(call.args[:1]))
            elif name == "widgets.draw_remarks":
                remarks |= set(read_keys(call.args))
    assert len(menus) > 10
    assert menus <= remarks


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("abc", "`abc`"),
        ("", "an empty text"),
        ("a`b\nc", "`a\ufffdb\ufffdc`"),
        ("x" * 100, f"`{'x' * 59}…`"),
    ],
)
def test_a_strangers_text_is_quoted_as_code_and_cut(text, quoted):
    assert quote(text) == quoted


def test_nothing_in_an_escaped_sentence_is_markdown():
    sentence = escape_markdown("a ![x](http://b.example) **c** <i> www.d.example :red[e]")
    assert sentence.startswith(r"a \!\[x\]\(http")
    assert "http://" not in sentence
    assert "www." not in sentence
    assert r"\*\*c\*\* \<i\>" in sentence


def test_keys_that_no_link_has_are_named():
    assert list_untried_keys([]) == sorted(ALL_KEYS | BEGINNINGS)
    every = [*ALL_KEYS, links.LAYER_BOUND.format("fc1"), links.STUDY_VALUES.format("box")]
    assert list_untried_keys(every) == []
    assert list_untried_keys(set(every) - {"atlas_seeds", "bound_fc1"}) == ["atlas_seeds", "bound_"]


def test_the_verdict_asks_for_as_many_links_as_were_promised(monkeypatch):
    tried = [(f"compare?{links.SEED}='x'", [])] * LEAST_LINKS
    monkeypatch.setattr(hostile_links, "try_links", lambda share, seed: iter(tried))
    faults, untried = hostile_links.rows()
    assert faults.met
    assert not untried.met
    assert f"{links.ATLAS_SEEDS}, " in untried.measured
    tried.pop()
    assert not next(hostile_links.rows()).met


@pytest.mark.parametrize(
    ("page", "key"),
    [("studies", links.STUDY_PART), ("atlas", links.ATLAS_SEEDS)],
)
def test_what_a_page_draws_on_request_is_drawn_by_one_of_the_sites(page, key):
    small = {"study": "atlas"}, {"here": "true"}
    (site,) = [site for site in SITES if site.page == page and site.query in small]
    app = open_link(site, site.query)
    assert not list_faults(app, [])
    assert key in set(keys_of(app, site)) - set(site.query)
