"""The text model: its encoder beside torch's own, its word pieces, and how far sentences turn."""

import numpy as np
import pytest
import torch
from torch import nn

from compression.graphs.example.sentences import Encoder, cosine_curve, split_words, to_tokens
from compression.graphs.judges import cosine
from compression.graphs.module import read_module
from tests.compression.graphs.conftest import text_model_state

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "is", "he", ",", "?"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


@pytest.fixture
def state():
    return text_model_state(len(WORDS))


def test_word_pieces_are_the_longest_first_without_case_and_accents():
    def pieces(sentence):
        return [WORDS[number] for number in split_words(sentence, NUMBERS)]

    assert pieces("Ünaffable, is hé?") == [
        "[CLS]", "un", "##aff", "##able", ",", "is", "he", "?", "[SEP]",
    ]  # fmt: skip
    assert pieces("unaffordable") == ["[CLS]", "[UNK]", "[SEP]"]
    tokens = to_tokens(["he is unaffable", "he"], NUMBERS)
    assert tokens.tolist() == [[2, 8, 7, 4, 5, 6, 3], [2, 8, 3, 0, 0, 0, 0]]


def test_the_encoder_answers_as_layers_of_torch_with_the_same_weights(state):
    encoder, size = Encoder(state, heads=2), 24
    tokens = torch.tensor([[2, 8, 7, 4, 5, 6, 3], [2, 8, 3, 0, 0, 0, 0]])
    x = state["embeddings.word_embeddings.weight"][tokens]
    x = x + state["embeddings.position_embeddings.weight"][:7]
    x = x + state["embeddings.token_type_embeddings.weight"][0]
    with torch.no_grad():
        x = nn.functional.layer_norm(
            x, (size,), *(state[f"embeddings.LayerNorm.{n}"] for n in ("weight", "bias")), 1e-12
        )
        for place in range(2):
            layer = nn.TransformerEncoderLayer(
                size, 2, 48, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
            ).eval()
            own = f"encoder.layer.{place}."
            named = {}
            for end in ("weight", "bias"):
                parts = [state[f"{own}attention.self.{n}.{end}"] for n in ("query", "key", "value")]
                named[f"self_attn.in_proj_{end}"] = torch.cat(parts)
                for theirs, ours in (
                    ("self_attn.out_proj", "attention.output.dense"),
                    ("linear1", "intermediate.dense"),
                    ("linear2", "output.dense"),
                    ("norm1", "attention.output.LayerNorm"),
                    ("norm2", "output.LayerNorm"),
                ):
                    named[f"{theirs}.{end}"] = state[f"{own}{ours}.{end}"]
            layer.load_state_dict(named)
            x = layer(x, src_key_padding_mask=tokens == 0)
        means = torch.stack([row[seen].mean(0) for row, seen in zip(x, tokens != 0, strict=True)])
        expected = means / means.norm(dim=1, keepdim=True)
        torch.testing.assert_close(encoder(tokens), expected, atol=1e-5, rtol=1e-4)


def test_each_choice_turns_sentences_as_the_module_with_those_ranks(state):
    encoder = Encoder(state, heads=2)
    tokens = to_tokens(["he is unaffable", "he", "is he?"], NUMBERS)
    model = read_module(encoder)
    layer = "encoder.layer.1.output.dense.weight"
    choices = [{layer: 2, "encoder.layer.0.attention.self.query.weight": 3}, {layer: 24}, {}]
    table = cosine_curve(encoder, tokens, choices)
    for line, chosen in zip(table.to_dict("records"), choices, strict=True):
        found = cosine(model.outputs(tokens), model.outputs(tokens, chosen))
        assert line["value"] == pytest.approx(found.mean(), abs=1e-6)
        assert line["low"] <= np.median(found) <= line["high"]
    assert table["value"].iloc[0] < 0.999
    assert table["value"].iloc[1:].tolist() == pytest.approx([1, 1], abs=1e-6)
    begun = cosine_curve(encoder, tokens, choices, lambda done, *_: done < 2)
    assert len(begun) == 2
