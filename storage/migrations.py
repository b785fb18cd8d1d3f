"""The numbered, forward-only migrations: what each version's tables are. A migration that was released never changes.

Apart from `schema`, because sqlite-utils costs 150 ms and only the trader's start needs it.
"""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database, Migrations

_M001: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE runs (
    id TEXT PRIMARY KEY, pid INTEGER NOT NULL, version TEXT NOT NULL, source TEXT NOT NULL,
    config_version INTEGER NOT NULL,
    market_start_ms INTEGER NOT NULL, wall_start_ms INTEGER NOT NULL, wall_end_ms INTEGER, outcome TEXT
) STRICT;
CREATE TABLE cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT NOT NULL, position INTEGER NOT NULL, ts_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    prev_hash BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;

CREATE TABLE intents (
    seq INTEGER NOT NULL REFERENCES journal, id TEXT PRIMARY KEY, module TEXT NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, quantity TEXT NOT NULL, worst_price TEXT NOT NULL, max_fee TEXT NOT NULL,
    stop TEXT, target TEXT,
    reduce_only INTEGER NOT NULL, reason TEXT NOT NULL, strength TEXT NOT NULL, confidence TEXT NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, config_version INTEGER NOT NULL
) STRICT;
CREATE TABLE authorisations (
    seq INTEGER NOT NULL REFERENCES journal, payload_id TEXT PRIMARY KEY, trade_id TEXT NOT NULL, text TEXT NOT NULL,
    signature TEXT NOT NULL, address TEXT NOT NULL, signer TEXT NOT NULL, signed_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE order_events (
    seq INTEGER NOT NULL REFERENCES journal, client_id TEXT NOT NULL, from_state TEXT, to_state TEXT NOT NULL,
    filled TEXT NOT NULL, revision INTEGER NOT NULL, ts_ms INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX order_events_client ON order_events (client_id);
CREATE TABLE fills (
    seq INTEGER NOT NULL REFERENCES journal, venue TEXT NOT NULL, fill_id TEXT NOT NULL, client_id TEXT NOT NULL,
    trade_id TEXT NOT NULL, module TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL,
    quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, ts_ms INTEGER NOT NULL,
    PRIMARY KEY (venue, fill_id)
) STRICT;
CREATE TABLE postings (
    seq INTEGER NOT NULL REFERENCES journal, account TEXT NOT NULL, asset TEXT NOT NULL, amount TEXT NOT NULL
) STRICT;
CREATE INDEX postings_seq ON postings (seq);
CREATE TABLE config_changes (
    seq INTEGER NOT NULL REFERENCES journal, version INTEGER NOT NULL, key TEXT NOT NULL, old TEXT, new TEXT,
    source TEXT NOT NULL
) STRICT;

CREATE TABLE trades (
    id TEXT PRIMARY KEY, module TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX trades_state ON trades (state);
CREATE TABLE payloads (
    id TEXT PRIMARY KEY, trade_id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL,
    preview TEXT NOT NULL, valid_until_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX payloads_trade ON payloads (trade_id);
CREATE TABLE orders (
    client_id TEXT PRIMARY KEY, trade_id TEXT NOT NULL, role TEXT NOT NULL, terms TEXT NOT NULL, state TEXT NOT NULL,
    filled TEXT NOT NULL, revision INTEGER NOT NULL, venue_order_id TEXT NOT NULL, updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_trade ON orders (trade_id);
CREATE INDEX orders_state ON orders (state);
CREATE TABLE reservations (
    trade_id TEXT PRIMARY KEY, asset TEXT NOT NULL, amount TEXT NOT NULL, remaining TEXT NOT NULL, state TEXT NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE balances (
    account TEXT NOT NULL, asset TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (account, asset)
) STRICT;
CREATE TABLE module_positions (
    module TEXT NOT NULL, symbol TEXT NOT NULL, quantity TEXT NOT NULL, cost TEXT NOT NULL, realised TEXT NOT NULL,
    fees TEXT NOT NULL, opened_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY (module, symbol)
) STRICT;
CREATE TABLE modules (
    name TEXT PRIMARY KEY, version TEXT NOT NULL, state TEXT NOT NULL, allocation TEXT NOT NULL, reason TEXT NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE module_metrics (
    id INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, module TEXT NOT NULL, bars INTEGER NOT NULL,
    signals INTEGER NOT NULL,
    intents INTEGER NOT NULL, denied INTEGER NOT NULL, dropped INTEGER NOT NULL, submitted INTEGER NOT NULL,
    fills INTEGER NOT NULL
) STRICT;
CREATE TABLE quotes (
    id INTEGER PRIMARY KEY, trade_id TEXT NOT NULL, stage TEXT NOT NULL, symbol TEXT NOT NULL, ts_ms INTEGER NOT NULL,
    bid TEXT NOT NULL, ask TEXT NOT NULL, synthetic INTEGER NOT NULL
) STRICT;
CREATE TABLE latencies (
    id INTEGER PRIMARY KEY, trade_id TEXT NOT NULL, step TEXT NOT NULL, micros INTEGER NOT NULL
) STRICT;
CREATE TABLE equity (
    id INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, equity TEXT NOT NULL, exposure TEXT NOT NULL,
    open_positions INTEGER NOT NULL
) STRICT;
CREATE INDEX equity_ts ON equity (ts_ms);
CREATE TABLE marks (symbol TEXT PRIMARY KEY, price TEXT NOT NULL, ts_ms INTEGER NOT NULL) STRICT;
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    subject TEXT NOT NULL, acknowledged_ms INTEGER
) STRICT;
CREATE TABLE errors (
    id INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, class TEXT NOT NULL, severity TEXT NOT NULL, code TEXT NOT NULL,
    what TEXT NOT NULL, sent TEXT NOT NULL, next_step TEXT NOT NULL, subject TEXT NOT NULL, acknowledged_ms INTEGER
) STRICT;
"""

MIGRATIONS: Final = Migrations("countersign")


def _run(db: Database, script: str) -> None:
    # executescript would commit the transaction the migration runs in
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@MIGRATIONS()
def m001_slice(db: Database) -> None:
    """Everything one trade needs, from intent to posting."""
    _run(db, _M001)


_M002: Final = """
DROP INDEX order_events_client;
DROP INDEX postings_seq;
ALTER TABLE reservations RENAME TO old_reservations;
CREATE TABLE reservations (
    trade_id TEXT PRIMARY KEY, asset TEXT NOT NULL, amount TEXT NOT NULL, remaining TEXT NOT NULL, state TEXT NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO reservations SELECT * FROM old_reservations;
DROP TABLE old_reservations;
ALTER TABLE balances RENAME TO old_balances;
CREATE TABLE balances (
    account TEXT NOT NULL, asset TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (account, asset)
) STRICT, WITHOUT ROWID;
INSERT INTO balances SELECT * FROM old_balances;
DROP TABLE old_balances;
ALTER TABLE module_positions RENAME TO old_module_positions;
CREATE TABLE module_positions (
    module TEXT NOT NULL, symbol TEXT NOT NULL, quantity TEXT NOT NULL, cost TEXT NOT NULL, realised TEXT NOT NULL,
    fees TEXT NOT NULL, opened_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY (module, symbol)
) STRICT, WITHOUT ROWID;
INSERT INTO module_positions SELECT * FROM old_module_positions;
DROP TABLE old_module_positions;
ALTER TABLE equity ADD COLUMN profit TEXT;
"""


@MIGRATIONS()
def m002_fewer_pages(db: Database) -> None:
    """A commit writes each page it touches to the log: no index that no query uses, one b-tree per text key.

    A filled order touched 18 pages and touches 13, a quarter of its time.

    And a sample of equity keeps the profit in it. It stays NULL in the rows that are there already: their capital is
    not on record. Whoever rebuilds the curve leaves them out.
    """
    _run(db, _M002)


_ATTENTION: Final = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, trade_id TEXT NOT NULL, answer TEXT NOT NULL, code TEXT NOT NULL, counts INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE hypotheticals (
    trade_id TEXT PRIMARY KEY, answer TEXT NOT NULL, module TEXT NOT NULL, symbol TEXT NOT NULL, asset TEXT NOT NULL,
    quantity TEXT NOT NULL, entry TEXT NOT NULL, stop TEXT NOT NULL, target TEXT, fee_bps TEXT NOT NULL,
    begun_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, state TEXT NOT NULL, exit_price TEXT, exit_ms INTEGER,
    result TEXT, value TEXT
) STRICT;
"""


@MIGRATIONS()
def m003_attention(db: Database) -> None:
    """The trader's answers in the trader's own time, and what declined and expired entries would have made."""
    _run(db, _ATTENTION)


_MODULES: Final = """
ALTER TABLE modules ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modules ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE modules ADD COLUMN file_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE modules ADD COLUMN health TEXT NOT NULL DEFAULT '';
ALTER TABLE modules ADD COLUMN health_words TEXT NOT NULL DEFAULT '';
ALTER TABLE module_metrics ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE module_metrics ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE module_metrics ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE module_metrics ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE module_metrics ADD COLUMN committed TEXT;
ALTER TABLE module_metrics ADD COLUMN realised TEXT;
"""


@MIGRATIONS()
def m004_modules(db: Database) -> None:
    """A module's pause and restarts outlive the session, a third party's files are remembered, and a metrics row says
    what the module has at work and has earned (NULL: not known)."""
    _run(db, _MODULES)


_LEGS: Final = """
CREATE TABLE intent_legs (
    seq INTEGER NOT NULL REFERENCES journal, intent_id TEXT NOT NULL, number INTEGER NOT NULL, price TEXT NOT NULL,
    quantity TEXT NOT NULL, target TEXT NOT NULL, rest_ms INTEGER NOT NULL, PRIMARY KEY (intent_id, number)
) STRICT;
"""


@MIGRATIONS()
def m005_baskets(db: Database) -> None:
    """Legs of baskets: intents with several resting orders. A plain intent has none, and its rows hash as before."""
    _run(db, _LEGS)


_ACCOUNTS: Final = """
CREATE TABLE accounts (
    signer TEXT NOT NULL, chain TEXT NOT NULL, path TEXT NOT NULL, address TEXT NOT NULL, device TEXT NOT NULL,
    registered_ms INTEGER NOT NULL, used_ms INTEGER, PRIMARY KEY (signer, chain, path)
) STRICT;
INSERT INTO accounts
    SELECT 'demo', 'evm', substr(key, 13), value, 'demo', 0, NULL FROM meta WHERE key LIKE 'signer:demo:%';
DELETE FROM meta WHERE key LIKE 'signer:demo:%';
"""


@MIGRATIONS()
def m006_accounts(db: Database) -> None:
    """The addresses that a signer must answer, by chain and derivation path, and when each last signed."""
    _run(db, _ACCOUNTS)


_SEALS: Final = """
CREATE TABLE seals (
    seq INTEGER NOT NULL REFERENCES journal, sealed_seq INTEGER NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
    signature TEXT NOT NULL, address TEXT NOT NULL, signer TEXT NOT NULL, sealed_ms INTEGER NOT NULL
) STRICT;
"""


@MIGRATIONS()
def m007_seals(db: Database) -> None:
    """Heads of the hash chain that were signed on a device; each is a fact of the chain itself."""
    _run(db, _SEALS)


_TRANSACTIONS: Final = """
CREATE TABLE fill_notionals (
    seq INTEGER NOT NULL REFERENCES journal, venue TEXT NOT NULL, fill_id TEXT NOT NULL, notional TEXT NOT NULL,
    PRIMARY KEY (venue, fill_id)
) STRICT;
CREATE TABLE fill_changes (
    seq INTEGER NOT NULL REFERENCES journal, venue TEXT NOT NULL, fill_id TEXT NOT NULL, state TEXT NOT NULL
) STRICT;
ALTER TABLE payloads ADD COLUMN body TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN gas TEXT NOT NULL DEFAULT '0';
"""


@MIGRATIONS()
def m008_transactions(db: Database) -> None:
    """What a chain adds: unsigned transactions as payloads, exact quote amounts where a price would round them, fills
    that a reorganisation undid (or brought back), and what an order has cost in gas. Rows of other venues have none of
    it and hash as before."""
    _run(db, _TRANSACTIONS)


_DELIVERIES: Final = """
CREATE TABLE alert_deliveries (
    alert_id INTEGER NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    PRIMARY KEY (alert_id, channel)
) STRICT, WITHOUT ROWID;
"""


@MIGRATIONS()
def m009_alert_deliveries(db: Database) -> None:
    """What became of each alert that was to leave this computer, by channel; times are wall time, as the person's."""
    _run(db, _DELIVERIES)


_ACTS: Final = """
CREATE TABLE intent_acts (
    seq INTEGER NOT NULL REFERENCES journal, intent_id TEXT PRIMARY KEY, kind TEXT NOT NULL, terms TEXT NOT NULL,
    replaces TEXT NOT NULL
) STRICT;
ALTER TABLE orders ADD COLUMN moves TEXT NOT NULL DEFAULT '';
"""


@MIGRATIONS()
def m010_acts(db: Database) -> None:
    """What an intent does beside buying and selling, which transaction it takes the place of, and what an act has
    moved. Rows of other intents have none of it and hash as before."""
    _run(db, _ACTS)


_ADJUSTMENTS: Final = """
CREATE TABLE adjustments (
    seq INTEGER NOT NULL REFERENCES journal, subject TEXT NOT NULL, amount TEXT NOT NULL, venue_has TEXT NOT NULL,
    ledger_has TEXT NOT NULL, block TEXT NOT NULL, reason TEXT NOT NULL, wall_ms INTEGER NOT NULL
) STRICT;
"""


@MIGRATIONS()
def m011_adjustments(db: Database) -> None:
    """What the trader posted to make the ledger say what the venue has: the asset (or ``nonce``), both figures, the
    block that they are of, and why. Times are wall time, as the person's."""
    _run(db, _ADJUSTMENTS)
