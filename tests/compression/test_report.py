from compression.report import order_far_apart_first


def test_rows_far_apart_come_first_and_each_once():
    order = order_far_apart_first(21)
    assert order[:3] == [0, 8, 16]
    assert sorted(order) == list(range(21))
    assert order_far_apart_first(0) == []
