"""The reference model: its data, how it learned, and what it gets right."""

from pages.shared.app_shell import begin_page
from pages.shared.models import controls
from pages.shared.ui import charts
from pages.views.train.data import draw_data
from pages.views.train.model import draw_model

begin_page("Train", "The reference model: its data, how it learned, and what it gets right.")
charts.begin()
chosen = controls.choose_reference(open=True)
draw_data(chosen)
draw_model(controls.require_reference(chosen))
