"""Secrets in the operating system's keyring, and nowhere else.

keyring picks a backend by priority and by the environment, and would as happily take one that forgets everything (null)
or writes a plain file (keyrings.alt). So the backend is checked against an allow-list by class, each time. A backend's
error may hold the secret it was given, so none is ever chained or shown: its class name is all that gets out.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

ALLOWED: Final = (
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
    ("keyring.backends.kwallet", "DBusKeyringKWallet4"),
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
)
"""Module and class of every backend that keeps secrets encrypted under the user's login."""

_CHAINER: Final = ("keyring.backends.chainer", "ChainerBackend")
_NAME: Final = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)
_INDEX: Final = "@names"
"""Not a valid name, so no secret can take its place."""
_MAX_LENGTH: Final = 4_096
"""Characters; an RSA key in PEM has 1,700. (Windows itself keeps only 1,280 and refuses more.)"""

_INSTALL: Final = {
    "linux": "Install and unlock a Secret Service (gnome-keyring, KeePassXC) or KWallet, with a session bus (D-Bus)",
    "darwin": "Unlock the login keychain",
    "win32": "Log in to Windows with the Credential Manager service running",
}


class SecretsError(Exception):
    """The keyring said no, or must not be used.

    Attributes:
        code: stable word: ``secrets.backend``, ``secrets.name``, ``secrets.value``, ``secrets.absent``,
            ``secrets.timeout``, ``secrets.failed``.
        what: one sentence, never with a secret in it.
        next_step: what the trader can do.
    """

    def __init__(self, code: str, what: str, next_step: str) -> None:
        super().__init__(f"{what} {next_step}")
        self.code = code
        self.what = what
        self.next_step = next_step


class Secret:
    """A secret that shows itself only when asked: no repr, format, pickle, copy or traceback gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value. Keep it in no variable that outlives its use."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    __hash__ = None  # type: ignore[assignment] # a key of a dict would keep it alive

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")


class SecretStore:
    """Named secrets of one service in the OS keyring.

    Every call to a backend has a deadline: a locked keyring asks on a screen that may not be there, and would wait for
    ever. A call that is given up may still happen when the keyring is unlocked later; the error says so.

    Args:
        service: how the keyring groups entries.
        timeout_s: for each call, the trader's time to type a keyring password included.
    """

    def __init__(self, service: str = "countersign", *, timeout_s: float = 30.0) -> None:
        self._service = service
        self._timeout_s = timeout_s
        self._backend: KeyringBackend | None = None

    def backend_name(self) -> str:
        """Module and class of the backend in use.

        Raises:
            SecretsError: no allowed backend.
        """
        backend = self._open()
        return f"{type(backend).__module__}.{type(backend).__qualname__}"

    def set(self, name: str, value: Secret) -> None:
        """Store `value`, replacing what was there.

        The name is indexed first: a crash in between leaves a name without a secret, never a secret nobody lists.

        Raises:
            SecretsError: name or value not allowed, backend not allowed, or the keyring failed.
        """
        _check_name(name)
        _check_value(name, value)
        backend = self._open()
        names = self._names(backend)
        if name not in names:
            self._write_names(backend, sorted({*names, name}))
        self._call(f"store {name}", lambda: backend.set_password(self._service, name, value.reveal()), changes=True)

    def get(self, name: str) -> Secret:
        """The secret called `name`.

        Raises:
            SecretsError: there is none (``secrets.absent``), or as for `set`.
        """
        _check_name(name)
        found = self._read(self._open(), name)
        if found is None:
            raise _absent(name)
        return found

    def rotate(self, name: str, new: Secret) -> None:
        """Replace the secret called `name`, which must exist.

        Raises:
            SecretsError: as for `get` and `set`.
        """
        self.get(name)
        self.set(name, new)

    def delete(self, name: str) -> None:
        """Forget `name` and its secret. The index goes last, for the reason given at `set`.

        Raises:
            SecretsError: neither a secret nor a name, or as for `set`.
        """
        _check_name(name)
        backend = self._open()
        names = self._names(backend)
        stored = self._read(backend, name) is not None
        if not stored and name not in names:
            raise _absent(name)
        if stored:
            self._call(f"delete {name}", lambda: backend.delete_password(self._service, name), changes=True)
        if name in names:
            self._write_names(backend, [each for each in names if each != name])

    def names(self) -> tuple[str, ...]:
        """The names, sorted; never the values.

        Raises:
            SecretsError: as for `set`.
        """
        return tuple(self._names(self._open()))

    def _open(self) -> KeyringBackend:
        if self._backend is None:
            self._backend = self._call("find the keyring", _allowed_backend, changes=False)
        return self._backend

    def _read(self, backend: KeyringBackend, name: str) -> Secret | None:
        def read() -> Secret | None:
            value = backend.get_password(self._service, name)
            return None if value is None else Secret(value)

        return self._call(f"read {name}", read, changes=False)

    def _names(self, backend: KeyringBackend) -> list[str]:
        stored = self._read(backend, _INDEX)
        if stored is None:
            return []
        try:
            names = json.loads(stored.reveal())
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            raise SecretsError(
                "secrets.failed",
                f"The list of names in the keyring (service {self._service}, entry {_INDEX}) is damaged.",
                "Remove that entry with the keyring's own program, then set each secret again.",
            )
        return sorted(names)

    def _write_names(self, backend: KeyringBackend, names: list[str]) -> None:
        text = json.dumps(names)
        if len(text) > _MAX_LENGTH:
            raise SecretsError("secrets.failed", "The keyring holds as many names as fit.", "Remove one first.")
        self._call("list the name", lambda: backend.set_password(self._service, _INDEX, text), changes=True)

    def _call(self, action: str, call: Callable[[], T], *, changes: bool) -> T:
        """Run `call` in a daemon thread, which does not hold up the program's exit when it never returns."""
        outcome: list[tuple[T | None, SecretsError | None]] = []

        def run() -> None:
            try:
                outcome.append((call(), None))
            except SecretsError as error:
                outcome.append((None, error))
            except Exception as error:  # noqa: BLE001 -- any library of any backend; the seam where it must end
                # Neither its text nor the error itself gets out: both may hold what it was asked to store.
                outcome.append((None, _failed(action, type(error).__name__)))

        thread = threading.Thread(target=run, name="keyring", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if not outcome:
            later = " It may still happen when the keyring is unlocked." if changes else ""
            raise SecretsError(
                "secrets.timeout",
                f"The keyring did not answer within {self._timeout_s:g} s (to {action}).{later}",
                "It is probably locked: unlock it and repeat.",
            )
        result, refused = outcome.pop()
        if refused is not None:
            # `from None` hides a context but keeps it; made and raised anew outside the handler it has none.
            raise SecretsError(refused.code, refused.what, refused.next_step)
        return result  # type: ignore[return-value] # not refused: T, which may itself be None


def _failed(action: str, kind: str) -> SecretsError:
    return SecretsError(
        "secrets.failed", f"The keyring failed to {action} ({kind}).", "Check that it is unlocked, and repeat."
    )


def _allowed_backend() -> KeyringBackend:
    import keyring  # noqa: PLC0415 -- 0.15 s; practice never touches it

    chosen = keyring.get_keyring()
    if _is(chosen, *_CHAINER):
        # A chainer asks its members in turn, so a plain file could answer first: take the one that may.
        members = list(getattr(chosen, "backends", []))
        allowed = next((member for member in members if _is_allowed(member)), None)
        if allowed is not None:
            return allowed  # type: ignore[no-any-return] # a member of a chainer is a backend
    elif _is_allowed(chosen):
        return chosen
    step = _INSTALL.get(sys.platform, _INSTALL["linux"])
    found = f"{type(chosen).__module__}.{type(chosen).__qualname__}"
    raise SecretsError(
        "secrets.backend",
        f"The keyring backend is {found}, which does not keep secrets safe; "
        "allowed: Secret Service, KWallet, macOS Keychain, Windows Credential Manager.",
        f"{step}; if PYTHON_KEYRING_BACKEND or keyringrc.cfg names another backend, remove that.",
    )


def _is_allowed(backend: object) -> bool:
    return any(_is(backend, module, name) for module, name in ALLOWED)


def _is(backend: object, module: str, name: str) -> bool:
    """By identity of the class: a subclass or a namesake is not the class that was judged."""
    known = getattr(sys.modules.get(module), name, None)
    return known is not None and type(backend) is known


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        # Not repeated: whoever mixes up the arguments has put the secret here.
        raise SecretsError(
            "secrets.name",
            "The name of a secret is not allowed.",
            "Use 1 to 64 of: lower-case letters, digits, dot, dash, underscore.",
        )


def _check_value(name: str, value: Secret) -> None:
    if not _fits(value):
        raise SecretsError(
            "secrets.value",
            f"The value of {name} is empty, longer than {_MAX_LENGTH} characters or has control characters.",
            "Nothing was stored. Enter it again.",
        )


def _fits(value: Secret) -> bool:
    # In its own frame, so that no traceback with local variables shows the text. A PEM key has line breaks.
    text = value.reveal()
    return 0 < len(text) <= _MAX_LENGTH and text.replace("\n", "").isprintable()


def _absent(name: str) -> SecretsError:
    return SecretsError("secrets.absent", f"There is no secret called {name}.", "See `countersign secrets list`.")
