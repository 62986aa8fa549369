"""What a task calls on its way.

``report(done, total, partial, message) -> go on``: cheap enough for an inner loop. ``partial`` is
what there is so far, or a callable that makes it when it is sent. A task stops when it gets False.
"""

from collections.abc import Callable

Report = Callable[..., bool]
