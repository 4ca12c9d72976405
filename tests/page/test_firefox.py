"""The page in Firefox, where there is one."""

from __future__ import annotations

import pytest

from firefox import PROGRAM, firefox

NAMES = "[...document.querySelectorAll('.row b')].map(each => each.textContent)"
REPORTED = "addEventListener('securitypolicyviolation', event => { document.title = event.violatedDirective; }); true"


@pytest.mark.skipif(not PROGRAM, reason="no Firefox: apt-get install firefox-esr, or FIREFOX names one")
def test_a_tool_is_found_and_called_in_firefox(demo, tmp_path):
    with firefox(tmp_path) as browser:
        browser.open(demo)
        browser.until(REPORTED)
        browser.type("#search", "see the picture")
        assert browser.until(f"{NAMES}.length === 1 && {NAMES}") == ["getPetPicture"]
        browser.click(".row")
        browser.type("form[aria-label] input", "1")
        browser.click("button.primary")
        assert browser.until("document.querySelector('.result.good img')?.naturalWidth") == 64
        assert browser.until("document.title") == "getPetPicture · Pet shop"
