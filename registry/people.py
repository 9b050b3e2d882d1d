"""Who is who: the same person under two spellings, and two spellings that nobody can tell apart."""

import unicodedata

_SEEN_AS_NOTHING = frozenset(
    chr(code)
    for some in (
        (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
    for code in some
)
"""Letters, marks and signs without ink: fillers, a joiner, variation selectors, the blank of Braille."""

_CYRILLIC = ("авекмнорстухьѕіјһԁԛԝѵӏ", "abekmhopctyxbsijhdqwvl")
_GREEK = ("αβεζηικμνορτυχωϲϳ", "abezhikmvoptyxwcj")
_OTHERS = ("ıɑɡɩʟᴀʙᴄᴅᴇɢʜɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "iagilabcdeghijkmnoprstuvwyz")
_LATIN = {
    ord(one): other for alphabet in (_CYRILLIC, _GREEK, _OTHERS) for one, other in zip(*alphabet, strict=True)
} | {0x0307: None}
"""What looks like a letter of the Latin alphabet, small or capital; a dot above that stands alone is that of an i."""

_WRITTEN_TOGETHER = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})


def person(name: str) -> str:
    """
    Fold a name, so that one person is not two.

    Source:
        Unicode Standard Annex 15 (NFKC) and 44 (Default_Ignorable_Code_Point).

    Example:
        >>> person(" Ann  Lee") == person("ANN LEE") == "ann lee"
        True
    """
    plain = unicodedata.normalize("NFKC", name)
    seen = "".join(letter for letter in plain if not _leaves_no_ink(letter))
    return unicodedata.normalize("NFKC", " ".join(seen.split()).casefold())


def likeness(name: str) -> str:
    r"""
    Fold a name further, to what a reader sees: only letters, marks and digits, and Latin where they look Latin.

    Two names that look the same count as one where people must be two; a list of names does not go by it.

    Source:
        The idea of a skeleton in Unicode Technical Standard 39, for Cyrillic, Greek, and small capitals.

    Example:
        >>> likeness("Ann Lee.") == likeness("\u0410nn L\u0435e") == "annlee"
        True
    """
    kept = (letter for letter in person(name) if unicodedata.category(letter)[0] in "LMN")
    return "".join(kept).translate(_LATIN)


def mixes_alphabets(name: str) -> bool:
    r"""
    Whether a name has letters of two alphabets that no language writes in one name.

    Source:
        Unicode Technical Standard 39, section 5.2: "Highly Restrictive".

    Example:
        >>> mixes_alphabets("\u0410nn"), mixes_alphabets("Анна"), mixes_alphabets("Ann 山田")
        (True, False, False)
    """
    plain = (letter for letter in unicodedata.normalize("NFKC", name) if not _leaves_no_ink(letter))
    letters = (letter for letter in plain if unicodedata.category(letter) in ("Lu", "Ll", "Lt", "Lo"))
    alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    return len(alphabets) > 1 and not alphabets <= _WRITTEN_TOGETHER


def _leaves_no_ink(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or letter in _SEEN_AS_NOTHING
