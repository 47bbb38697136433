"""Passwords and first-login codes: how they are made, hashed, and what a password may not be."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from autograder.errors import UstodError

#: Letters and digits that nobody takes for another when a slip is read out or typed.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
LENGTH = 10
#: Cyrillic letters that look like Latin ones, for those who type a code with the keyboard still in Russian or Tajik.
_LATIN = str.maketrans("АВЕКМНРСТХУЗ", "ABEKMHPCTXY3")

SHORTEST, LONGEST = 8, 256
_COMMONEST = (
    "password password1 password12 password123 passw0rd p@ssw0rd qwerty12 qwerty123 qwertyui qwertyuiop qwerty1234 "
    "1q2w3e4r 1q2w3e4r5t 1qaz2wsx q1w2e3r4 zaq12wsx asdfghjk asdfghjkl zxcvbnm1 iloveyou sunshine princess football "
    "baseball superman trustno1 welcome1 letmein1 admin123 student1 student123 computer internet changeme dushanbe "
    "tajikistan tojikiston khujand1 abcd1234 abc12345 aa123456 a1b2c3d4 12341234 11223344 87654321 "
    "йцукенгш йцукенгшщз фывапролд пароль123 парольпароль душанбе1 тоҷикистон таджикистан студент1 любовь123 "
    "донишҷӯ1 рамзиман"
)
#: The commonest passwords of eight characters or more, here and elsewhere; runs and repetitions are told by rule.
COMMONEST = frozenset(_COMMONEST.split())
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "йцукенгшщзхъфывапролджэячсмитьбю",
)


class PasswordRefused(UstodError):
    """A new password that will not do. The message says why, as a text of the catalogs in `autograder/hub/po`."""


TOO_SHORT = "The new password is too short: it needs 8 characters or more."
TOO_LONG = "The new password is too long: 256 characters are enough."
IS_ID = "The new password must not be your login."
IS_CODE = "The new password must not be the code from the slip."
TOO_COMMON = "The new password is one of those that everybody guesses first. Choose another."
REFUSALS = (TOO_SHORT, TOO_LONG, IS_ID, IS_CODE, TOO_COMMON)


def new_code() -> str:
    """A fresh first-login code, as it is printed: XXXXX-XXXXX."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{letters[:5]}-{letters[5:]}"


def plain_code(text: str) -> str:
    """What counts of a code that somebody typed: neither case, nor dashes, nor spaces."""
    letters = unicodedata.normalize("NFKC", text).upper().translate(_LATIN)
    return "".join(letter for letter in letters if letter.isalnum())


def plain_password(text: str) -> str:
    """A password as it is hashed: keyboards differ in how they write ӣ and ӯ, and that must not matter."""
    return unicodedata.normalize("NFKC", text)


def refuse_poor(new: str, person: str, old: str) -> None:
    """Refuse a `new` password for `person`, who has proved who they are with `old`, if it is too easy to guess.

    Raises:
        PasswordRefused: if it is.
    """
    plain = plain_password(new)
    folded = plain.strip().casefold()
    if len(plain) < SHORTEST:
        raise PasswordRefused(TOO_SHORT)
    if len(plain) > LONGEST:
        raise PasswordRefused(TOO_LONG)
    if folded == person.casefold():
        raise PasswordRefused(IS_ID)
    if plain_code(new) == plain_code(old) and len(plain_code(new)) == LENGTH:
        raise PasswordRefused(IS_CODE)
    if folded in COMMONEST or len(set(folded)) < 3 or any(folded in row or folded in row[::-1] for row in _ROWS):
        raise PasswordRefused(TOO_COMMON)


@dataclass(frozen=True)
class Cost:
    """What one scrypt hash costs: 128·n·r bytes of memory, and time in proportion to n·r·p."""

    n: int = 2**15
    r: int = 8
    p: int = 1


@dataclass(frozen=True)
class Hash:
    """A hashed secret, with all that is needed to check another against it."""

    value: bytes
    salt: bytes
    cost: Cost

    def matches(self, plain: str) -> bool:
        """Whether `plain` is the secret, in a time that does not tell how near it came."""
        return hmac.compare_digest(self.value, _scrypt(plain, self.salt, self.cost))


def hashed(plain: str, cost: Cost) -> Hash:
    """`plain` hashed with fresh salt."""
    salt = secrets.token_bytes(16)
    return Hash(_scrypt(plain, salt, cost), salt, cost)


def _scrypt(plain: str, salt: bytes, cost: Cost) -> bytes:
    memory = 128 * cost.n * cost.r + 128 * cost.r * (cost.p + 2)
    # Without an end of its own, a text would have the hash of the same text with zeros after it: HMAC pads its key so.
    text = plain.encode("utf-8", "surrogatepass") + b"."
    return hashlib.scrypt(text, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=2 * memory, dklen=32)
