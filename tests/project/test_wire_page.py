"""The samples on the page of the wire format equal the messages that the code writes and reads."""

from __future__ import annotations

import json
import re
from typing import Any

from cells import versions
from cells.messages import parse
from tests.cases import each
from tests.project.sources import DOC

PAGE = (DOC / "contributor" / "wire.rst").read_text()
HEADING = re.compile(r"^(\S.*)\n=+$", flags=re.MULTILINE)
VERSION = re.compile(r"Version (\d\.\d):")
SAMPLE = re.compile(r"^   [\[{].*(?:\n   .*)*", flags=re.MULTILINE)


def samples() -> list[tuple[str, dict[str, Any]]]:
    """Return each message in the sections on versions, with its version."""
    found = []
    _, *headings_and_texts = HEADING.split(PAGE)
    for heading, text in zip(headings_and_texts[::2], headings_and_texts[1::2], strict=True):
        version = VERSION.match(heading)
        for block in SAMPLE.findall(text) if version else ():
            value = json.loads(block)
            found += [(version[1], message) for message in (value if isinstance(value, list) else [value])]
    return found


def test_every_version_after_the_first_has_a_section_with_a_sample() -> None:
    assert {version for version, _ in samples()} == versions.HISTORY.keys() - {versions.OLDEST}


@each(("version", "sample"), samples())
def test_a_sample_is_what_is_sent_at_that_version(version: str, sample: dict[str, Any]) -> None:
    is_in_a_cast_of_many = versions.speaks(version, versions.BATCHES)
    message = parse(sample if is_in_a_cast_of_many else json.dumps(sample), 10_000, 10, now=0.0)
    sealed = message.sealed(version, 10_000)
    written = sealed.to_item() if is_in_a_cast_of_many else json.loads(sealed.to_json())
    if "time_left" in written:
        # The time left depends on the clock.
        written["time_left"] = sample["time_left"]
    assert json.loads(json.dumps(written)) == sample
