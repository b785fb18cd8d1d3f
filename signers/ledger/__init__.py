"""Ledger devices: Ethereum and Solana over USB HID, or over the socket of the emulator Speculos.

find, hid, tcp      where a device is and how one APDU reaches it and its answer comes back
channel             one APDU in flight; given up after anything that may leave an answer unread
apdu, apps          encoding, status words, which app is open
ethereum, solana, eip712   the commands of each app
filters, filtered   typed data with the fields to show, as signed by Ledger
clearsign_*         what the device will show, line by line
driver              `LedgerSigner`, which implements `signers.base.Signer`
"""

from signers.ledger.descriptors import Descriptors
from signers.ledger.driver import LedgerSigner

__all__ = ["Descriptors", "LedgerSigner"]
