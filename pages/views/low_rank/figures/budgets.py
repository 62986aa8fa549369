"""One budget shared among the layers by every rule."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from pages.shared.format import describe_cost, describe_point
from pages.shared.plots.layout import BELOW, COSTS, build_figure, score_scale, score_title
from pages.shared.plots.palette import LOW_RANK, style
from pages.shared.plots.traces import NO_HOVER, bars, levels, line, vertical

RULES = {
    "best": "Best in training",
    "exact": "Exact",
    "greedy": "Greedy",
    "lagrangian": "Lagrangian",
    "uniform_energy": "Uniform loss",
    "uniform": "Uniform k",
}


def budget_ranks(lines: pd.DataFrame) -> go.Figure:
    """Ranks per layer by every rule; where a layer stays dense there is no bar, but the word.

    ``lines``: rule, and ranks, a dict layer -> rank or None for dense.
    """
    traces = []
    for rule, ranks in zip(lines["rule"], lines["ranks"], strict=True):
        colour = style("allocation_rule", rule).colour
        outside: dict[str, Any] = {
            "textposition": "outside",
            "offsetgroup": rule,
            "cliponaxis": False,
        }
        traces.append(
            bars(
                list(ranks),
                [rank or 0 for rank in ranks.values()],
                RULES.get(rule, rule),
                colour,
                text=["" if rank is None else str(rank) for rank in ranks.values()],
                hover="%{x}: rank %{y}",
                **outside,
            )
        )
        dense = [name for name, rank in ranks.items() if rank is None]
        words: dict[str, Any] = {
            "text": ["dense"] * len(dense),
            "textangle": -90,
            "showlegend": False,
        }
        zeros = [0] * len(dense)
        traces.append(bars(dense, zeros, "", colour, **words, **outside) | NO_HOVER)
    return build_figure(
        traces,
        "Ranks that each rule gives",
        340,
        ("Layer", {"type": "category"}),
        ("Rank k", {"rangemode": "tozero"}),
        barmode="group",
        legend=BELOW,
    )


def budget_scores(
    table: pd.DataFrame,
    tuned: pd.DataFrame | None,
    reference: Mapping[str, float],
    budget: float,
    unit: str,
    task: str,
) -> go.Figure:
    """Test score that each rule reaches under each budget; dashed: the same networks fine-tuned."""
    scale = score_scale(task)
    traces = []
    kinds = [(table, "", "dot", "")]
    if tuned is not None:
        kinds.append((tuned, ", fine-tuned", "dash", "-open"))
    for rows, kind, dash, open_ in kinds:
        for rule in dict.fromkeys(rows["rule"]):
            title, look = RULES.get(rule, rule), style("allocation_rule", rule)
            rule_rows = rows[rows["rule"] == rule]
            said = [
                f"{describe_point(line, describe_cost(unit, line['knob']), task, 'bytes')}<br>"
                f"predicted loss {line['gap']:.2g} above the exact rule's"
                for line in rule_rows.to_dict("records")
            ]
            traces.append(
                line(
                    rule_rows["knob"],
                    scale * rule_rows["score"],
                    title + kind,
                    look.colour,
                    "solid" if rule == "best" and not kind else dash,
                    markers=6,
                    symbol=look.symbol + open_,
                    text=said,
                    hover="budget of %{text}",
                )
            )
    return build_figure(
        traces,
        f"{score_title(task)} under each budget",
        340 if tuned is None else 400,
        (
            f"Budget: {COSTS[unit].lower()}",
            {"tickformat": "~s", "ticksuffix": "B" if unit == "bytes" else ""},
        ),
        (score_title(task), {}),
        legend=BELOW,
        shapes=[*levels(reference, scale), vertical(budget, LOW_RANK)],
    )
