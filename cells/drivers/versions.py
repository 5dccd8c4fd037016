"""The versions of the inter-cell API: the one place where they are declared.

Each is listed with what it adds, so that a cap (``[upgrade_levels] intercell``)
means something.
"""

from __future__ import annotations

from cells import exceptions

#: Version -> what it added.  The last one is what this release speaks.
HISTORY: dict[str, str] = {
    "1.0": "The wire format of Nova's cells service: one message per cast process_message.",
}

CURRENT = list(HISTORY)[-1]

#: Names of releases that may stand for the version they speak: Nova's, which had
#: a cells service from Grizzly to Stein and never changed this API.
VERSION_ALIASES: dict[str, str] = dict.fromkeys(
    (
        "grizzly",
        "havana",
        "icehouse",
        "juno",
        "kilo",
        "liberty",
        "mitaka",
        "newton",
        "ocata",
        "pike",
        "queens",
        "rocky",
        "stein",
    ),
    "1.0",
)


def resolve_cap(cap: str | None) -> str:
    """The version that ``cap`` stands for; the current one if it is None.

    :param cap: a version of :data:`HISTORY` or a name of :data:`VERSION_ALIASES`
    :raises cells.exceptions.ConfigurationError: it is neither
    """
    if cap is None:
        return CURRENT
    version = VERSION_ALIASES.get(cap.strip().lower(), cap.strip())
    if version not in HISTORY:
        raise exceptions.ConfigurationError(
            f"[upgrade_levels] intercell = {cap} is neither a version ({', '.join(HISTORY)}) "
            f"nor the name of a release ({', '.join(VERSION_ALIASES)})."
        )
    return version
