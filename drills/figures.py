"""The errors and losses of each drill, measured at release 0.2 with the same faults and the same rates.

They limit the errors of today, per message sent.  An error that a sender gets is better than
a loss of which it learns nothing, so the limit of each kind is the number of its errors plus
the number of its losses at that time.  A later release may lower the numbers.

At release 0.2 only the broadcasts of one of the two clients left its cell; those of both do
now, so twice as many can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CLIENTS_WITH_BROADCASTS = 2
BROADCASTS = ("bcall", "bcast", "cells")
#: Kinds of messages in the order of Figures.sent; ``cells`` are the branches of ``bcall``.
SENT = {"call": 0, "rcast": 1, "ecast": 2, "bcall": 3, "bcast": 4, "cells": 3}


@dataclass(frozen=True)
class Figures:
    """Numbers of one drill.

    :param sent: messages of each kind
    :param told: kind -> number of messages whose sender got an error; ``cells``: branches of broadcasts
    :param lost: kind -> number of messages that were lost although their sender got no error
    """

    sent: tuple[int, int, int, int, int]
    told: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)

    def limit(self, kind: str, sent: int) -> float:
        """Return the highest number of errors of a kind.

        :param sent: number of messages of this kind; of ``bcall`` for ``cells``
        """
        sent_then = self.sent[SENT[kind]]
        failed_then = self.told.get(kind, 0) + self.lost.get(kind, 0)
        return (
            failed_then * (CLIENTS_WITH_BROADCASTS if kind in BROADCASTS else 1) * sent / sent_then if sent_then else 0
        )


NONE = Figures((0, 0, 0, 0, 0))
_RESTART = (290, 348, 348, 58, 58)
_LINK = (510, 612, 612, 102, 102)
_FREEZE = (410, 492, 492, 82, 82)
_BURST = (0, 3900, 3900, 0, 0)
#: A drill without an entry had no errors.
FIGURES: Mapping[str, Figures] = {
    "kill9-az1": Figures(_RESTART, {"call": 3, "rcast": 4}, {"ecast": 3}),
    "sigterm-az1": Figures(_RESTART, {"call": 9, "rcast": 12}, {"ecast": 10}),
    "broker-restart": Figures(
        (340, 408, 408, 68, 68), {"call": 162, "rcast": 175, "cells": 18}, {"ecast": 220, "bcast": 17}
    ),
    "link-cut": Figures(_LINK, {"call": 252, "rcast": 136, "cells": 26}, {"rcast": 168, "ecast": 328, "bcast": 26}),
    "link-stalled": Figures(_LINK, {"call": 292, "rcast": 153, "cells": 33}, {"rcast": 199, "ecast": 399, "bcast": 33}),
    "freeze-east": Figures(_FREEZE, {"call": 133, "cells": 12}),
    "freeze-az1": Figures(_FREEZE, {"call": 126, "rcast": 78, "bcall": 8, "cells": 12}),
    "start-without-database": Figures(_RESTART, {"call": 185, "cells": 17}, {"rcast": 222, "ecast": 222, "bcast": 18}),
    "freeze-kill9-east": Figures((270, 324, 324, 54, 54), {"call": 110, "cells": 9}, {"ecast": 1}),
    "power-cycle": Figures(
        (380, 456, 456, 76, 76),
        {"call": 312, "rcast": 286, "cells": 32},
        {"rcast": 88, "ecast": 382, "bcast": 32},
    ),
    "power-cycle-durable": Figures(
        (330, 396, 396, 66, 66), {"call": 187, "rcast": 113, "cells": 19}, {"ecast": 142, "bcast": 11}
    ),
    "service-kill9": Figures((270, 324, 324, 54, 54), {"call": 5}),
    "two-managers-freeze": Figures((330, 396, 396, 66, 66), {"call": 10, "cells": 4}),
    "two-managers-kill9": Figures((260, 312, 312, 52, 52), {"cells": 1}),
    "burst-kill9-east": Figures(_BURST, {}, {"rcast": 2}),
    "burst-kill9-api": Figures(_BURST, {"rcast": 2}, {"rcast": 2, "ecast": 24}),
}
#: The same fault with other options.
FIGURES = {**FIGURES, "broker-restart-durable": FIGURES["broker-restart"]}
#: Over direct links.  The cut lasts as long as ``[cells_direct] reconnect_wait``, so that all messages that wait at
#: its end fail; over RabbitMQ those of the last seconds arrive.
DIRECT_FIGURES: Mapping[str, Figures] = {
    **FIGURES,
    "link-cut": Figures(_LINK, {"call": 274, "rcast": 136, "cells": 31}, FIGURES["link-cut"].lost),
}
