"""Addresses as people may see them."""

import re

HIDDEN = "***"
# A path library makes one slash of two. A password may hold anything but white space, "@" and "/" among it.
_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/{1,2}[^\s/@:]*):[^\s]*@")
_OPTION = re.compile(r"([?&;](?:ssl)?(?:password|passwd|pwd|token|secret)=)[^\s&;'\"]+", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """
    Write *** for the password of every address in *text*; what has none is left as it is.

    Example:
        >>> without_passwords("mysql://ann:p@ss/word@db/sales was not read: no mysql:/ann:secret@db.")
        'mysql://ann:***@db/sales was not read: no mysql:/ann:***@db.'
        >>> without_passwords("http://127.0.0.1:3000/x?password=secret&n=1")
        'http://127.0.0.1:3000/x?password=***&n=1'
    """
    return _OPTION.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))
