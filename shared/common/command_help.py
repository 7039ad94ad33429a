"""Commands and groups whose help shows flags as they are typed, without their type `<bool>`."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command of `kerasuite`."""

    def get_params(self, ctx: Any) -> list:
        return _flags_without_type(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> list:
        return _flags_without_type(super().get_params(ctx))


def _flags_without_type(parameters: list) -> list:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters
