"""How low-rank the layers are, and what a rank costs."""

from pages.shared import choices, shell

shell.stand("Low rank", "How low-rank the layers are, and what a rank costs.")
choices.header()
