"""Options and sections of the configuration files that no program reads, and whose names are close to known ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cells.doctor.case import Case
from cells.doctor.checks.base import Check
from cells.doctor.finding import Finding, found

#: Names that are closer than that are a misspelling; other unknown ones may belong to other programs.
CLOSE = 0.8

Names = dict[str, set[str]]


class OptionNameCheck(Check):
    """The comparison of the files with the options that are registered."""

    name = "option names"

    def run(self, case: Case) -> Iterable[Finding]:
        known = known_names(case.conf)
        for file in _files(case.conf):
            yield from misspelt(file, known)


def known_names(conf: cfg.ConfigOpts) -> Names:
    """Return the names of the registered options by group, older names included."""
    groups: dict[str, Mapping[str, Any]] = {"DEFAULT": conf._opts}
    groups.update({name: group._opts for name, group in conf._groups.items()})
    known = {group: set(map(_plain, options)) for group, options in groups.items()}
    for group, options in groups.items():
        for option in (registered["opt"] for registered in options.values()):
            known[group].add(_plain(option.name))
            # An option may have had another name, or another group.
            for old in option.deprecated_opts:
                known.setdefault(old.group or group, set()).add(_plain(old.name or option.name))
    return known


def misspelt(file: Path, known: Names) -> Iterator[Finding]:
    """Yield a finding for each section and option in a file that is close to a known one.  Unreadable: none."""
    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(str(file), sections).parse()
    except (OSError, UnicodeDecodeError, cfg.Error):
        return
    for section, options in sections.items():
        if section not in known:
            near = _nearest(section, known)
            if near:
                yield _finding(f"[{section}]", f"[{near}]", file)
            continue
        for option in options:
            near = None if _plain(option) in known[section] else _nearest(_plain(option), known[section])
            if near:
                yield _finding(f"[{section}] {option}", f"[{section}] {near}", file)


def _finding(name: str, near: str, file: Path) -> Finding:
    text = f"{name} in {file} has no effect: there is no such name. It may be meant as {near}."
    return found("option_misspelt", text, name, evidence=f"{file} has {name}")


def _files(conf: cfg.ConfigOpts) -> list[Path]:
    directories = [Path(directory) for directory in conf.config_dir or ()]
    return [
        *map(Path, conf.config_file or ()),
        *(file for directory in directories for file in sorted(directory.glob("*.conf"))),
    ]


def _nearest(name: str, known: Collection[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), 1, CLOSE)), None)


def _plain(name: str) -> str:
    return name.replace("-", "_")
