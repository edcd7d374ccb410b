"""A registry of everything that package managers ask for, over TLS, and a DNS that leads there.

registry.py FOLDER CERT KEY: prints the ports of both when they are open. Serves the folder as it is.
"""

import http.server
import socket
import ssl
import struct
import sys
import threading


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass


def answer(question: bytes) -> bytes:
    """127.0.0.1 for every name that ends in .test, and NXDOMAIN for all else."""
    end, labels = 12, []
    while question[end]:
        labels.append(question[end + 1 : end + 1 + question[end]])
        end += 1 + question[end]
    asked = question[12 : end + 5]
    (kind,) = struct.unpack("!H", question[end + 1 : end + 3])
    is_known = bool(labels) and labels[-1].lower() == b"test"
    has = is_known and kind == 1
    flags = 0x8180 if is_known else 0x8183
    head = question[:2] + struct.pack("!HHHHH", flags, 1, int(has), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([127, 0, 0, 1])
    return head + asked + (record if has else b"")


def names(sock: socket.socket) -> None:
    while True:
        question, client = sock.recvfrom(4096)
        try:
            sock.sendto(answer(question), client)
        except IndexError:
            pass


def main() -> None:
    folder, cert, key = sys.argv[1:]
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("127.0.0.1", 0))
    threading.Thread(target=names, args=[dns], daemon=True).start()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    handler = lambda *arguments: Quiet(*arguments, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("ready", server.server_port, dns.getsockname()[1], flush=True)
    server.serve_forever()


main()
