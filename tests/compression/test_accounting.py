"""What a network costs, module by module."""

from collections import OrderedDict

from torch import nn

from compression import accounting


def test_the_structure_has_each_module_s_shape_numbers_and_multiplications():
    network = nn.Sequential(
        OrderedDict(
            image=nn.Unflatten(1, (1, 6, 6)),
            conv=nn.Conv2d(1, 3, 3),
            flat=nn.Flatten(),
            fc=nn.Linear(48, 5),
        )
    )
    table = accounting.structure(network).set_index("layer")
    assert list(table["kind"]) == ["Unflatten", "Conv2d", "Flatten", "Linear"]
    assert list(table["output"]) == ["1 × 6 × 6", "3 × 4 × 4", "48", "5"]
    assert list(table["parameters"]) == [0, 3 * 9 + 3, 0, 48 * 5 + 5]
    assert list(table["MACs"]) == [0, 3 * 9 * 16, 0, 48 * 5]
