"""LMM and COC side by side on one trained model: the landing page."""

from pages.shared import choices, shell

shell.stand("Compare")
choices.header()
