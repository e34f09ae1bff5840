import socket
import subprocess
from collections.abc import Iterator

import pytest

from components.embedding_trainer import messages
from components.embedding_trainer.messages import Connection

Pair = tuple[Connection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yields a connection and the socket of the other host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection(socket.create_connection(server.getsockname()))
        other, _ = server.accept()
        with other:
            yield connection, other
    connection.close()


def test_messages_arrive_as_they_were_sent(pair: Pair) -> None:
    connection, other = pair
    sent = [{"job": {"class_names": ["gut ☺", "a\nb"]}}, {}]
    for message in sent:
        Connection(other).send(message)
    assert [connection.receive(), connection.receive()] == sent


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", ConnectionError),
        (b'{"error": 1}', ConnectionError),  # Lost in the middle of a line.
        (b"[]\n", ValueError),
        (b"GET / HTTP/1.1\n", ValueError),
        (b"\xff\n", ValueError),
        (b'{"error": "%s"}\n' % (b"x" * 2**20), ConnectionError),
    ],
)
def test_what_is_no_message_is_refused(line: bytes, error: type[Exception], pair: Pair) -> None:
    connection, other = pair
    other.sendall(line)
    other.shutdown(socket.SHUT_WR)
    with pytest.raises(error):
        connection.receive()


def test_a_host_that_is_gone_is_noticed_in_20_seconds(pair: Pair) -> None:
    connection, _ = pair
    assert connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 5
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
    assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


def test_a_lost_connection_is_the_last_message(pair: Pair) -> None:
    connection, other = pair
    other.sendall(b'{"error": "first"}\nno message\n')
    assert list(messages.connection_messages(connection)) == [
        {"error": "first"},
        {"error": "the connection was lost", "victim": False},
    ]


@pytest.mark.parametrize(
    ("end", "how", "is_victim"),
    [
        ("exit 3", "with the exit code 3", False),
        ("exit 0", "with the exit code 0", False),
        ("kill -KILL $$", "by SIGKILL", False),
        ("kill -ABRT $$", "by SIGABRT", True),
    ],
)
def test_the_end_of_a_child_is_its_last_message(end: str, how: str, is_victim: bool) -> None:
    script = f"""echo '{{"log": "Epoch 1", "level": 20}}'; printf '{{"log": "unfinish'; {end}"""
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert list(messages.child_messages(child)) == [
        {"log": "Epoch 1", "level": 20},
        {"error": f"the training process was ended {how}", "victim": is_victim},
    ]


def test_messages_of_several_sources_come_with_their_names() -> None:
    numbered = [{"number": number} for number in range(3)]
    gathered = messages.gather({"host2": iter(numbered), "host3": iter(numbered)})
    came = [gathered.get(timeout=10) for _ in range(6)]
    for name in ("host2", "host3"):
        assert [message for source, message in came if source == name] == numbered
