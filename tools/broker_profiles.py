"""The options of [oslo_messaging_rabbit] that deployment tools set, for the tests and the benchmark.

The page "Which broker options to choose" of the administration guide describes them.
"""

from __future__ import annotations

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
