"""Network addresses as text, in all the ways in which they come."""

import pytest

from accounts.addresses import is_within, read_address, read_network, sender_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:5678", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_read_however_it_is_written(text, expected):
    assert str(read_address(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "192.0.2", "192.0.2.256", "[", "]", ":", "1:2", "\u0661.1.1.1"]
)
def test_what_is_no_address_is_none_and_stands_for_itself(text):
    assert read_address(text) is None
    assert sender_of(text) == text
    assert not is_within(text, ["0.0.0.0/0", "::/0"])


def test_one_sender_is_an_ipv4_address_or_a_64_of_ipv6():
    assert sender_of("192.0.2.1:99") == "192.0.2.1"
    assert sender_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::/32", "2001:db8::/32"),
        (" ::1 ", "::1/128"),
        # An address that comes so is one of IPv4, and a zone is of one machine's own.
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.0/95", None),
        ("fe80::1%" + "a" * 41, "fe80::1/128"),
        ("fe80::%eth0/10", "fe80::/10"),
        ("192.0.2.7%eth0", None),
        ("192.0.2.1/24", None),
        ("192.0.2.0/33", None),
        ("everywhere", None),
        ("", None),
    ],
)
def test_a_network_is_an_address_or_one_with_a_mask_that_fits(text, expected):
    assert read_network(text) == expected


def test_an_address_is_within_a_network_of_its_own_kind():
    assert is_within("192.0.2.9", ["198.51.100.0/24", "192.0.2.0/24"])
    assert is_within("::ffff:192.0.2.9", ["192.0.2.0/24"])
    assert is_within("192.0.2.9", [read_network("::ffff:192.0.2.9") or ""])
    assert not is_within("192.0.3.9", ["192.0.2.0/24"])
    assert not is_within("2001:db8::1", ["0.0.0.0/0"])
