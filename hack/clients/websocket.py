"""A WebSocket with the library `websockets`: websocket.py URL. Ends with an error where an answer is not as expected."""

import asyncio
import sys

import websockets


async def talk(url):
    async with websockets.connect(url, max_size=None) as socket:
        for message in ["hello", "", "ä" * 1000, b"\0\xff", b"x" * 1_000_000]:
            await socket.send(message)
            assert await socket.recv() == message
        await asyncio.wait_for(await socket.ping(), 20)
    assert socket.close_code == 1000, socket.close_code


asyncio.run(talk(sys.argv[1]))
print("all messages came back")
