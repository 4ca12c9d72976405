"""What a supported Python gets wrong is not used, whichever Python the tests run on."""

from __future__ import annotations

import re

from processes import CHECKOUT

# A character class after the quantifier's parenthesis is a list of characters, such as RFC 3986's sub-delims.
POSSESSIVE_GROUP = re.compile(r"(?<!')\)[*+?]\+(?![,;=])")


def test_no_pattern_repeats_a_group_possessively():
    """Before 3.11.5 it matches wrongly (CPython gh-106052), and Debian 12 has 3.11.2. ``(?>(?:…)*)`` is right."""
    found = [
        f"{path.relative_to(CHECKOUT)}:{number}"
        for path in sorted((CHECKOUT / "service").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    ]
    assert found == []
