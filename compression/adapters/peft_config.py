"""The ``adapter_config.json`` beside a PEFT adapter: which rank and alpha each layer has."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from ..errors import StorageError

LARGEST_CONFIG = 10_000_000  # bytes
MOST_PATTERNS = 20_000
MOST_EXPRESSIONS = 200  # patterns that are more than a path or its end
# Their initial values depend on the rank: another rank would change the base model too.
_CHANGES_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
# Their updates are more than the scaled product of two matrices.
_OTHER_PRODUCTS = ("use_qalora", "use_bdlora", "kasa_config", "monteclora_config")


@dataclass(frozen=True)
class PeftConfig:
    """The config's settings that determine the size of each layer's update.

    Attributes
    ----------
    content : dict
        The whole file.
    rank, alpha : int, float
        Of the layers that no pattern names.
    ranks, alphas
        Those of the layers that a pattern names. A pattern is a layer's path or its end, or a regular expression; the
        first that fits a path counts.
    rank_stabilised : bool
        Whether an update is scaled by alpha / √r, and not by alpha / r.
    """

    content: dict[str, Any]
    rank: int
    alpha: float
    ranks: "_Patterns"
    alphas: "_Patterns"
    rank_stabilised: bool

    def find(self, path: str) -> tuple[int, float]:
        """Rank and alpha of the layer at a path of the base model."""
        return self.ranks.find(path, self.rank), self.alphas.find(path, self.alpha)

    def scale(self, rank: int, alpha: float) -> float:
        """What the product of a layer's two matrices is multiplied by."""
        return alpha / (sqrt(rank) if self.rank_stabilised else rank)

    def alpha_at(self, rank: int, scale: float) -> float:
        """The alpha that gives this scale at this rank."""
        alpha = scale * (sqrt(rank) if self.rank_stabilised else rank)
        return int(alpha) if alpha == int(alpha) else alpha

    def resize(self, wanted: Mapping[str, tuple[int, float]]) -> bytes:
        """The config with path -> (rank, alpha); everything else in it stays.

        Raises
        ------
        StorageError
            Two paths cannot be told apart by patterns.
        """
        (rank, alpha), _ = Counter(wanted.values()).most_common(1)[0]
        # Put longer paths first: a path also matches all paths that end with it.
        paths = sorted(wanted, key=lambda path: (-len(path), path))
        ranks = _build_patterns(paths, {path: pair[0] for path, pair in wanted.items()}, rank)
        alphas = _build_patterns(paths, {path: pair[1] for path, pair in wanted.items()}, alpha)
        content = self.content | {
            "r": rank,
            "lora_alpha": alpha,
            "rank_pattern": ranks,
            "alpha_pattern": alphas,
        }
        written = json.dumps(content, indent=2).encode()
        again = read_config(written)
        for path, pair in wanted.items():
            if again.find(path) != pair:
                raise StorageError(
                    f"layer {path[:200]!r} cannot be told apart from another in the config"
                )
        return written


def _build_patterns(paths: list[str], values: Mapping[str, Any], usual: Any) -> dict[str, Any]:
    """A pattern for every path whose value is not the usual one, or that a pattern would catch."""
    unusual = {path for path in paths if values[path] != usual}
    return {
        path: values[path]
        for path in paths
        if path in unusual or any(end in unusual for end in _list_ends(path))
    }


def _list_ends(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[start:]) for start in range(1, len(parts))]


class _Patterns:
    """Finds the first pattern that fits a path, in time that grows with the path alone."""

    def __init__(self, table: Mapping[str, Any]):
        self._values = list(table.values())
        self._literal = {key: at for at, key in enumerate(table) if _is_literal(key)}
        self._expressions = [
            (at, re.compile(rf"(.*\.)?({key})$"))
            for at, key in enumerate(table)
            if key not in self._literal
        ]

    def find(self, path: str, otherwise: Any) -> Any:
        places = [self._literal[end] for end in (path, *_list_ends(path)) if end in self._literal]
        places += [at for at, expression in self._expressions if expression.match(path)]
        return self._values[min(places)] if places else otherwise


def _is_literal(pattern: str) -> bool:
    return re.fullmatch(r"[\w.-]+", pattern) is not None


def read_config(content: bytes) -> PeftConfig:
    """The config in a file's content.

    Raises
    ------
    StorageError
        It is no config of a LoRA adapter, says something impossible, or belongs to an adapter
        whose base model depends on the rank.
    """
    if len(content) > LARGEST_CONFIG:
        raise StorageError(f"adapter_config.json is longer than {LARGEST_CONFIG:,} bytes")
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise StorageError("adapter_config.json is not a JSON object: take another copy")
    if config.get("peft_type", "LORA") != "LORA":
        raise StorageError(
            f"this adapter is of the type {str(config['peft_type'])[:40]!r}: only LORA is read"
        )
    start = str(config.get("init_lora_weights")).lower()
    if start.startswith(_CHANGES_THE_BASE):
        raise StorageError(
            f"this adapter began as {start[:40]}, which changes the base model by its rank: save "
            "it as a plain LoRA first (path_initial_model_for_weight_conversion)"
        )
    if others := [key for key in _OTHER_PRODUCTS if config.get(key)]:
        raise StorageError(f"this adapter uses {others[0]}: only plain products B A are read")
    return PeftConfig(
        content=config,
        rank=_check_rank(config.get("r"), "r"),
        alpha=_check_alpha(config.get("lora_alpha"), "lora_alpha"),
        ranks=_Patterns(
            {
                key: _check_rank(value, key)
                for key, value in _read_table(config, "rank_pattern").items()
            }
        ),
        alphas=_Patterns(
            {
                key: _check_alpha(value, key)
                for key, value in _read_table(config, "alpha_pattern").items()
            }
        ),
        rank_stabilised=config.get("use_rslora") is True,
    )


def _check_rank(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise StorageError(f"adapter_config.json: {name[:80]} is no rank of 1 or more")
    return value


def _check_alpha(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e30:
        raise StorageError(f"adapter_config.json: {name[:80]} is no number")
    return value


def _read_table(config: dict[str, Any], name: str) -> dict[str, Any]:
    table = config.get(name) or {}
    if not isinstance(table, dict) or len(table) > MOST_PATTERNS:
        raise StorageError(f"adapter_config.json: {name} is no table of layers")
    expressions = [pattern for pattern in table if not _is_literal(pattern)]
    for pattern in expressions:
        if len(expressions) > MOST_EXPRESSIONS or not _is_simple(pattern):
            raise StorageError(
                f"adapter_config.json: the pattern {pattern[:60]!r} is too involved to be followed: "
                "name the layers themselves"
            )
    return table


def _is_simple(pattern: str) -> bool:
    """Whether a stranger's expression ends soon: few repetitions, none of them nested."""
    if len(pattern) > 200 or len(re.findall(r"[*+?{]", pattern)) > 3:
        return False
    if re.search(r"\)[*+?{]", pattern):
        return False
    try:
        re.compile(rf"(.*\.)?({pattern})$")
    except (re.error, RecursionError, OverflowError):
        return False
    return True
