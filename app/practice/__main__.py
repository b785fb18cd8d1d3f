"""``python -m app.practice --db FILE --socket FILE``: the paper venue; it ends when its standard input ends."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from app.practice.record import Record
from app.practice.server import Server


def main() -> int:
    """Serve until the trader is gone."""
    parser = argparse.ArgumentParser(prog="python -m app.practice")
    parser.add_argument("--db", required=True, type=Path)
    parser.add_argument("--socket", required=True, type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trader's to handle; it ends us by closing our input
    try:
        record = Record(options.db)
    except (OSError, TimeoutError) as error:
        print(f"paper venue: {error}", file=sys.stderr)
        return 1
    asyncio.run(_serve(record, options.socket))
    return 0


async def _serve(record: Record, socket_path: Path) -> None:
    loop = asyncio.get_running_loop()
    server = Server(record, socket_path)
    loop.add_signal_handler(signal.SIGTERM, server.done.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.ensure_future(reader.read())
    ended.add_done_callback(lambda _: server.done.set())
    await server.run()
    ended.cancel()


if __name__ == "__main__":
    sys.exit(main())
