"""When to use which: measured once by a protocol, and measured again here where somebody asks."""

from pages.shared.app_shell import begin_page
from pages.shared.ui import blocks, charts
from pages.views.atlas import sections, text
from pages.views.atlas.cell import draw_cell

begin_page("Atlas", text.QUESTION)
charts.begin()
blocks.link_sections(text.SECTIONS)
atlas = sections.load_atlas()
sections.draw_winners(atlas)
share = sections.draw_advice(atlas)
draw_cell(atlas, share)
sections.draw_rule(atlas)
sections.draw_claims(atlas)
sections.draw_protocol(atlas)
charts.take_away("Atlas", "atlas", text.describe_origin(atlas.facts))
