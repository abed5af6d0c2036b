"""Secrets: closed unless given, refused by name, never shown."""

from endpoint.keys import KEYS, KeyRefused, check_keys

PASSWORD = "57484154542d4c494e45"


def _refused(**fields):
    try:
        check_keys(fields)
    except KeyRefused as error:
        return str(error)
    return None


def test_nothing_has_a_default():
    assert set(check_keys({}).values()) == {b""}


def test_given_secrets_come_back_as_bytes():
    keys = check_keys({"read_password": PASSWORD, "line_key": "00112233445566778899aabbccddeeff"})
    assert keys["read_password"] == b"WHATT-LINE"
    assert len(keys["line_key"]) == 16
    assert keys["write_password"] == b""


def test_what_is_refused_is_named_and_not_shown():
    for name in KEYS:
        for bad in ("xyz", "0", "00" * 40, 17, None, "é"):
            text = _refused(**{name: bad})
            assert text is not None and name in text, (name, bad)
            assert "xyz" not in text and "0000" not in text
    assert _refused(master="00") == "master is not a key"
    assert _refused(read_password="00" * 10) == "read_password must not be one byte repeated"
    assert "same" in _refused(read_password=PASSWORD, write_password=PASSWORD)
    assert check_keys({"meter_password": "20"})["meter_password"] == b" "
