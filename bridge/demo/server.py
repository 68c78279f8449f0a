"""The child process of `popbridge demo`: pymap's IMAP server with the sample mail in memory, on loopback.

It prints "ready PORT" once it takes connections, and ends when its standard input does: so it never outlives the
bridge, however that ended.
"""

import asyncio
import os
import signal
import sys
from argparse import Namespace

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage

from bridge.demo.mail import sample_mail
from bridge.demo.process import PASSWORD, USER

_ARGUMENTS = Namespace(
    host="127.0.0.1",
    port=0,
    tls=False,
    cert=None,
    key=None,
    debug=False,
    proxy_protocol=None,
    passlib_cfg=None,
    demo_data=False,
    demo_user=USER,
    demo_password=PASSWORD,
)


async def serve() -> None:
    backend, config = await DictBackend.init(_ARGUMENTS, reject_dnsbl=False)
    config.apply_context()
    await _fill(backend)
    imap = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
    server = await asyncio.start_server(imap, host=config.host, port=config.port)
    async with server:
        sys.stdout.write(f"ready {server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await _input_ended()


async def _fill(backend: DictBackend) -> None:
    async with backend.login.demo_user_identity.new_session() as session:
        await session.create_mailbox("Trash")
        await session.append_messages(
            "INBOX", [AppendMessage(message.octets, message.received) for message in sample_mail()]
        )


async def _input_ended() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


if __name__ == "__main__":
    os.environ["FQDN"] = "localhost"  # pymap's greeting would ask a name server for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes: the bridge ends first, then this
    asyncio.run(serve())
