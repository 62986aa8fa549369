"""``compress``: the same files with smaller layers, read back and compared before they appear."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.layouts import are_adapter
from ..errors import ArgumentError, CompressionError
from .files import read_files
from .output import print_json, print_table, say, show_progress
from .smallest import NothingSmallerError, find_smallest


def run(arguments: Namespace) -> int:
    files = read_files(arguments.files)
    try:
        rows, written, facts = (_compress_adapter if are_adapter(files) else _compress_model)(
            arguments, files
        )
    except NothingSmallerError as none:
        if arguments.json:
            print_json({"written": [], "why": str(none)})
        else:
            say(f"FAILED: {none}")
        return 1
    places = {arguments.output / name: content for name, content in written.items()}
    _write(places, arguments.force)
    before, after = (sum(map(len, group.values())) for group in (files, written))
    facts = {"bytes_before": before, "bytes_after": after, **facts}
    if arguments.json:
        print_json({"written": [str(path) for path in places], **facts, "layers": rows})
        return 0
    print_table(rows)
    say(f"{', '.join(map(str, places))}: {after:,} bytes of {before:,}")
    for name, value in facts.items():
        if isinstance(value, (str, float)):
            say(f"{name.replace('_', ' ')}: {value:.3g}" if isinstance(value, float) else value)
    return 0


def _write(places: dict[Path, bytes], force: bool) -> None:
    from ..atomic_file import write_whole

    there = [str(path) for path in places if path.exists()]
    if there and not force:
        raise ArgumentError(
            f"{', '.join(there)} is there already: give another --output, or --force"
        )
    for path, content in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(content, path)


def _compress_adapter(
    arguments: Namespace, files: dict[str, bytes]
) -> tuple[list, dict[str, bytes], dict]:
    import compression

    if arguments.method or arguments.data or arguments.lose_at_most is not None:
        raise ArgumentError(
            "an adapter's updates are resized exactly, without data: leave out --method, --data "
            "and --lose-at-most"
        )
    adapter = compression.read_adapter(files, show_progress("taking spectra"))
    ranks: dict[str, Any]
    if arguments.share is not None:
        ranks = adapter.allocate(int(arguments.share * adapter.parameters)).ranks
    elif arguments.energy is not None:
        layers = adapter.layers[adapter.layers["reason"] == ""]["layer"]
        ranks = {
            name: _find_energy_rank(adapter.spectrum(name), arguments.energy) for name in layers
        }
    else:
        ranks = dict(arguments.ranks)
    resized = adapter.resize(ranks, show_progress("writing layers"))
    columns = ["layer", "shape", "rank", "rank_after", "energy_kept", "reason"]
    rows = resized.table[columns].to_dict("records")
    return rows, resized.files, {"energy_kept": resized.energy_kept}


def _compress_model(
    arguments: Namespace, files: dict[str, bytes]
) -> tuple[list, dict[str, bytes], dict]:
    import compression

    from ..graphs.check import write_checked
    from ..graphs.plan import energy_at, ranks_within

    model = compression.read_model(files)
    smallest = None
    if arguments.lose_at_most is not None:
        smallest = find_smallest(arguments, model)
        model = smallest.model
    elif arguments.method and compression.LOW_RANK_METHODS[arguments.method].needs_inputs:
        model = _calibrate(arguments, model)
    elif arguments.data:
        raise ArgumentError("--data says what layers see: give --method activation_aware_svd too")
    model.measure(show_progress("taking spectra"))
    ranks: dict[str, int]
    if smallest is not None:
        ranks = smallest.ranks
    elif arguments.share is not None:
        ranks = ranks_within(model, int(arguments.share * model.parameters))
    elif arguments.energy is not None:
        ranks = _choose_ranks_for_energy(model, arguments.energy)
    else:
        ranks = dict(arguments.ranks)
    written, check = write_checked(model, ranks) if smallest is None else smallest.write()
    rows = []
    for weight in model.weights:
        rank = ranks.get(weight.name)
        count = weight.parameters if rank is None else weight.count_stored(rank)
        kept = 1.0 if rank is None else energy_at(model, weight.name, rank)
        line = {"layer": weight.name, "rank": rank, "parameters": weight.parameters}
        rows.append(
            {**line, "parameters_after": count, "energy_kept": kept, "reason": weight.reason}
        )
    facts: dict[str, Any] = {"method": arguments.method or "truncated_svd"}
    facts |= _describe_calibration(model)
    if smallest is not None:
        facts |= smallest.facts | {"chosen": smallest.sentence}
    facts |= {"largest_difference_from_the_promised_error": check.difference}
    if check.outputs:
        facts["relative_change_of_outputs_for_random_inputs"] = check.outputs["relative"]
    elif check.why_not:
        facts["outputs"] = check.why_not
    return rows, written, facts


def _calibrate(arguments: Namespace, model: Any) -> Any:
    """The model whose layers keep what they give on the rows of the data."""
    from ..graphs.child import CHILD
    from ..graphs.readings import CALIBRATION_ROWS
    from .judge import fit_inputs, read_samples

    if arguments.data is None:
        raise ArgumentError("activation_aware_svd asks what layers see: give --data FILE")
    graph = next(iter(model.to_bytes().values()))
    described = CHILD.ask("inputs", {"graph": graph})[0]["inputs"]
    if len(described) != 1:
        raise ArgumentError(f"the graph takes {len(described)} inputs, and samples are one")
    columns = read_samples(arguments.data, arguments.target, arguments.ignore, CALIBRATION_ROWS)
    inputs = tuple((line["name"], tuple(line["shape"]), np.float32) for line in described)
    (samples,) = fit_inputs(inputs, columns).values()
    return model.calibrate(samples, show_progress("asking layers"))


def _describe_calibration(model: Any) -> dict[str, Any]:
    if not model.calibration:
        return {}
    others = [w.name for w in model.weights if not w.reason and w.name not in model.calibration]
    said = f"by truncated SVD, as their outputs cannot be seen or do not vary: {', '.join(others)}"
    return {"not_calibrated": said} if others else {}


def _choose_ranks_for_energy(model: Any, share: float) -> dict[str, int]:
    """The smallest rank of each layer that keeps the share; no rank where that saves nothing."""
    ranks = {}
    for weight in model.weights:
        if weight.reason:
            continue
        try:
            rank = _find_energy_rank(model.spectrum(weight.name), share, model.energy(weight.name))
        except CompressionError:
            continue
        if rank <= weight.break_even:
            ranks[weight.name] = rank
    return ranks


def _find_energy_rank(spectrum: Any, share: float, whole: float | None = None) -> int:
    """The smallest rank that keeps this share of the energy, at least 1."""
    kept = np.cumsum(np.square(spectrum, dtype=np.float64))
    whole = float(kept[-1]) if whole is None else whole
    # A truncated spectrum may keep less than the share: the rank lies beyond it then.
    reached = kept >= share * whole * (1 - 1e-12)
    return int(np.argmax(reached)) + 1 if reached.any() else len(kept) + 1
