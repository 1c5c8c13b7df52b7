"""Query parameters that a route does not know are refused: a typing error is not a filter."""

from fastapi import Request
from fastapi.routing import APIRoute

from ..errors import SettingsError


def no_unknown_parameters(request: Request) -> None:
    """Refuse a request with a query parameter that its route does not have.

    Raises:
        SettingsError: naming the parameter and those there are.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = [parameter.alias for parameter in route.dependant.query_params]
    for name in request.query_params:
        if name not in known:
            choices = f"choose from {', '.join(known)}" if known else "this route has none"
            raise SettingsError(f"no parameter {name[:100]!r} here: {choices}")
