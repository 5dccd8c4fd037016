"""Description of the machine and the software of a run."""

from __future__ import annotations

import os
import platform
import urllib.parse
from importlib import metadata
from pathlib import Path

import kombu


def describe(url: str) -> dict[str, str]:
    """Return processor, interpreter, broker and libraries, as name -> text."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "RabbitMQ": _rabbitmq_version(url),
        "oslo.messaging": metadata.version("oslo.messaging"),
        "cells": metadata.version("cells-intercell"),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _rabbitmq_version(url: str) -> str:
    amqp_url = urllib.parse.urlsplit(url)._replace(scheme="amqp").geturl()
    with kombu.Connection(amqp_url, connect_timeout=5) as connection:
        connection.connect()
        return str(connection.connection.server_properties.get("version", "unknown"))
