"""Files from strangers as tables and arrays: bytes in, plain columns out, nothing executed.

Meant for a process of its own, under limits: ``data/reading.py`` starts it.
"""
