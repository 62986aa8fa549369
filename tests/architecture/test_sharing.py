"""What stands in ``pages/shared`` is used by two pages."""

from collections.abc import Mapping

import pytest

from tests.architecture.test_imports import package, project_imports

NO_PAGE_S = {"pages.shared.monitoring"}  # the server's


def pages_that_use(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Module of ``pages.shared`` -> the pages that import it, through other shared modules too."""
    imported = {
        # A package's name stands for its __init__.
        name: {n for other in names for n in (other, f"{other}.__init__") if n in imports}
        for name, names in imports.items()
    }
    users: dict[str, set[str]] = {name: set() for name in imports if package(name) == "shared"}
    for name in imported:
        if (kind := package(name)) in ("view", "page"):
            page = name.split(".")[2 if kind == "view" else 1]
            reached, ahead = set(), [name]
            while ahead:
                for other in imported[ahead.pop()] - reached:
                    reached.add(other)
                    ahead.append(other)
            for other in reached & users.keys():
                users[other].add(page)
    return users


def test_two_pages_use_what_is_shared():
    users = pages_that_use(project_imports())
    lonely = {name for name, pages in users.items() if len(pages) < 2}
    assert len(users) > 20
    assert lonely == NO_PAGE_S


@pytest.mark.parametrize(
    ("imports", "lonely"),
    [
        ({"pages.a": {"pages.shared.x"}, "pages.shared.x": set()}, {"pages.shared.x"}),
        ({"pages.a": set(), "pages.shared.x": set()}, {"pages.shared.x"}),
        (
            {
                "pages.a": {"pages.shared.x"},
                "pages.views.a.b": {"pages.shared.x"},
                "pages.shared.x.__init__": {"pages.shared.x.y"},
                "pages.shared.x.y": set(),
            },
            {"pages.shared.x.__init__", "pages.shared.x.y"},
        ),
        (
            {
                "pages.a": {"pages.shared.x"},
                "pages.views.b.c": {"pages.shared.x"},
                "pages.shared.x.__init__": {"pages.shared.x.y"},
                "pages.shared.x.y": set(),
            },
            set(),
        ),
    ],
)
def test_a_shared_module_of_one_page_is_noticed(imports, lonely):
    assert {name for name, pages in pages_that_use(imports).items() if len(pages) < 2} == lonely
