"""Mozilla's Marionette protocol, as far as it takes to run a script inside a program: length-prefixed JSON over TCP.

Every call has an end: a program that does not answer in time has failed.
"""

import json
import socket
from typing import Any


class MarionetteError(Exception):
    """The program refused, threw, or fell silent; the text is its own."""


class Marionette:
    """One session, in the context that may do everything (`chrome`)."""

    def __init__(self, port: int, *, script_seconds: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=script_seconds + 30)
        self._stream = self._socket.makefile("rwb")
        self._last = 0
        self._receive()  # who it is
        timeouts = {"script": int(script_seconds * 1000)}
        self._call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": timeouts}}})
        self._call("Marionette:SetContext", {"value": "chrome"})

    def run(self, script: str, *arguments: object) -> Any:
        """The value that the script hands to the function which is its last argument."""
        parameters = {"script": script, "args": arguments, "newSandbox": True}
        return self._call("WebDriver:ExecuteAsyncScript", parameters)["value"]

    def quit(self) -> None:
        """The program ends as if its user had chosen Quit."""
        self._call("Marionette:Quit", {"flags": ["eForceQuit"]})
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _call(self, command: str, parameters: object) -> Any:
        self._last += 1
        message = json.dumps([0, self._last, command, parameters]).encode()
        self._stream.write(b"%d:%s" % (len(message), message))
        self._stream.flush()
        _, _, error, result = self._receive()
        if error is not None:
            raise MarionetteError(f"{command}: {error.get('error')}: {error.get('message')}")
        return result

    def _receive(self) -> Any:
        length = b""
        while (octet := self._stream.read(1)) != b":":
            if not octet:
                raise MarionetteError("the program has closed the connection")
            length += octet
        return json.loads(self._stream.read(int(length)))
