"""``spectrum``: a line a layer, before any data."""

from argparse import Namespace
from typing import Any

from ..adapters.layouts import are_adapter
from .files import read_files
from .output import print_json, print_table, show_progress

COLUMNS = ("layer", "kind", "shape", "parameters", "rank_90", "rank_95", "rank_99")


def run(arguments: Namespace) -> int:
    import compression

    from ..errors import CompressionError

    files = read_files(arguments.files)
    model: Any
    if are_adapter(files):
        model = compression.read_adapter(files, show_progress("taking spectra"))
        columns: tuple[str, ...] = (*COLUMNS[:3], "rank", *COLUMNS[3:], "reason")
    else:
        model = compression.read_model(files)
        model.measure(show_progress("taking spectra"))
        columns = (*COLUMNS, "break_even", "reason")
    table = model.layers.astype(object).where(model.layers.notna(), None)
    rows = [{name: row[name] for name in columns} for row in table.to_dict("records")]
    for row in rows:
        if not isinstance(row["shape"], str):
            row["shape"] = " x ".join(map(str, row["shape"]))
    if not arguments.json:
        print_table(rows)
        return 0
    for row in rows:
        try:
            row["singular_values"] = model.spectrum(row["layer"])
        except CompressionError:
            row["singular_values"] = None
    print_json({"files": sorted(files), "layers": rows})
    return 0
