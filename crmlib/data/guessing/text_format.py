"""Detect the encoding and the delimiter of a text file from its bytes."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from crmlib.data.files import contents
from crmlib.data.files.source_files import kind_of
from crmlib.data.guessing.findings import Finding, Question

# Letters outside ASCII that one word of a language holds: German, French, Spanish, Portuguese, Italian, Catalan,
# Dutch, Swedish, Danish. No word is German and Danish at once.
_WESTERN = "äöüßéèàô àâæçéèêëîïôùûüœ áéíñóúüç ãáàâçéêíóôõúü àèéìíîòóùú àçèéíïòóúü ëéèïöüê åäöé æøåéòô".split()
_MOST_UNLIKE = 0.05  # of the words with such letters; more of them are no words of Western Europe
_WORD = re.compile(r"(?:[A-Za-z]|[^\x00-\x7f\s])+")
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸªº"
# Signs between letters, a row of signs, bytes that are none, a tilde on an o that Portuguese does not write, and what
# Polish letters become: a small number behind a letter that is no metre, and two ligatures in a row.
_ODD = re.compile(
    rf"[{_LETTER}][^{_LETTER}'’´`·–—]+[{_LETTER}]|[^\w\s“”‘’…–—€£·•]{{3}}|\ufffd|õ(?!e)|[a-ln-z][³¹]|œæ"
)
# What exports are written in; the detector would also try what no shop uses.
_ENCODINGS = (
    *"cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859_2 koi8_r".split(),
    *"cp932 euc_jp gb18030 big5 cp949 cp850 cp852 cp866 mac_roman".split(),
)
_MOST_ANSWERS = 6
_FEW_WORDS = 5  # of more languages, one may be of a foreign name
_SAMPLE_LINES = 1_000


def detect_format(file: Path, given: Mapping[str, Any]) -> Iterator[Finding | Question]:
    """Encoding and delimiter of a text file, the encoding first; nothing where they are the usual ones."""
    if kind_of(file) != "csv":
        return
    head = contents.read_head(file)
    encoding = given.get("encoding")
    if not encoding:
        found = _encoding_of(file, contents.mark_of(head))
        encoding = found.value if isinstance(found, Finding) else found.answers[0]
        if encoding != "utf-8":
            yield found
    if "delimiter" not in given:
        delimiter = contents.guess_delimiter(contents.decode_head(file, head, encoding))
        if delimiter != ",":
            yield Finding("delimiter", delimiter, "lines have as many fields as the header by it alone")


def _encoding_of(file: Path, mark: str | None) -> Finding | Question:
    """The encoding: by its mark, UTF-8 if all bytes fit, Windows if the words are Western; else a question."""
    if mark:
        return Finding("encoding", mark, "by its byte-order mark or its pattern of zero bytes")
    utf8, windows = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("cp1252")()
    is_utf8 = is_windows = True
    try:
        with contents.open_bytes(file) as content:
            while (piece := content.read(1 << 20)) and (is_utf8 or is_windows):
                is_utf8 = is_utf8 and _decodes(utf8, piece)
                is_windows = is_windows and _decodes(windows, piece)
    except contents.UNREADABLE as complaint:
        raise contents.cannot_be_read(file, complaint) from None
    if is_utf8:
        return Finding("encoding", "utf-8", "every byte agrees with it")
    with contents.open_bytes(file) as content:
        sample = b"".join(islice((line for line in content if not line.isascii()), _SAMPLE_LINES))
    unlike, words = _unlike_western(sample.decode("cp1252", errors="replace"))
    if len(unlike) > _MOST_UNLIKE * words and (len(unlike) > 1 or words <= _FEW_WORDS):
        return _which(sample, unlike[0])
    if is_windows:
        why = "the bytes are not UTF-8, and each is a character of Windows-1252 (Western Europe)"
        return Finding("encoding", "cp1252", why)
    return Finding("encoding", "latin-1", "the bytes are neither UTF-8 nor Windows-1252")


def _unlike_western(text: str) -> tuple[list[str], int]:
    """Words that no Western language writes, the frequent ones first, and the number of all beyond ASCII."""
    words = Counter(word for word in _WORD.findall(text) if not word.isascii())
    return [word for word, _rows in words.most_common() if not _is_western(word)], len(words)


def _is_western(word: str) -> bool:
    low = word.lower()
    letters = {sign for sign in low if not sign.isascii() and sign.isalpha() and sign not in "ªº"}
    return not _ODD.search(low) and any(letters <= {*language} for language in _WESTERN)


def _which(sample: bytes, word: str) -> Question:
    """The encodings that a detector finds likely, and what each makes of the first word that is not Western."""
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(sample, cp_isolation=[*_ENCODINGS])]
    readings: dict[str, str] = {}  # by the decoded text: encodings with the same text are equal here
    for name in (*found, *_ENCODINGS):
        try:
            readings.setdefault(sample.decode(name), name)
        except UnicodeDecodeError:
            continue
    likely = [*readings.values()][:_MOST_ANSWERS]
    raw = word.encode("cp1252", errors="ignore")
    shown = ", ".join(f"{raw.decode(name, errors='replace')!r} in {name}" for name in likely)
    text = f"the text is neither UTF-8 nor a language of Western Europe: a word is {shown}; which is it?"
    return Question("encoding", text, tuple(likely))


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes) -> bool:
    try:
        decoder.decode(piece)
    except UnicodeDecodeError:
        return False
    return True
