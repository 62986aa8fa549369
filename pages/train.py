"""The reference model: its data, how it learned, and what it gets right."""

from pages.shared import choices, shell

shell.stand("Train", "The reference model: its data, how it learned, and what it gets right.")
choices.header()
