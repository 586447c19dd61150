"""Spoiling a payload on purpose, so that consumers meet what real producers send on bad days. Pure."""

from random import Random

import msgspec

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def spoil(payload: str, random: Random) -> tuple[str, str]:
    """Return a payload with something wrong, and a word for what.

    An object loses a field or has one of the wrong type; anything else is replaced by null.
    """
    try:
        fields = _object.decode(payload)
    except msgspec.DecodeError:
        return "null", "null"
    if not fields:
        return "null", "null"
    name = random.choice(sorted(fields))
    if random.random() < 0.5:
        del fields[name]
        fault = "missing-field"
    else:
        is_text = bytes(fields[name])[:1] == b'"'
        fields[name] = msgspec.Raw(b"-1" if is_text else b'"not what you expect"')
        fault = "wrong-type"
    return msgspec.json.encode(fields).decode(), fault
