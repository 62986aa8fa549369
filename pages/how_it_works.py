"""Both methods in small live pictures, what is measured, and what was found."""

from pages.shared.app_shell import begin_page
from pages.shared.ui import blocks, charts
from pages.views.how_it_works import sections, text

begin_page("How it works", "Two ways to make a trained model smaller, in small live pictures.")
charts.begin()
blocks.link_sections(text.SECTIONS)
sections.draw_methods()
sections.draw_measures()
sections.draw_article()
sections.draw_glossary()
