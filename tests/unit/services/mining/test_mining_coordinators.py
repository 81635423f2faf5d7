import pytest

from cuckoo.domain.errors import InvalidField
from cuckoo.services.mining.coordinators import callable_coordinators, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://pictures.example", "https://pictures.example"),
        ("https://Pictures.Example:443/", "https://pictures.example"),
        ("https://8.8.8.8:8443", "https://8.8.8.8:8443"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]"),
    ],
)
def test_origin__public_https__taken(url, origin):
    assert origin_of(url, loopback_allowed=False) == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://pictures.example",
        "https://127.0.0.1",
        "https://localhost:8080",
        "https://10.0.0.1",
        "https://192.168.1.1",
        "https://169.254.169.254",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[fe80::1]",
        "https://224.0.0.1",
        "https://0.0.0.0",
        "https://user@pictures.example",
        "https://pictures.example/path",
        "https://pictures.example/?query",
        "https://pictures.example:99999",
        "ftp://pictures.example",
        "https://",
        "",
        "https://bücher.example",
    ],
)
def test_origin__not_public_or_not_an_origin__refused(url):
    with pytest.raises(InvalidField):
        origin_of(url, loopback_allowed=False)


def test_origin__loopback_on_the_devnet__taken():
    assert origin_of("http://127.0.0.1:8080/", loopback_allowed=True) == "http://127.0.0.1:8080"
    with pytest.raises(InvalidField, match="https off loopback"):
        origin_of("http://10.0.0.1", loopback_allowed=True)


async def test_coordinators__without_weight_or_url__left_out(another_coordinator):
    good, idle, silent = (another_coordinator(n) for n in (1, 2, 3))
    idle.weight, silent.origin = 0, "http://10.0.0.1"
    nodes = [c.node() for c in (good, idle, silent)]
    assert list(callable_coordinators(nodes, 31_337)) == [1]
    assert not callable_coordinators(nodes, 1)
