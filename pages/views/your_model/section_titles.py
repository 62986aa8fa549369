"""The page's sections: a heading's anchor -> what the link to it says, in the order of the screen."""

LAYERS = {"layers": "Why this layer, why not"}
JUDGING = {"judging": "Data to judge it on"}
BUDGET = {"budget": "How small, and what is kept"}
SENTENCES = {"sentences": "What it costs on sentences"}
JUDGED = {
    "scores": "What it costs on data",
    "bounds": "A bound on every layer",
    "smallest": "The smallest file",
    "latency": "How long does it take?",
    "head": "A bound on the last layer",
}


def list_sections(*, of_text: bool, planned: bool, judged: bool) -> dict[str, str]:
    """Anchor -> title of the sections that are drawn.

    Parameters
    ----------
    of_text : bool
        The model reads text: sentences take the place of data.
    planned, judged : bool
        Whether some layer can shrink, and whether there is data to judge the smaller model on.
    """
    first = LAYERS | ({} if of_text else JUDGING) | BUDGET
    if not planned:
        return first
    return first | (SENTENCES if of_text else {}) | (JUDGED if judged else {})
