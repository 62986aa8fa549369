"""Many fits, kept for good: define a study, run it, see its table.

    study = studies.read_study(text_of_toml)
    studies.run(study, store="sqlite:///studies.db")
    studies.table("sqlite:///studies.db", study.name)

The one part of the package that loads datasets by itself.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
