"""One tab's talk with the server, in Streamlit's own protocol and without a browser.

25 browsers would take both cores for themselves; what a server can answer is asked like this.
"""

import contextlib
import time

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

PATIENCE = 300  # seconds for one answer
DRAWN = {ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY}
Answer = tuple[tuple[str, str], ...]


class Visitor:
    """Somebody who follows a link and moves its sliders.

    Parameters
    ----------
    address : str
        Of the server, ``http://...``.
    query : str
        Of the link: ``dataset=digits&model=mlp``.
    page : str
        Its path; empty: the first page.
    """

    def __init__(self, address: str, query: str, page: str = "") -> None:
        self._query = query
        self._page = page
        self._shown: list[Delta] = []
        self._sliders: dict[str, Delta] = {}
        self._places: dict[str, str] = {}  # of the sliders, by their keys
        self._socket = connect(
            f"{address.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
        )

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """As a tab that is closed, whatever goes on."""
        self._socket.close()

    def open(self) -> bool:
        """Ask for the whole page; whether all of it is there, with nothing that still goes on."""
        self._shown, goes_on = self._ask()
        for delta in self._shown:
            if delta.new_element.WhichOneof("type") == "slider":
                key = delta.new_element.slider.id.rsplit("-", 1)[1]
                self._sliders[key] = delta
        return not goes_on

    def has_seen(self, kind: str, text: str) -> bool:
        """Whether the page had a "progress" or "markdown" element with this text."""
        elements = (d.new_element for d in self._shown if d.new_element.WhichOneof("type") == kind)
        return any(
            text in (element.progress.text if kind == "progress" else element.markdown.body)
            for element in elements
        )

    def wait(self, pause: float = 1.0) -> None:
        """Ask again until all is there.

        Raises
        ------
        TimeoutError
            It is not after ``PATIENCE`` seconds.
        """
        end = time.monotonic() + PATIENCE
        while not self.open():
            if time.monotonic() > end:
                raise TimeoutError(f"{self._query} is not drawn after {PATIENCE} s")
            time.sleep(pause)

    def list_options(self, key: str) -> list[str]:
        """The places of a slider, as it shows them."""
        return list(self._sliders[key].new_element.slider.options)

    def move(self, key: str, place: str) -> tuple[float, Answer]:
        """Seconds until a moved slider is answered in full, and the numbers that came."""
        self._places[key] = place
        begin = time.monotonic()
        deltas, _ = self._ask(self._sliders[key].fragment_id)
        taken = time.monotonic() - begin
        metrics = [
            delta.new_element.metric
            for delta in deltas
            if delta.new_element.WhichOneof("type") == "metric"
        ]
        return taken, tuple((metric.label, metric.body) for metric in metrics)

    def clear_caches(self) -> None:
        """As a browser's developer menu does: of all visitors, without an answer."""
        message = BackMsg()
        message.clear_cache = True
        self._socket.send(message.SerializeToString())

    def _send(self, fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = self._page
        message.rerun_script.fragment_id = fragment
        for key, place in self._places.items():
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self._sliders[key].new_element.slider.id
            state.string_array_value.data.append(place)
        self._socket.send(message.SerializeToString())

    def _ask(self, fragment: str = "") -> tuple[list[Delta], bool]:
        """What the server draws in answer, and whether it says that it will draw again."""
        with contextlib.suppress(TimeoutError):  # what it drew by itself after the answer before
            while True:
                self._socket.recv(timeout=0)
        self._send(fragment)
        deltas, goes_on = [], False
        end = time.monotonic() + PATIENCE
        while True:
            said = self._socket.recv(timeout=end - time.monotonic())
            message = ForwardMsg.FromString(said)  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if kind == "delta":
                deltas.append(message.delta)
            goes_on = goes_on or kind == "auto_rerun"
            if kind == "script_finished" and message.script_finished in DRAWN:
                return deltas, goes_on
