"""MiniLM-L6 as a torch module: sentences to vectors, from the weights of its optional package.

The architecture is BERT's (Devlin et al. 2019, arXiv 1810.04805), the vector the mean over tokens,
of length 1; names are those in its file. None of the package's own code is run.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ...report import Report, keep_going
from ..judges import cosine
from ..module import read_module

HEADS = 12
_PADDING, _UNKNOWN, _FIRST, _LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

SENTENCES = (
    "The cat sits outside.",
    "The dog plays in the garden.",
    "A man is playing the guitar.",
    "A woman watches television.",
    "The new film is awesome.",
    "The new film is so great.",
    "Interest rates were raised by a quarter of a point.",
    "The central bank left its rate unchanged.",
    "Water boils at a lower temperature on high mountains.",
    "How do I reset my password?",
    "I cannot log in to my account any more.",
    "The train to the airport leaves every ten minutes.",
    "Two goals in the last minutes decided the match.",
    "Her doctor advised her to sleep more and to drink less coffee.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "A matrix of low rank is a product of two thin ones.",
    "Neural networks are often larger than their task demands.",
    "Please find the invoice for last month attached.",
    "The parcel was delivered to the wrong address.",
    "He baked bread with flour, yeast, salt and water.",
    "Boil the pasta for nine minutes and keep some of its water.",
    "The court dismissed the appeal for lack of evidence.",
    "Tenants must give notice three months in advance.",
    "The telescope saw a galaxy that formed soon after the big bang.",
    "It rained all night, and the river left its banks.",
    "Solar panels on the roof supply half of our electricity.",
    "My phone's battery lasts for less than a day.",
    "The screen stays black after the update.",
    "She learned to swim when she was forty.",
    "Children under six travel free of charge.",
    "The museum is closed on Mondays.",
    "Where can I buy a ticket for the night bus?",
)


class Encoder(nn.Module):
    """Token numbers (rows, length), 0 for padding, to vectors (rows, size) of length 1.

    Parameters
    ----------
    state : mapping of str to tensor
        As the file holds it; sizes are read off it.
    heads : int
    """

    def __init__(self, state: Mapping[str, torch.Tensor], heads: int = HEADS) -> None:
        super().__init__()
        numbers = {name: value for name, value in state.items() if value.is_floating_point()}
        for name in numbers:
            _place(self, name.rpartition(".")[0], numbers)
        self.layers = len({name.split(".")[2] for name in numbers if name.startswith("encoder.")})
        self.heads = heads
        self.load_state_dict(numbers)
        self.eval()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        seen = tokens != 0
        embeddings = self.get_submodule("embeddings")
        x = embeddings.get_submodule("word_embeddings")(tokens)
        x = x + embeddings.get_parameter("position_embeddings.weight")[: tokens.shape[1]]
        x = x + embeddings.get_parameter("token_type_embeddings.weight")[0]
        x = embeddings.get_submodule("LayerNorm")(x)
        for place in range(self.layers):
            x = self._layer(self.get_submodule(f"encoder.layer.{place}"), x, seen)
        mean = (x * seen[..., None]).sum(dim=1) / seen.sum(dim=1, keepdim=True)
        return functional.normalize(mean, dim=1)

    def _layer(self, layer: nn.Module, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        def heads(name: str) -> torch.Tensor:
            projected = layer.get_submodule(f"attention.self.{name}")(x)
            return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        attended = functional.scaled_dot_product_attention(
            heads("query"), heads("key"), heads("value"), attn_mask=seen[:, None, None, :]
        )
        attended = attended.transpose(1, 2).flatten(2)
        attended = layer.get_submodule("attention.output.dense")(attended)
        x = layer.get_submodule("attention.output.LayerNorm")(x + attended)
        inner = functional.gelu(layer.get_submodule("intermediate.dense")(x))
        inner = layer.get_submodule("output.dense")(inner)
        return layer.get_submodule("output.LayerNorm")(x + inner)


def _place(root: nn.Module, path: str, state: Mapping[str, torch.Tensor]) -> None:
    """Put the module that holds the tensors below a path into the tree, once."""
    holder, parts = root, path.split(".")
    for part in parts[:-1]:
        if part not in dict(holder.named_children()):
            holder.add_module(part, nn.Module())
        holder = holder.get_submodule(part)
    if parts[-1] in dict(holder.named_children()):
        return
    shape = state[f"{path}.weight"].shape
    made: nn.Module
    if parts[-1] == "LayerNorm":
        made = nn.LayerNorm(shape, eps=1e-12)
    elif parts[-1].endswith("embeddings"):
        made = nn.Embedding(*shape)
    else:
        made = nn.Linear(shape[1], shape[0])
    holder.add_module(parts[-1], made)


def read_encoder(weights: Path) -> Encoder:
    """The encoder of a ``model.safetensors``."""
    from safetensors.torch import load_file

    return Encoder(load_file(weights))


def read_words(weights: Path) -> dict[str, int]:
    """Word piece -> its number, from the ``vocab.txt`` beside the weights."""
    lines = weights.with_name("vocab.txt").read_text(encoding="utf-8").splitlines()
    return {word: number for number, word in enumerate(lines)}


def split_words(sentence: str, words: Mapping[str, int]) -> list[int]:
    """The numbers of a sentence's pieces: lower case, no accents, the longest piece first."""
    plain = unicodedata.normalize("NFD", sentence.lower())
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
    spaced = "".join(
        f" {letter} " if unicodedata.category(letter)[0] in "PS" else letter for letter in plain
    )
    numbers = [words[_FIRST]]
    for word in spaced.split():
        numbers += _split_word(word, words)
    return [*numbers, words[_LAST]]


def _split_word(word: str, words: Mapping[str, int]) -> list[int]:
    pieces, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        names = (("##" if start else "") + word[start:end] for end in ends)
        end, name = next(((e, n) for e, n in zip(ends, names, strict=True) if n in words), (0, ""))
        if not name:
            return [words[_UNKNOWN]]
        pieces.append(words[name])
        start = end
    return pieces


def to_tokens(sentences: Sequence[str], words: Mapping[str, int]) -> NDArray[np.int64]:
    """Sentences as one array, filled up with padding."""
    split = [split_words(sentence, words) for sentence in sentences]
    tokens = np.full((len(split), max(map(len, split))), words[_PADDING])
    for row, numbers in zip(tokens, split, strict=True):
        row[: len(numbers)] = numbers
    return tokens


def cosine_curve(
    encoder: Encoder,
    tokens: NDArray[np.int64],
    ranks: Sequence[Mapping[str, int]],
    report: Report = keep_going,
) -> pd.DataFrame:
    """How far sentences turn at each choice of ranks, one SVD a layer.

    Returns
    -------
    DataFrame
        A row a choice: value (mean cosine of a sentence's vector and its own before), low, high
        (quartiles over the sentences).
    """
    model = read_module(encoder)
    before = model.outputs(tokens)
    layers = {layer for chosen in ranks for layer in chosen}
    whole = {layer: model.factors(layer, model.weight(layer).max_rank) for layer in layers}
    rows = []
    for place, chosen in enumerate(ranks):
        matrices = {
            layer: whole[layer].left[:, :rank] @ whole[layer].right[:rank]
            for layer, rank in chosen.items()
        }
        with model.substitute(matrices):
            cosines = cosine(before, model.outputs(tokens))
        low, high = np.quantile(cosines, [0.25, 0.75])
        rows.append({"value": cosines.mean(), "low": low, "high": high})
        if not report(place + 1, len(ranks), lambda: pd.DataFrame(rows)):
            break
    return pd.DataFrame(rows)
