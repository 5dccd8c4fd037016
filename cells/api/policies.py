"""The rules of oslo.policy: which roles may use which operation of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from oslo_config import cfg
from oslo_policy import policy

from cells import exceptions
from cells.api.errors import ApiError
from cells.api.route import Route
from cells.api.routes import ROUTES
from cells.context import RequestContext

PREFIX = "cells_api:"
ADMIN = "rule:admin_api"
READER = "rule:reader_api"
_CHECKS = {"reader": READER, "admin": ADMIN}


def list_rules() -> list[policy.RuleDefault]:
    """Return all rules with their defaults (entry point oslo.policy.policies)."""
    return [
        policy.RuleDefault("admin_api", "role:admin", "Clients that may change the state of cells."),
        policy.RuleDefault("reader_api", "role:reader or rule:admin_api", "Clients that may look at cells."),
        *_rules(ROUTES),
    ]


def _rules(routes: Iterable[Route]) -> list[policy.RuleDefault]:
    return [
        policy.DocumentedRuleDefault(
            PREFIX + route.name,
            _CHECKS[route.role],
            route.summary,
            [{"path": route.path.replace("<", "{").replace(">", "}"), "method": route.method}],
        )
        for route in routes
        if route.role
    ]


class Policy:
    """The rules with the changes of [oslo_policy] policy_file, which is read again when it changes."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises cells.exceptions.ConfigurationError: the file of the policy is wrong"""
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        try:
            self._enforcer.load_rules()
            self._enforcer.check_rules(raise_on_violation=True)
        except (policy.InvalidDefinitionError, cfg.Error, OSError, ValueError) as error:
            raise exceptions.ConfigurationError(
                f"[oslo_policy] policy_file = {conf.oslo_policy.policy_file} cannot be used: {error}"
            ) from error

    def check(self, route: Route, ctxt: RequestContext) -> None:
        """Check that the client may use the operation.

        :raises cells.api.errors.ApiError: 403
        """
        if not self._enforcer.authorize(PREFIX + route.name, {}, ctxt):
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                f"The policy {PREFIX}{route.name} does not allow this operation to {ctxt.user_id}, who has the roles: "
                f"{', '.join(ctxt.roles) or 'none'}.",
            )

    def is_admin(self, ctxt: RequestContext) -> bool:
        """Return whether the client counts as an administrator in other cells."""
        return bool(self._enforcer.authorize("admin_api", {}, ctxt))
