"""How fast and how good, against peers: one file a question, ``python -m benchmarks`` prints all."""
