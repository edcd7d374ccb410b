"""Calls with grpcio: calls.py ADDRESS [CA]. Over TLS if there is a CA. Ends with an error where an answer is not as expected."""

import concurrent.futures
import queue
import sys

import grpc

address = sys.argv[1]
if len(sys.argv) > 2:
    with open(sys.argv[2], "rb") as ca:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read()))
else:
    channel = grpc.insecure_channel(address)

ECHO = "/lychgate.echo.v1.Echo/"
# The methods take any message: these are bytes.
unary = channel.unary_unary(ECHO + "Unary")
collect = channel.stream_unary(ECHO + "Collect")
repeat = channel.unary_stream(ECHO + "Repeat")
stream = channel.stream_stream(ECHO + "Stream")


def status_of(method, **options):
    try:
        channel.unary_unary(method)(b"x", timeout=20, **options)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


large = b"x" * 1_000_000
assert unary(large, timeout=20) == large
assert collect(iter([b"a", b"b", b"c"]), timeout=20) == b"abc"
assert list(repeat(b"x", timeout=20)) == [b"x"] * 3


arrived = queue.Queue()


def one_after_the_other():
    """The next message leaves when the answer to the last one is here."""
    for number in range(20):
        yield b"%d" % number
        arrived.get(timeout=20)


heard = []
for message in stream(one_after_the_other(), timeout=60):
    heard.append(message)
    arrived.put(message)
assert heard == [b"%d" % number for number in range(20)], heard

# Headers of the rule, and trailers of the backend.
answer, call = unary.with_call(b"x", metadata=[("x-echo-trailers", "true")], timeout=20)
assert dict(call.initial_metadata())["x-by"] == "rule", call.initial_metadata()
assert dict(call.trailing_metadata())["x-echo-trailer"] == "done", call.trailing_metadata()

assert status_of("/lychgate.echo.v1.Dead/Unary") == grpc.StatusCode.UNAVAILABLE
assert status_of("/lychgate.echo.v1.Nowhere/Unary") == grpc.StatusCode.UNIMPLEMENTED
denied = [("x-echo-grpc-status", "7")]
assert status_of(ECHO + "Unary", metadata=denied) == grpc.StatusCode.PERMISSION_DENIED

with concurrent.futures.ThreadPoolExecutor(50) as pool:
    messages = [b"%d" % number for number in range(500)]
    assert list(pool.map(lambda message: unary(message, timeout=60), messages)) == messages
channel.close()
print("all calls were answered as they should be")
