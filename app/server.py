"""A running service: bound before anything is loaded, stopped when its owner is done."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.main import create_app
from app.settings import Settings
from app.telemetry import configure_logging
from retrieval.errors import BadInput, MachineFailure

_START_TIMEOUT_S = 120.0


def serve(settings: Settings) -> None:
    """Serve until interrupted.

    Raises BadConfig for an address open to others, BadInput for one that cannot be had.
    """
    with bound(settings) as listener:
        configure_logging()
        _server(settings).run(sockets=[listener])


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """A service on a thread, gone when the block ends. Yields its base URL once it answers.

    Raises what `bound` raises.
    """
    with bound(settings) as listener, answering(settings, listener) as url:
        yield url


@contextmanager
def bound(settings: Settings) -> Iterator[socket.socket]:
    """The address to serve at, taken before anything long begins.

    Raises BadConfig for an address open to others, BadInput for one that cannot be had.
    """
    settings.check_binding()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise BadInput(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror})",
            fix="Choose another address with --host and --port.",
        ) from error
    with listener:
        yield listener


@contextmanager
def answering(settings: Settings, listener: socket.socket) -> Iterator[str]:
    """A service on a thread at an address that is taken already; its base URL."""
    server = _server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _server(settings: Settings) -> uvicorn.Server:
    app = create_app(settings)
    return uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="on")
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise MachineFailure("the service did not start", fix="Its log above says why.")
        time.sleep(0.02)
