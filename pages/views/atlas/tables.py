"""Tables of the atlas as the page shows them."""

from typing import Any

import pandas as pd

import compression
import data
from compression.studies.atlas_files import Atlas
from compression.studies.protocol import Protocol
from pages.shared.format import format_score, format_size

from . import text


def tabulate_advice(atlas: Atlas, share: float) -> pd.DataFrame:
    """A line a dataset and model at one size."""
    families = atlas.families.set_index(["dataset", "model", "share", "family"])
    lines = []
    for cell in atlas.cells[atlas.cells["share"] == share].to_dict("records"):
        task = data.DATASETS[cell["dataset"]].task
        line: dict[str, Any] = {
            "dataset": data.DATASETS[cell["dataset"]].title,
            "model": compression.MODELS[cell["model"]].title,
            "best on validation": cell["winner"] or text.VERDICTS[cell["verdict"]],
            "ours": text.VERDICTS[cell["verdict"]] if cell["winner"] else "",
            "seeds": cell["seeds"],
        }
        if cell["winner"]:
            winner = families.loc[(cell["dataset"], cell["model"], share, cell["winner"])]
            change = {"dataset": cell["dataset"], **winner[["change", "low", "high", "seeds"]]}
            line |= {
                "test score": format_score(winner["score"], task),
                "against the reference": f"{text.write_change(change)} "
                f"({text.write_interval(change)})",
                "level with it": text.join_names(text.list_level(cell)) or "–",
            }
        if cell["ours"] and cell["peer"]:
            line |= {
                "best of ours": cell["ours"],
                "best baseline": cell["peer"],
                "ours − baseline": f"{text.write_change(cell)} ({text.write_interval(cell)})",
                "p": text.write_probability(cell["probability"]),
            }
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def tabulate_against(lines: pd.DataFrame) -> pd.DataFrame:
    """The best of ours against each baseline of a cell."""
    return pd.DataFrame(
        [
            {
                "ours": line["ours"],
                "baseline": line["baseline"],
                "ours − baseline": f"{text.write_change(line)} ({text.write_interval(line)})",
                "p": text.write_probability(line["probability"]),
                "verdict": text.VERDICTS[line["verdict"]],
                "seeds": line["seeds"],
            }
            for line in lines.to_dict("records")
        ]
    )


def count_duels(lines: pd.DataFrame) -> pd.DataFrame:
    """How many cells the first side of each duel wins, ties and loses."""
    counts = lines.groupby("duel", sort=False)["verdict"].value_counts().unstack(fill_value=0)
    names = [name for name in text.VERDICTS if name in counts.columns]
    return counts[names].rename_axis("in the atlas").reset_index()


def set_beside(shipped: pd.DataFrame, here: pd.DataFrame, task: str) -> pd.DataFrame:
    """Means over the seeds of one size, of rows as they ship and as they were computed here."""
    numbers = ["score", "bytes"]
    means = [each.groupby("family", as_index=False)[numbers].mean() for each in (shipped, here)]
    both = means[0].merge(means[1], on="family", how="outer", suffixes=("", "_here"))

    def write(values: pd.Series, form: Any) -> list[str]:
        return ["" if pd.isna(value) else form(value) for value in values]

    return pd.DataFrame(
        {
            "family": both["family"],
            "shipped": write(both["score"], lambda value: format_score(value, task)),
            "here": write(both["score_here"], lambda value: format_score(value, task)),
            "difference": both["score_here"] - both["score"],
            "file shipped": write(both["bytes"], format_size),
            "file here": write(both["bytes_here"], format_size),
        }
    )


def list_left_out(protocol: Protocol) -> pd.DataFrame:
    return pd.DataFrame(protocol.left_out.items(), columns=["what", "why"]).set_index("what")


def list_versions(facts: Any) -> pd.DataFrame:
    versions = pd.DataFrame(facts["versions"].items(), columns=["library", "version"])
    return versions.set_index("library")
