"""Train the example of the page *Your model* and export it: ``python -m benchmarks.example_model``.

It learns from the rows that ``data.load("digits", seed=0)`` learns from and from no other, so that
its score on that dataset is one on rows that it has not seen. Pixels are divided by 16, images are
(rows, 1, 8, 8). Not a measurement: the file is written where the page looks for it.
"""

import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

import compression.graphs.example
import data

PATH = Path(compression.graphs.example.__file__).with_name(compression.graphs.example.NAME)


class Digits(nn.Module):
    """Every kind of layer that a table of layers has something to say about."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.deep = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.wide = nn.Linear(512, 64)
        self.middle = nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(image))
        x = torch.relu(x + self.grouped(x))
        x = torch.relu(self.deep(x)).flatten(1)
        x = torch.relu(self.wide(x))
        return self.head(torch.relu(self.middle(x)))


def train() -> nn.Module:
    torch.manual_seed(0)
    digits = data.load("digits", seed=0)
    pixels = digits.x_train[digits.fit_rows] * digits.scale + digits.mean
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8)
    labels = torch.tensor(digits.y_train[digits.fit_rows])
    network = Digits()
    # Decay pulls small singular values down, as in most networks that people bring.
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.3)
    for _ in range(60):
        for part in torch.randperm(len(images)).split(64):
            loss = nn.functional.cross_entropy(network(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def export() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            train(),
            (torch.zeros(2, 1, 8, 8),),
            PATH,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "rows"}, "logits": {0: "rows"}},
            dynamo=False,
        )
    model = onnx.load(PATH)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, PATH)


if __name__ == "__main__":
    export()
