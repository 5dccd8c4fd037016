"""The resources of the HTTP API: functions from a checked request to the JSON document of its answer."""
