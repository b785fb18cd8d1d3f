"""Allowances in words, for the command line and the screen: from the document that the running trader answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def allowed(each: Mapping[str, Any]) -> str:
    """How much of what: ``UNLIMITED USDC``, ``2500 USDC``; of a token that the settings do not name base units."""
    return f"{amount(each)} {each['symbol'] or each['token']}"


def amount(each: Mapping[str, Any]) -> str:
    """``UNLIMITED``, ``2500``, ``2500 units of``."""
    units = " units of" if each["base_units"] else ""
    return "UNLIMITED" if each["unlimited"] else f"{each['amount']}{units}"


def spender(each: Mapping[str, Any]) -> str:
    """What the settings call who may take it; a stranger by address alone."""
    through = " through Permit2" if each["permit2"] else ""
    return f"{each['spender_name'] or 'UNKNOWN'}{through}"


def looked(answer: Mapping[str, Any]) -> str:
    """How far back events were looked at."""
    since, left_out = answer["since_block"], answer["left_out"]
    more = f" {left_out} more pairs that events told of were not looked at." if left_out else ""
    if since is None:
        return f"NO EVENTS WERE READ: no node told of any; only what the settings name was looked at.{more}"
    if since == 0:
        return f"All events of the chain were read.{more}"
    return f"Events were read back to block {since:,}; of older ones only what the settings name is seen.{more}"
