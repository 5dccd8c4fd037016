"""The options of [oslo_messaging_rabbit] that deployment tools set, for the tests and the benchmark.

The page "Which broker options to choose" of the administration guide describes them.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

Profile = Mapping[str, object]

QUORUM: Profile = {"rabbit_quorum_queue": True, "rabbit_transient_quorum_queue": True}
#: The options of [oslo_messaging_rabbit] that deployment tools set.
PROFILES: Mapping[str, Profile] = {
    "defaults": {},
    "kolla-ansible": {
        **QUORUM,
        "rabbit_stream_fanout": True,
        "use_queue_manager": True,
        "rabbit_qos_prefetch_count": 50,
    },
    "openstack-ansible": {
        **QUORUM,
        "rabbit_stream_fanout": True,
        "use_queue_manager": True,
        "rabbit_qos_prefetch_count": 10,
        "hostname": "controller-cells",
    },
    "rhoso": {**QUORUM, "amqp_durable_queues": True},
    "openstack-helm": {
        "amqp_durable_queues": True,
        "rabbit_transient_quorum_queue": True,
        "use_queue_manager": True,
        "rabbit_quorum_queues": True,  # misspelt there, too: it has no effect
    },
}


def with_options(url: str, profile: Profile) -> str:
    """Return ``url`` with the options in its query, where oslo.messaging reads them.

    It refuses unknown names there, which have no effect in a file.
    """
    from oslo_messaging._drivers import amqp, impl_rabbit  # noqa: PLC0415  # slow to import

    known = {option.name for option in (*amqp.amqp_opts, *impl_rabbit.rabbit_opts)}
    query = urllib.parse.urlencode({name: str(value).lower() for name, value in profile.items() if name in known})
    return urllib.parse.urlsplit(url)._replace(query=query).geturl()
