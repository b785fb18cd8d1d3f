"""What the tables are for, and which of them the hash chain covers. `migrations` makes them.

Three kinds of table:

- *hashed rows* (`HASHED`): append-only facts. Each belongs to one journal row (`seq`) whose hash covers it.
- *projections*: the current state of trades, payloads, orders, reservations, balances and positions. They are written
  in the same transaction as the journal row and can be rebuilt from it; `journal verify` does and compares.
- *records*: metrics, quotes, equity, alerts, errors, runs. Useful, not evidence.

Amounts are TEXT (canonical decimals), times INTEGER ms UTC; order comes from `seq`, never from a time.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x63747367
"""``PRAGMA application_id``: "ctsg"; a file with another id is another program's."""

HASHED: Final[dict[str, tuple[str, ...]]] = {
    "intents": (
        "id", "module", "symbol", "side", "quantity", "worst_price", "max_fee", "stop", "target", "reduce_only",
        "reason", "strength", "confidence", "created_ms", "expires_ms", "config_version",
    ),
    "intent_legs": ("intent_id", "number", "price", "quantity", "target", "rest_ms"),
    "intent_acts": ("intent_id", "kind", "terms", "replaces"),
    "authorisations": ("payload_id", "trade_id", "text", "signature", "address", "signer", "signed_ms"),
    "order_events": (
        "client_id", "from_state", "to_state", "filled", "revision", "ts_ms", "detail",
    ),
    "fills": (
        "venue", "fill_id", "client_id", "trade_id", "module", "symbol", "side", "price", "quantity", "fee",
        "fee_asset", "ts_ms",
    ),
    "fill_notionals": ("venue", "fill_id", "notional"),
    "fill_changes": ("venue", "fill_id", "state"),
    "postings": ("account", "asset", "amount"),
    "config_changes": ("version", "key", "old", "new", "source"),
    "seals": ("sealed_seq", "hash", "text", "signature", "address", "signer", "sealed_ms"),
    "adjustments": ("subject", "amount", "venue_has", "ledger_has", "block", "reason", "wall_ms"),
}  # fmt: skip
"""Columns of each hashed table in hashing order, without `seq`."""

KNOWN: Final = (
    "m001_slice",
    "m002_fewer_pages",
    "m003_attention",
    "m004_modules",
    "m005_baskets",
    "m006_accounts",
    "m007_seals",
    "m008_transactions",
    "m009_alert_deliveries",
    "m010_acts",
    "m011_adjustments",
)
"""Names of the migrations in `migrations`, oldest first, as recorded in ``_sqlite_migrations``."""

LATEST: Final = KNOWN[-1]
