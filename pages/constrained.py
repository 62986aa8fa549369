"""What a bound on the weights costs, and which of them it holds."""

from pages.shared import choices, shell

shell.stand("Constrained", "What a bound on the weights costs, and which of them it holds.")
choices.header()
