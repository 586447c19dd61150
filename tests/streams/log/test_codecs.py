"""Compressors and decompressors are shared by threads, each by one at a time."""

import os
from concurrent.futures import ThreadPoolExecutor

from streams.log.codecs import compress, decompress


def test_many_threads_get_back_what_they_compressed():
    texts = [os.urandom(50).hex().encode() * number for number in range(1, 200)]

    def round_trip(text: bytes) -> bytes:
        return decompress(compress(text), max_bytes=len(text))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(round_trip, texts * 5)) == texts * 5
