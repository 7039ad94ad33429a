"""Texts of users in CSV files that may be opened in a spreadsheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def inert(text: str) -> str:
    """A text that no spreadsheet computes: what begins like a formula gets a leading quote mark.

    Reference: [OWASP, CSV injection](https://owasp.org/www-community/attacks/CSV_Injection)

    >>> inert("=1+1"), inert("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(FORMULA) or text[:1] < " " and text else text
