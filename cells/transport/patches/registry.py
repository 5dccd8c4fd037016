"""All patches; ``cells-manager`` applies and reports them at its start."""

from __future__ import annotations

import logging
from collections.abc import Collection

from cells.transport.patches.ack_interval import ACK_INTERVAL
from cells.transport.patches.base import Patch
from cells.transport.patches.direct_replies import DIRECT_REPLIES
from cells.transport.patches.driver_log import DRIVER_LOG
from cells.transport.patches.envelope_log import ENVELOPE_LOG
from cells.transport.patches.json_serializer import JSON_SERIALIZER
from cells.transport.patches.message_ids import MESSAGE_IDS
from cells.transport.patches.neighbor_publish import NEIGHBOR_PUBLISH
from cells.transport.patches.prefetch import PREFETCH
from cells.transport.patches.raw_failures import RAW_FAILURES
from cells.transport.patches.reachability import REACHABILITY
from cells.transport.patches.read_ahead import READ_AHEAD
from cells.transport.patches.redeclare import REDECLARE
from cells.transport.patches.request_context import REQUEST_CONTEXT
from cells.transport.patches.stream_offset import STREAM_OFFSET
from cells.transport.patches.unread_messages import UNREAD_MESSAGES

LOG = logging.getLogger(__name__)

PATCHES: tuple[Patch, ...] = (
    ACK_INTERVAL,
    DIRECT_REPLIES,
    DRIVER_LOG,
    ENVELOPE_LOG,
    JSON_SERIALIZER,
    MESSAGE_IDS,
    NEIGHBOR_PUBLISH,
    PREFETCH,
    RAW_FAILURES,
    REACHABILITY,
    READ_AHEAD,
    REDECLARE,
    REQUEST_CONTEXT,
    STREAM_OFFSET,
    UNREAD_MESSAGES,
)


def apply_all(disabled: Collection[str]) -> None:
    """Apply all patches but the ``disabled`` ones; log in one line those that are, and each that is not applied.

    Called before the first transport is opened: its driver reads some of the patched values only once.
    """
    applied: dict[str, list[str]] = {}
    for patch in PATCHES:
        patch.is_disabled = patch.name in disabled
        if patch.is_disabled:
            LOG.info("Patch %s: switched off by [cells] disabled_patches.", patch.name)
        elif patch.apply():
            applied.setdefault(patch.release, []).append(patch.name)
        else:
            LOG.info("Patch %s: not applicable to %s.", patch.name, patch.release)
    if applied:
        texts = [f"{release}: {', '.join(names)}" for release, names in applied.items()]
        LOG.info("Patches applied to %s.", "; to ".join(texts))
