"""Numbers as a person reads them: with their unit, in one way everywhere; strangers' texts as such."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MACS = "MACs per sample"
LONGEST_QUOTE = 60  # characters of a foreign text that a sentence repeats


def quote(text: str) -> str:
    """A stranger's text, as of a link, in a sentence that is shown as Markdown: code, cut short."""
    printable = "".join(
        c if c.isprintable() and c != "`" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    if len(printable) > LONGEST_QUOTE:
        printable = f"{printable[: LONGEST_QUOTE - 1]}…"
    return f"`{printable}`" if printable.strip() else "an empty text"


def escape_markdown(sentence: str) -> str:
    """A sentence of which nothing is to be taken for Markdown: no picture, link or formula."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", sentence)
    return escaped.replace("\\://", "\\:\N{WORD JOINER}//").replace("www.", "www\N{WORD JOINER}.")


def format_score(value: float, task: str) -> str:
    return f"{100 * value:.1f} %" if task == "classification" else f"{value:.3f}"


def format_interval(low: float, high: float, task: str) -> str:
    if task == "classification":
        return f"{100 * low:.1f}–{100 * high:.1f} %"
    return f"{low:.3f} to {high:.3f}"


def format_change(value: float, task: str) -> str:
    """A difference of scores, in points of accuracy or in R²."""
    if task == "classification":
        return f"{100 * value:+.1f}".replace("-", "−")
    return f"{value:+.3f}".replace("-", "−")


def format_loss(value: float, task: str) -> str:
    """An amount of score: "1 point", or "0.01 of R²"."""
    if task != "classification":
        return f"{value:g} of R²"
    amount = f"{100 * value:g}"
    return f"{amount} point{'' if amount == '1' else 's'}"


def score_name(task: str) -> str:
    return "Test accuracy" if task == "classification" else "Test R²"


def format_count(value: float) -> str:
    return f"{int(value):,}"


def format_size(length: float) -> str:
    """A file's length: bytes below 10 kB, else kB or MB of 1000."""
    if length < 10_000:
        return f"{int(length):,} B"
    if length < 10_000_000:
        return f"{length / 1000:,.0f} kB"
    return f"{length / 1e6:,.1f} MB"


def describe_cost(cost: str, value: float) -> str:
    """A number of parameters, bytes or MACs with its unit."""
    if cost == "bytes":
        return format_size(value)
    return f"{format_count(value)} {'MACs' if cost == 'macs' else cost}"


def compare_sizes(reference: float, value: float) -> str:
    """How many times smaller than the reference; or larger, said plainly."""
    ratio = reference / value
    if abs(ratio - 1) < 5e-3:
        return "as the reference"
    larger = max(ratio, 1 / ratio)
    text = f"{larger:.3g}" if larger < 1.1 else f"{larger:.2g}"
    return f"{text}× smaller" if ratio > 1 else f"{text}× larger"


def describe_point(line: Mapping[str, Any], setting: str, task: str, cost: str) -> str:
    """A row's hover: "rank 4: 95.3 % (92.8–97.0 %), 21 kB"; ``setting``: its knob in words."""
    score = format_score(line["score"], task)
    ends = format_interval(line["score_low"], line["score_high"], task)
    return f"{setting}: {score} ({ends}), {describe_cost(cost, line[cost])}"


def parse_number(text: str) -> float | None:
    """A finite number; None: the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def short_decimals(numbers: Sequence[float]) -> list[str]:
    """Short decimals that tell the numbers apart; a link has to find one by its text."""
    if all(number == int(number) for number in numbers):
        return [str(int(number)) for number in numbers]
    for digits in range(3, 18):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts
