"""The real servers of the lab: servers.py NAME PORT...

Listens on every PORT, TCP and UDP, IPv4 and IPv6. Each line, each datagram is
answered with one line: NAME PORT CLIENT_ADDRESS CLIENT_PORT. HTTP clients get the
same line as the body; GET /bytes/N sends N bytes. Prints "ready" when it serves.
"""

import asyncio
import socket
import sys

NAME = sys.argv[1]
PORTS = [int(port) for port in sys.argv[2:]]


def answer(own, peer):
    address = peer[0].removeprefix("::ffff:")
    return f"{NAME} {own[1]} {address} {peer[1]}\n".encode()


async def send_bytes(writer, count):
    block = bytes(16384)
    while count > 0:
        writer.write(block[:count])
        await writer.drain()
        count -= len(block)


async def serve_http(request, reader, writer, line):
    while (await reader.readline()).strip():
        pass
    path = request.split()[1].decode()
    size = int(path.removeprefix("/bytes/")) if path.startswith("/bytes/") else None
    length = len(line) if size is None else size
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n".encode())
    writer.write(b"Connection: close\r\n\r\n")
    if size is None:
        writer.write(line)
    else:
        await send_bytes(writer, size)


async def serve_tcp(reader, writer):
    line = answer(writer.get_extra_info("sockname"), writer.get_extra_info("peername"))
    try:
        while request := await reader.readline():
            if request.startswith(b"GET "):
                await serve_http(request, reader, writer, line)
                break
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.transport.sendto(answer(self.transport.get_extra_info("sockname"), peer), peer)


def dual_stack(kind, port):
    listener = socket.socket(socket.AF_INET6, kind)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listener.setblocking(False)
    listener.bind(("::", port))
    return listener


async def main():
    loop = asyncio.get_running_loop()
    for port in PORTS:
        stream, datagram = dual_stack(socket.SOCK_STREAM, port), dual_stack(socket.SOCK_DGRAM, port)
        await asyncio.start_server(serve_tcp, sock=stream, backlog=1024)
        await loop.create_datagram_endpoint(Datagrams, sock=datagram)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
