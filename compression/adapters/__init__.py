"""LoRA and other low-rank adapters: what their layers hold, and the same file at smaller ranks."""
