"""`eventflow keys`: API keys, made, replaced and ended by people."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ...models import ApiKey, NewApiKey
from .. import exit_codes, private_files, profiles
from ..output import Output, remark
from ..parsing import Options, Parser, Verbs, split_words, whole_number
from ..profiles import Profile
from ..running import run
from ..server import Server, connect
from ..wrong_use import WrongUse


def keys(words: Sequence[str]) -> int:
    """List, make, rotate and revoke API keys; making one needs `eventflow login --email`."""
    return run(words, build_parser(), lambda options: options.act(options))


def build_parser() -> Parser:
    verbs = Verbs("keys", "Your API keys; a key sees itself alone, and makes none.")
    verbs.add("list", "list keys", _list)
    create = verbs.add("create", "make a key, and put it where you say: it is told this once", _create, "name")
    create.add_argument(
        "--scope", action="append", required=True, help="of produce, consume, manage, admin; may be repeated"
    )
    create.add_argument("--stream", action="append", default=[], help="only these; may be repeated")
    create.add_argument("--days", type=whole_number, metavar="N", help="it ends after so many")
    rotate = verbs.add("rotate", "make a successor of a key, which goes on for a while", _rotate)
    rotate.add_argument("key", metavar="ID")
    rotate.add_argument("--overlap", type=whole_number, default=3600, metavar="SECONDS", help="(%(default)s)")
    for verb in (create, rotate):
        place = verb.add_mutually_exclusive_group(required=True)
        place.add_argument("--save", metavar="PROFILE", help="save it as a profile")
        place.add_argument("--to-file", type=Path, metavar="PATH", help="into a new file that only you may read")
    revoke = verbs.add("revoke", "end a key, within a second everywhere", _revoke)
    revoke.add_argument("key", metavar="ID")
    return verbs.parser


class _Options(Options):
    name: str
    key: str
    scope: list[str]
    stream: list[str]
    days: int | None
    overlap: int
    save: str | None
    to_file: Path | None


def _list(options: _Options) -> int:
    with connect(options) as server:
        found = list(server.keys.list())
    rows = [[each.id, each.name, each.scopes, each.streams, each.last_used_at, _standing(each)] for each in found]
    Output(options).table(["id", "name", "scopes", "streams", "last used", "standing"], rows, found)
    return exit_codes.DONE


def _standing(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "good" if key.expires_at is None else f"ends {key.expires_at:%Y-%m-%d}"


def _create(options: _Options) -> int:
    _check_place(options)
    try:
        ends = None if options.days is None else datetime.now(UTC) + timedelta(days=options.days)
    except OverflowError:
        raise WrongUse(f"--days {options.days} is beyond all time; without it a key does not end.") from None
    with connect(options) as server:
        streams = split_words(options.stream) or None
        made = server.keys.create(options.name, scopes=split_words(options.scope), streams=streams, expires_at=ends)
        return _put(options, server, made)


def _rotate(options: _Options) -> int:
    _check_place(options)
    with connect(options) as server:
        return _put(options, server, server.keys.rotate(options.key, overlap_seconds=options.overlap))


def _revoke(options: _Options) -> int:
    with connect(options) as server:
        server.keys.revoke(options.key)
    Output(options).done(f"Revoked {options.key}.", {"id": options.key, "revoked": True})
    return exit_codes.DONE


def _check_place(options: _Options) -> None:
    """Look before there is a key that nobody could keep."""
    if options.to_file is not None and (options.to_file.exists() or not options.to_file.parent.is_dir()):
        raise WrongUse(f"{options.to_file} is there already, or its directory is not: the key goes into a new file.")
    if options.save is not None and options.save in profiles.load().profiles:
        raise WrongUse(f"There is a profile {options.save!r} already: `eventflow logout --profile {options.save}`.")


def _put(options: _Options, server: Server, made: NewApiKey) -> int:
    if made.secret is None:
        # An answer was lost, and the one to the next attempt has it no more.
        remark(f"The key {made.id} was made, but its text was lost on the way. Revoke it and make another.")
        return exit_codes.UNKNOWN
    try:
        where = _save(options, server, made.secret)
    except OSError as error:
        remark(
            f"The key {made.id} was made, but could not be saved ({error.strerror}), and its text is lost: "
            f"`eventflow keys revoke {made.id}`, and make another."
        )
        return exit_codes.UNKNOWN
    told = msgspec.to_builtins(made)
    told["secret"] = where
    Output(options).done(f"{made.id}  {made.name}: saved in {where}.", told)
    return exit_codes.DONE


def _save(options: _Options, server: Server, secret: str) -> str:
    """Put a key's text where it was asked for; return what to call that place.

    Raises:
        OSError: it is not there.
    """
    if options.save is not None:
        with profiles.changing() as saved:
            saved.profiles[options.save] = Profile(url=server.url, key=secret)
        return f"the profile {options.save!r}"
    assert options.to_file is not None
    private_files.write(options.to_file, secret.encode() + b"\n", replace=False)
    return str(options.to_file)
