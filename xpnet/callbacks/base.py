"""What a callback is."""

from __future__ import annotations

from typing import Any

from ..fitting import Fit


class Callback:
    """Base class: sees the numbers of a fit on the host, once an epoch.

    A subclass overrides the events that it needs. They are called between epochs (and, of a stream,
    between buffers), when the losses have been read back anyway: a callback costs no wait for the
    device, unless it reads ``fit.state.params``. Of several ranks, the first alone calls them.

    Examples
    --------
    >>> from xpnet import Callback
    >>> class Shout(Callback):
    ...     def on_epoch_end(self, fit):
    ...         if fit.history.losses[-1] < 0.1:
    ...             fit.stop("the loss is below 0.1")
    """

    last: bool = False
    """Whether it is called after all others: it then sees what they decided."""

    steers: bool = True
    """Whether it may change the training. Checkpoints compare such callbacks alone: others, such
    as a progress bar, may come and go between a run and its resumption."""

    alone: bool = False
    """Whether it belongs to a fit of its own: it cannot be one of many that are fitted at once."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name):
                events = [event for event in vars(Callback) if event.startswith("on_")]
                raise TypeError(f"{cls.__name__}.{name} is no event; {', '.join(events)} are.")

    def on_fit_begin(self, fit: Fit) -> None:
        """Forget earlier fits, and say what is wrong before any work is done."""

    def on_epoch_begin(self, fit: Fit) -> None:
        """Prepare an epoch: set ``fit.learning_rate``, for instance."""

    def on_buffer_end(self, fit: Fit) -> None:
        """Look at ``fit.state`` in the midst of an epoch: a buffer of a `Stream` was trained on.

        Not called after an epoch's last buffer, where `on_epoch_end` is.
        """

    def on_epoch_end(self, fit: Fit) -> None:
        """Look at ``fit.history`` and ``fit.state``; call ``fit.stop(reason)``, for instance."""

    def on_fit_end(self, fit: Fit) -> None:
        """Clean up; called too where the fit failed or was interrupted."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold: numbers, texts, host arrays."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; called after `on_fit_begin`."""

    def __repr__(self) -> str:
        options = ", ".join(
            f"{k}={v!r}" for k, v in vars(self).items() if k[0] != "_" and k[-1] != "_"
        )
        return f"{type(self).__name__}({options})"
