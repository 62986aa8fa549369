"""Your data: a table or arrays of one's own, made a dataset like any other."""

from pages.shared.app_shell import begin_page
from pages.shared.ui import charts
from pages.views.your_data.arrays import choose_arrays
from pages.views.your_data.review import draw_review
from pages.views.your_data.roles import choose_roles
from pages.views.your_data.upload import choose_upload, read_upload

begin_page(
    "Your data",
    "Bring a table or arrays, say what is predicted, and compress models of it on every page.",
)
charts.begin()
upload = choose_upload()
facts = read_upload(upload)
if facts is not None:
    choose = choose_roles if facts.kind == "table" else choose_arrays
    choices = choose(upload, facts)
    if choices is not None:
        draw_review(upload, choices)
