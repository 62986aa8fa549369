"""What a study is made of: datasets, models, seeds, and the curves that each gets."""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import data
from compression.catalog import (
    BASELINES,
    COMBINED_METHODS,
    CONSTRAINED_METHODS,
    CONSTRAINTS,
    LOW_RANK_METHODS,
    MODELS,
    find,
)
from compression.errors import ArgumentError

from .version import stage_version

MAX_FITS = 1_000_000
MAX_FOLDS = 100
LARGEST_SEED = 2**31 - 1
SOURCES = ("split", "initialisation", "order")
HELD = 0  # seed of the sources that do not vary
SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)  # of the reference's measured bytes
MAX_BUDGETS = 12


@dataclass(frozen=True)
class Family:
    """One kind of curve: where it is made, its settings, and what must be said."""

    where: str
    settings: tuple[str, ...]
    catalogues: Mapping[str, tuple[Mapping[str, Any], str]]
    required: tuple[str, ...]


FAMILIES: Mapping[str, Family] = {
    "low_rank": Family(
        "compression:low_rank_curve",
        ("method", "ranks", "layers", "ridge", "calibration", "epochs"),
        {"method": (LOW_RANK_METHODS, "low-rank method")},
        ("method",),
    ),
    "constrained": Family(
        "compression:constrained_curve",
        ("constraint", "bounds", "layers", "method", "epochs", "warm_start"),
        {
            "constraint": (CONSTRAINTS, "constraint set"),
            "method": (CONSTRAINED_METHODS, "way to a bound"),
        },
        ("constraint",),
    ),
    "baseline": Family(
        "compression:baseline_curve",
        ("method", "knobs", "epochs"),
        {"method": (BASELINES, "baseline")},
        ("method",),
    ),
    "combined": Family(
        "compression:combined_curve",
        ("method", "ranks", "bounds", "epochs", "constraint", "warm_start"),
        {
            "method": (COMBINED_METHODS, "combination"),
            "constraint": (CONSTRAINTS, "constraint set"),
        },
        ("method",),
    ),
}


@dataclass(frozen=True)
class Curves:
    """Curves of one family and setting.

    Attributes
    ----------
    family : str
        A name of ``FAMILIES``.
    settings : mapping
        Keywords of that family's function, knob values among them; what is left out has the
        function's defaults.
    bits : tuple of int
        Each row in these numbers of bits too, rounded; () for none.
    bits_epochs : int
        Of training with rounded weights for each, beside the curve's own epochs; 0: none.
    name : str
        What its rows are called; made of the settings when left out.
    """

    family: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    bits: tuple[int, ...] = ()
    name: str = ""
    bits_epochs: int = 0

    def __post_init__(self) -> None:
        family = find_family(self.family)
        for name in self.settings:
            if name not in family.settings:
                raise ArgumentError(
                    f"{self.family} has no setting {name!r}: choose of {', '.join(family.settings)}"
                )
        for name in family.required:
            if name not in self.settings:
                raise ArgumentError(f"{self.family} needs the setting {name!r}")
        for name, (catalogue, what) in family.catalogues.items():
            if self.settings.get(name) is not None:
                find(catalogue, self.settings[name], what)
        try:
            json.dumps(self.request(), allow_nan=False)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"a setting of {self.label} cannot be kept: choose texts, finite numbers, true or "
                "false, and lists of them"
            ) from None

    @property
    def label(self) -> str:
        """The name, or method and set, and what differs from the defaults, knob values aside."""
        if self.name:
            return self.name
        names = [self.settings[name] for name in ("method", "constraint") if name in self.settings]
        rest = [
            f"{name} {self.settings[name]}"
            for name in ("layers", "ridge", "calibration", "epochs", "warm_start")
            if name in self.settings
        ]
        return ", ".join([" ".join(names), *rest, *(["few bits"] if self.bits else [])])

    def request(self) -> dict[str, Any]:
        """As plain values, for a key."""
        fields = {"family": self.family, "settings": dict(self.settings), "bits": list(self.bits)}
        # Leave them out where there are none, so that stored requests keep their keys.
        return fields | ({"bits_epochs": self.bits_epochs} if self.bits_epochs else {})


def find_family(name: str) -> Family:
    try:
        return FAMILIES[name]
    except (KeyError, TypeError):
        raise ArgumentError(
            f"there is no family named {name!r}: choose one of {', '.join(FAMILIES)}"
        ) from None


@dataclass(frozen=True)
class Study:
    """Every dataset, model and seed with every curve: each combination is a fit.

    Attributes
    ----------
    name : str
        By which its table is found again.
    datasets, models : tuple of str
        Names of ``data.DATASETS``, or of uploads while they are kept, and of
        ``compression.MODELS``; a model that does not work for a dataset is left out for it.
    seeds : tuple of int
        Each is a split of its own, and an initialisation and order of rows.
    curves : tuple of Curves
    epochs : int or None
        Of the reference; None: as its recipe says.
    folds : int or None
        Of each seed's training part, every one with a reference of its own, whose validation
        rows are those held out (see ``folds.py``); None: one split into rows to fit and to
        choose by.
    vary : tuple of str
        What a seed chooses, of ``SOURCES``; all else is as seed ``HELD`` has it. All of them unless one
        wants to know what one of them does (Bouthillier et al. 2021, arXiv 2103.03098).
    budgets : tuple of float
        Sizes at which the curves are judged: shares of the reference's measured bytes, in (0, 1].
        No fit depends on them.
    """

    name: str
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    curves: tuple[Curves, ...]
    epochs: int | None = None
    folds: int | None = None
    vary: tuple[str, ...] = SOURCES
    budgets: tuple[float, ...] = SHARES

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 100 or not self.name.isprintable():
            raise ArgumentError("a study needs a name of 1 to 100 characters on one line")
        for what in ("datasets", "models", "seeds", "curves"):
            values = tuple(getattr(self, what))  # JSON has no range: make a tuple of it
            object.__setattr__(self, what, values)
            if not values:
                raise ArgumentError(f"a study needs at least one of its {what}")
            if len(set(map(repr, values))) < len(values):
                raise ArgumentError(f"one of the {what} stands there twice")
        labels = [each.label for each in self.curves]
        if doubled := {each for each in labels if labels.count(each) > 1}:
            raise ArgumentError(
                f"two curves are both called {doubled.pop()!r}: give each a name of its own"
            )
        requests = [json.dumps(each.request(), sort_keys=True) for each in self.curves]
        if len(set(requests)) < len(requests):
            raise ArgumentError("two curves have the same settings: leave one of them out")
        for name in self.datasets:
            try:
                data.find(name)
            except data.DatasetError as error:
                raise ArgumentError(str(error)) from None
        for name in self.models:
            find(MODELS, name, "model")
        for seed in self.seeds:
            if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
                raise ArgumentError(f"{seed!r} is no seed: choose whole numbers from 0")
        if self.epochs is not None and (not isinstance(self.epochs, int) or self.epochs < 1):
            raise ArgumentError(f"{self.epochs!r} epochs train nothing: choose 1 or more")
        whole = isinstance(self.folds, int) and not isinstance(self.folds, bool)
        if self.folds is not None and not (whole and 2 <= self.folds <= MAX_FOLDS):
            raise ArgumentError(f"{self.folds!r} folds are not possible: choose 2 to {MAX_FOLDS}")
        if not self.vary or set(self.vary) - set(SOURCES) or len(set(self.vary)) < len(self.vary):
            raise ArgumentError(
                f"seeds cannot vary {', '.join(self.vary) or 'nothing'}: choose of {', '.join(SOURCES)}"
            )
        _check_budgets(self.budgets)
        if (count := self.count()) > MAX_FITS:
            raise ArgumentError(f"{count:,} fits are too many: at most {MAX_FITS:,}")

    def pairs(self) -> list[tuple[str, str]]:
        """The (dataset, model) pairs that work together."""
        return [
            (name, model)
            for name in self.datasets
            for model in self.models
            if MODELS[model].fits(data.find(name)) is None
        ]

    def count(self) -> int:
        """How many fits there are, references included."""
        return self.count_references() * (1 + len(self.curves))

    def count_references(self) -> int:
        """One for each pair, seed and fold."""
        return len(self.pairs()) * len(self.seeds) * (self.folds or 1)

    def references(self, contents: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """A request for each reference: what its key is made of.

        Parameters
        ----------
        contents : mapping, optional
            The hash of each dataset's samples, as ``data.hash_samples`` gives it; None: they are
            loaded now.
        """
        if contents is None:
            contents = {name: data.hash_samples(name) for name in self.datasets}
        folded = [] if self.folds is None else ["folds"]
        version = stage_version("data", "reference", *folded)
        for name, model in self.pairs():
            for seed, fold in product(self.seeds, self._list_folds()):
                yield {
                    "stage": "reference",
                    "dataset": name,
                    "content": contents[name],
                    "model": model,
                    "seed": seed,
                    "epochs": self.epochs,
                    "version": version,
                    **fold,
                    **self._list_held_seeds(seed),
                }

    def _list_held_seeds(self, seed: int) -> dict[str, int]:
        """The seed of each source that this seed does not choose; nothing where all are its own."""
        return {each: HELD for each in SOURCES if each not in self.vary and seed != HELD}

    def _list_folds(self) -> list[dict[str, int]]:
        """What a request says of each fold; nothing without folds, whose keys stay as they were."""
        if self.folds is None:
            return [{}]
        return [{"fold": fold + 1, "folds": self.folds} for fold in range(self.folds)]

    def curve_requests(self, reference: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A request for each curve of a reference."""
        for curves in self.curves:
            rounded = ["few_bits"] if curves.bits else []
            version = stage_version(curves.family, *rounded)
            where = {"stage": "curve", "reference": dict(reference), "version": version}
            yield {**where, **curves.request()}

    def to_json(self) -> str:
        # Leave defaults out, so that stored studies stay as they are.
        budgets = {} if self.budgets == SHARES else {"budgets": self.budgets}
        return json.dumps(
            {
                "name": self.name,
                "datasets": self.datasets,
                "models": self.models,
                "seeds": self.seeds,
                "epochs": self.epochs,
                "folds": self.folds,
                "vary": self.vary,
                **budgets,
                "curves": [
                    {
                        "family": each.family,
                        "bits": each.bits,
                        "bits_epochs": each.bits_epochs,
                        "name": each.label,
                        **each.settings,
                    }
                    for each in self.curves
                ],
            }
        )


def _check_budgets(budgets: tuple[float, ...]) -> None:
    if not 0 < len(budgets) <= MAX_BUDGETS or len(set(budgets)) < len(budgets):
        raise ArgumentError(f"a study has 1 to {MAX_BUDGETS} budgets, each once")
    for each in budgets:
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0 < each <= 1:
            raise ArgumentError(
                f"{each!r} is no budget: choose shares of the reference's bytes, above 0 and at most 1"
            )


def name_share(share: float) -> str:
    """A share of the bytes as people write it: "1/8", or "30 %" where it is no such part."""
    parts = 1 / share
    return (
        f"1/{parts:.0f}"
        if parts > 1.5 and math.isclose(parts, round(parts))
        else f"{100 * share:g} %"
    )


def seed_of(reference: Mapping[str, Any], source: str) -> int:
    """The seed that one of ``SOURCES`` has in a reference's request."""
    seed: int = reference.get(source, reference["seed"])
    return seed


def read_curve_settings(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a curve's request says of the curve itself, as ``Curves.request`` gives it."""
    return {name: request[name] for name in request.keys() - {"stage", "reference", "version"}}


def read_study(text: str) -> Study:
    """A study from TOML.

    ``name``, ``datasets``, ``models``, ``seeds`` (a list, or how many), optionally ``epochs``,
    ``folds``, ``vary`` and ``budgets``, and a table ``[[curves]]`` each: ``family``, optionally
    ``bits`` and ``bits_epochs``, and the family's settings.

    Raises
    ------
    ArgumentError
        It is no TOML, or says something that no study can have; the message says what would do.
    """
    try:
        return build_study(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"this is no TOML: {error}") from None


def list_stage_versions() -> set[str]:
    """The versions that fits of today's code have in their keys."""
    references = {stage_version("data", "reference", *folds) for folds in ((), ("folds",))}
    rounded: tuple[tuple[str, ...], ...] = ((), ("few_bits",))
    return references | {stage_version(family, *bits) for family in FAMILIES for bits in rounded}


def build_study(fields: Mapping[str, Any]) -> Study:
    """A study from plain values, as TOML or JSON give them; raises ArgumentError."""
    known = ("name", "datasets", "models", "seeds", "curves")
    optional = ("epochs", "folds", "vary", "budgets")
    if unknown := set(fields) - {*known, *optional}:
        raise ArgumentError(
            f"a study has no {', '.join(sorted(unknown))}: it has {', '.join((*known, *optional))}"
        )
    if missing := [each for each in known if each not in fields]:
        raise ArgumentError(f"the study does not say its {', '.join(missing)}")
    seeds = fields["seeds"]
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        seeds = range(seeds) if 0 <= seeds <= MAX_FITS else ()
    texts = {what: _check_texts(what, fields[what]) for what in ("datasets", "models")}
    if not isinstance(fields["name"], str):
        raise ArgumentError("a study's name is a text")
    if not isinstance(seeds, (list, tuple, range)):
        raise ArgumentError("seeds is a list of whole numbers, or how many")
    if not isinstance(budgets := fields.get("budgets", SHARES), (list, tuple)):
        raise ArgumentError("budgets is a list of shares")
    return Study(
        fields["name"],
        texts["datasets"],
        texts["models"],
        tuple(seeds),
        build_curves(fields),
        fields.get("epochs"),
        fields.get("folds"),
        _check_texts("vary", fields.get("vary", SOURCES)),
        tuple(budgets),
    )


def build_curves(fields: Mapping[str, Any]) -> tuple[Curves, ...]:
    """A study's curves alone, which can be read even where its datasets are no longer kept."""
    return tuple(_build_curves(each) for each in _check_tables(fields["curves"]))


def _check_texts(what: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
        raise ArgumentError(f"{what} is a list of names")
    return tuple(values)


def _check_tables(values: Any) -> list[Mapping[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(each, Mapping) for each in values):
        raise ArgumentError("curves is a list of tables: write each under [[curves]]")
    return values


def _build_curves(fields: Mapping[str, Any]) -> Curves:
    reserved = ("family", "bits", "bits_epochs", "name")
    settings = {name: value for name, value in fields.items() if name not in reserved}
    bits = fields.get("bits", [])
    if not isinstance(bits, (list, tuple)) or not all(isinstance(each, int) for each in bits):
        raise ArgumentError("bits is a list of whole numbers")
    if not isinstance(fields.get("name", ""), str):
        raise ArgumentError("a curve's name is a text")
    epochs = fields.get("bits_epochs", 0)
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
        raise ArgumentError("bits_epochs is a whole number, 0 or more")
    return Curves(fields.get("family", ""), settings, tuple(bits), fields.get("name", ""), epochs)
