"""What the commands take, and what becomes of their errors."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ..errors import CompressionError

FINE, FAILED, WRONG = 0, 1, 2
"""Exit codes: all went well; the gate says no, no smaller file loses that little, or fits of a study
failed; a wrong use or a file that cannot be read. A study that was paused ends with 3."""

DATA_HELP = (
    "table (.parquet, .csv) or arrays (.npz with x and y) that the model reads as they are: "
    "encoded and scaled as in training"
)


def main(argv: Sequence[str]) -> int:
    """Run a command; its exit code. Results go to stdout, progress and errors to stderr."""
    try:
        arguments = _build_parser().parse_args(argv)
        command = import_module(f".{arguments.command}", __package__)
        return int(command.run(arguments))
    except SystemExit as left:  # argparse has said why, or has helped
        return int(left.code or 0)
    except CompressionError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
    return WRONG


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m compression",
        description="See why a model's layers can or cannot shrink, and make it smaller.",
        epilog="Exit codes: 0 fine, 1 the gate or fits of a study failed, or no smaller file loses that "
        "little, 2 wrong use or a file that cannot be read, 3 the study was paused.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_spectrum(commands)
    _add_compress(commands)
    _add_compare(commands)
    _add_gate(commands)
    _add_study(commands)
    return parser


def _add_command(
    commands: argparse._SubParsersAction, name: str, help: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="an ONNX graph (with its .data), a safetensors file, a state dict (.pt), or a LoRA "
        "adapter with its adapter_config.json",
    )


def _add_spectrum(commands: argparse._SubParsersAction) -> None:
    help = "Which ranks does each layer need, and which layers cannot be compressed?"
    _add_files(_add_command(commands, "spectrum", help))


def _add_compress(commands: argparse._SubParsersAction) -> None:
    help = "Write the same model, or adapter, with smaller layers."
    parser = _add_command(commands, "compress", help)
    _add_files(parser)
    knob = parser.add_mutually_exclusive_group(required=True)
    knob.add_argument(
        "--share", type=_read_share, help="share of the parameters to keep, e.g. 0.25"
    )
    knob.add_argument(
        "--energy", type=_read_share, help="share of its energy that each layer keeps, e.g. 0.95"
    )
    knob.add_argument(
        "--ranks",
        nargs="+",
        type=_read_layer_rank,
        metavar="LAYER=K",
        help="ranks of single layers",
    )
    knob.add_argument(
        "--lose-at-most", type=_read_points, metavar="POINTS",
        help="the smallest file, over both methods' ranks and bounds with a refit in 32, 8 and 4 "
        "bits, that loses at most so much on some rows of --data; other rows report. Exit code 1: "
        "there is none",
    )  # fmt: skip
    parser.add_argument(
        "--method", choices=("truncated_svd", "activation_aware_svd"),
        help="activation_aware_svd keeps what the layers of an ONNX graph give on --data; energies "
        "are then those of their outputs (default: truncated_svd; of --lose-at-most all)",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="FILE", help=f"calibration rows: {DATA_HELP}")
    _add_data_columns(parser)
    _add_task(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("compressed"), metavar="FOLDER",
        help="where the files go, under their own names (default: compressed)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def _add_compare(commands: argparse._SubParsersAction) -> None:
    help = "How far are two models apart, on data or on random inputs?"
    parser = _add_command(commands, "compare", help)
    _add_pair(parser)
    parser.add_argument("data", type=Path, nargs="?", help=f"{DATA_HELP}; without: random inputs")
    _add_columns(parser)


def _add_gate(commands: argparse._SubParsersAction) -> None:
    help = "May the second model take the first one's place? Exit code 0: yes, 1: no."
    parser = _add_command(commands, "gate", help)
    _add_pair(parser)
    parser.add_argument("data", type=Path, help=DATA_HELP)
    _add_columns(parser)
    parser.add_argument(
        "--lose-at-most", type=_read_points, default=1.0, metavar="POINTS",
        help="of accuracy, in percentage points, or hundredths of R² (default: 1)",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE", help="write an HTML report")


def _add_study(commands: argparse._SubParsersAction) -> None:
    help = "Compute many fits of one TOML file, and keep them."
    parser = commands.add_parser("study", help=help, description=help)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help in (
        ("run", "Compute what is not there yet; Ctrl-C pauses."),
        ("resume", "Go on with a study: the same as run, by its name too."),
        ("status", "What is done, and why what failed did; of one study, or all."),
        ("export", "Its rows as a Parquet file, a report as HTML, to MLflow or to Optuna."),
    ):
        action = _add_command(actions, name, help)
        action.add_argument(
            "study", metavar="FILE.toml", nargs="?" if name == "status" else None,
            help="the study" if name == "run" else "the study, or the name of a kept one",
        )  # fmt: skip
        action.add_argument(
            "--store", metavar="URL",
            help="sqlite:///FILE or postgresql+psycopg://... (default: the app's own)",
        )  # fmt: skip
        if name in ("run", "resume"):
            _add_workers(action)
        if name == "export":
            action.add_argument("--parquet", type=Path, metavar="FILE")
            action.add_argument("--report", type=Path, metavar="FILE", help="HTML to send")
            action.add_argument("--mlflow", metavar="URI", help="e.g. sqlite:///mlflow.db")
            action.add_argument("--optuna", metavar="URL", help="e.g. sqlite:///optuna.db")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=_count, metavar="N", help="fits at a time (default: cores less one)"
    )
    parser.add_argument(
        "--dask", nargs="?", const="", metavar="ADDRESS",
        help="compute on a Dask cluster (default address: DASK_SCHEDULER_ADDRESS)",
    )  # fmt: skip
    parser.add_argument("--retry-failed", action="store_true", help="try failed fits again")


def _add_pair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", type=Path, help="an ONNX graph, or a file of compression.save")
    parser.add_argument("after", type=Path, help="the same, made smaller")


def _add_columns(parser: argparse.ArgumentParser) -> None:
    _add_data_columns(parser)
    _add_task(parser)
    parser.add_argument(
        "--confidence", type=_read_confidence, default=95.0, metavar="PERCENT",
        help="of the interval of the change (default: 95)",
    )  # fmt: skip


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task", choices=("auto", "classification", "regression"), default="auto",
        help="auto: numbers where the target has fractions, or the model answers one number a row "
        "that is no probability",
    )  # fmt: skip


def _add_data_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", help="the column or array with the classes or numbers (default: y, target, label or class)")  # fmt: skip
    parser.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns to leave out")  # fmt: skip


def _read_share(text: str) -> float:
    value = _read_number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: choose above 0, up to 1")
    return value


def _read_points(text: str) -> float:
    value = _read_number(text)
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not possible: choose 0 to below 100 points")
    return value


def _read_confidence(text: str) -> float:
    value = _read_number(text)
    if not 50 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not possible: choose 50 to below 100 percent")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not possible: choose 1 or more")
    return int(text)


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _read_layer_rank(text: str) -> tuple[str, int]:
    layer, _, rank = text.rpartition("=")
    if not layer or not rank.isascii() or not rank.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form layer=rank, e.g. fc1=8")
    return layer, int(rank)
