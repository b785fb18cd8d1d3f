"""Secrets: only allowed backends, nothing shown, no wait without end; a real keyring where there is one."""

from __future__ import annotations

import copy
import io
import os
import pickle
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, chainer, fail, null
from keyring.errors import KeyringLocked

from storage.secrets import Secret, SecretsError, SecretStore

VALUE = "hunter2-Very-Secret"


class PlainFile(KeyringBackend):
    """What keyrings.alt does: a backend that is not on the list."""

    priority = 9
    kept: dict[str, str] = {}  # noqa: RUF012 -- as careless as the real one

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 -- the interface
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:  # noqa: ARG002 -- the interface
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:  # noqa: ARG002 -- the interface
        del self.kept[username]


class Imitation(SecretService.Keyring):
    """A subclass could send the secret anywhere."""

    priority = 9


Imitation.__module__, Imitation.__qualname__ = "keyring.backends.SecretService", "Keyring"


def made(kind: type[KeyringBackend]) -> KeyringBackend:
    """An instance; the library's constructors have no types."""
    return kind()


@pytest.fixture(autouse=True)
def _own_backend() -> Iterator[None]:
    from keyring import core  # noqa: PLC0415 -- only to put back what was there

    before = core._keyring_backend
    yield
    core._keyring_backend = before
    PlainFile.kept.clear()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The allowed class, with its D-Bus calls answered from a dict: naming, order and errors can be tested anywhere."""
    entries: dict[str, str] = {}

    def get_password(_: object, service: str, name: str) -> str | None:
        return entries.get(name)

    def set_password(_: object, service: str, name: str, value: str) -> None:
        entries[name] = value

    def delete_password(_: object, service: str, name: str) -> None:
        del entries[name]

    monkeypatch.setattr(SecretService.Keyring, "get_password", get_password)
    monkeypatch.setattr(SecretService.Keyring, "set_password", set_password)
    monkeypatch.setattr(SecretService.Keyring, "delete_password", delete_password)
    keyring.set_keyring(made(SecretService.Keyring))
    return entries


def refused(store: SecretStore, call: str, *args: object) -> SecretsError:
    """The error of one call; nothing reachable from it may hold the secret."""
    with pytest.raises(SecretsError) as caught:
        getattr(store, call)(*args)
    error = caught.value
    assert error.next_step
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = io.StringIO()
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    # This test's own frames hold the value on purpose.
    whole.stack = traceback.StackSummary.from_list([each for each in whole.stack if each.filename != __file__])
    whole.print(file=shown)
    assert VALUE not in shown.getvalue() + repr(error) + str(error)
    return error


@pytest.mark.parametrize(
    "backend",
    [made(null.Keyring), made(fail.Keyring), made(PlainFile), made(Imitation)],
    ids=["null", "fail", "file", "imitation"],
)
def test_a_backend_that_is_not_on_the_list_is_refused_and_told_what_to_install(backend: KeyringBackend) -> None:
    keyring.set_keyring(backend)
    for call, args in (("get", ["a"]), ("set", ["a", Secret(VALUE)]), ("delete", ["a"]), ("names", [])):
        error = refused(SecretStore(), call, *args)
        assert error.code == "secrets.backend"
        assert "Secret Service, KWallet, macOS Keychain, Windows Credential Manager" in error.what
        assert "nstall" in error.next_step or sys.platform != "linux"
    assert PlainFile.kept == {}


def test_a_backend_chosen_by_the_environment_is_refused_too() -> None:
    code = (
        "from storage.secrets import *\ntry:\n    SecretStore().names()\n"
        "except SecretsError as error:\n    print(error)"
    )
    for name in ("keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"):
        env = os.environ | {"PYTHON_KEYRING_BACKEND": name}
        done = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
        assert name in done.stdout
        assert "PYTHON_KEYRING_BACKEND" in done.stdout


def test_of_a_chain_only_an_allowed_member_is_used(monkeypatch: pytest.MonkeyPatch, kept: dict[str, str]) -> None:
    members: list[KeyringBackend] = [made(PlainFile), made(null.Keyring), made(SecretService.Keyring)]
    monkeypatch.setattr(chainer.ChainerBackend, "backends", members)
    keyring.set_keyring(made(chainer.ChainerBackend))
    store = SecretStore()
    assert store.backend_name() == "keyring.backends.SecretService.Keyring"
    store.set("a", Secret(VALUE))
    assert kept["a"] == VALUE
    assert PlainFile.kept == {}
    del members[2]
    assert refused(SecretStore(), "get", "a").code == "secrets.backend"


def test_a_secret_is_set_listed_read_rotated_and_deleted(kept: dict[str, str]) -> None:
    store = SecretStore()
    assert store.names() == ()
    store.set("binance.api-key_1", Secret(VALUE))
    store.set("a", Secret("-----BEGIN PRIVATE KEY-----\nabc\n"))
    assert SecretStore().names() == ("a", "binance.api-key_1")
    assert store.get("binance.api-key_1").reveal() == VALUE
    store.rotate("binance.api-key_1", Secret("new"))
    assert store.get("binance.api-key_1") == Secret("new")
    store.delete("binance.api-key_1")
    assert store.names() == ("a",)
    assert set(kept) == {"a", "@names"}
    for call, args in (("get", []), ("delete", []), ("rotate", [Secret(VALUE)])):
        assert refused(store, call, "binance.api-key_1", *args).code == "secrets.absent"
    assert set(kept) == {"a", "@names"}


@pytest.mark.parametrize("name", ["", "A", "a b", "@names", "a/b", "é", "x" * 65, "a\n", "My-Secret-Value"])
def test_a_name_that_is_not_allowed_is_refused_and_not_repeated(kept: dict[str, str], name: str) -> None:
    error = refused(SecretStore(), "set", name, Secret(VALUE))
    assert error.code == "secrets.name"
    assert not name or len(name) < 4 or name not in str(error)
    assert kept == {}


@pytest.mark.parametrize("value", ["", VALUE + "\x00", VALUE + "\x1b", VALUE + "\ud800", VALUE * 300])
def test_a_value_that_is_not_allowed_is_refused(kept: dict[str, str], value: str) -> None:
    assert refused(SecretStore(), "set", "a", Secret(value)).code == "secrets.value"
    assert kept == {}


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(VALUE)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]!r}", "%s" % secret):  # noqa: UP031 -- each way
        assert VALUE not in text
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)


@pytest.mark.parametrize("method", ["set_password", "get_password", "delete_password"])
@pytest.mark.parametrize("kind", [KeyringLocked, OSError, RuntimeError, UnicodeDecodeError])
def test_a_failing_backend_gives_away_neither_secret_nor_text(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, str], method: str, kind: type[Exception]
) -> None:
    store = SecretStore()
    store.set("a", Secret(VALUE))

    def fails(*args: object) -> None:
        if kind is UnicodeDecodeError:
            raise UnicodeDecodeError("utf-8", VALUE.encode(), 0, 1, VALUE)
        raise kind(f"could not keep {VALUE} {args}")

    monkeypatch.setattr(SecretService.Keyring, method, fails)
    call = method.removesuffix("_password")
    error = refused(store, call, "b", Secret(VALUE)) if call == "set" else refused(store, call, "a")
    assert error.code == "secrets.failed"
    assert kind.__name__ in error.what


def test_a_crash_between_index_and_secret_never_leaves_an_unlisted_secret(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, str]
) -> None:
    writes: list[str] = []

    def second_write_fails(_: object, service: str, name: str, value: str) -> None:
        writes.append(name)
        if len(writes) == 2:
            raise KeyringLocked
        kept[name] = value

    monkeypatch.setattr(SecretService.Keyring, "set_password", second_write_fails)
    store = SecretStore()
    assert refused(store, "set", "a", Secret(VALUE)).code == "secrets.failed"
    assert writes == ["@names", "a"]
    assert store.names() == ("a",)
    store.delete("a")
    assert store.names() == ()


def test_a_locked_keyring_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, kept: dict[str, str]) -> None:
    unlocked = threading.Event()

    def prompts(*_: object) -> None:
        unlocked.wait()

    monkeypatch.setattr(SecretService.Keyring, "set_password", prompts)
    monkeypatch.setattr(SecretService.Keyring, "get_password", prompts)
    store = SecretStore(timeout_s=0.5)
    try:
        error = refused(store, "get", "a")
        assert error.code == "secrets.timeout"
        assert "may still happen" not in error.what
        monkeypatch.setattr(SecretService.Keyring, "get_password", lambda *_: None)
        assert "may still happen" in refused(store, "set", "a", Secret(VALUE)).what
    finally:
        unlocked.set()


def test_a_keyring_that_never_answers_does_not_hold_up_the_exit() -> None:
    code = """
import threading, keyring
from keyring.backends import SecretService
from storage.secrets import *
SecretService.Keyring.get_password = lambda *_: threading.Event().wait()
keyring.set_keyring(SecretService.Keyring())
try:
    SecretStore(timeout_s=0.05).get("a")
except SecretsError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "secrets.timeout"


@pytest.mark.parametrize("text", ["not json", "{}", '["A B"]', "[1]"])
def test_a_damaged_list_of_names_is_said_and_not_overwritten(kept: dict[str, str], text: str) -> None:
    kept["@names"] = text
    assert "damaged" in refused(SecretStore(), "set", "a", Secret(VALUE)).what
    assert kept == {"@names": text}


def test_importing_loads_no_keyring() -> None:
    code = "import sys, storage.secrets; sys.exit('keyring' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


REAL = """
import sys
from storage.secrets import Secret, SecretsError, SecretStore
store = SecretStore("countersign-test")
store.set("binance.api", Secret("hunter2-Very-Secret"))
store.set("b", Secret("\\u00fc -----BEGIN\\nx"))
assert SecretStore("countersign-test").get("binance.api").reveal() == "hunter2-Very-Secret"
assert store.get("b").reveal() == "\\u00fc -----BEGIN\\nx"
assert store.names() == ("b", "binance.api")
store.rotate("b", Secret("new"))
assert store.get("b").reveal() == "new"
assert SecretStore("another").names() == ()
store.delete("b")
try:
    store.get("b")
except SecretsError as error:
    assert error.code == "secrets.absent", error
assert store.names() == ("binance.api",)
print(store.backend_name())
"""

LOCKED = """
from storage.secrets import SecretsError, SecretStore
try:
    SecretStore("countersign-test", timeout_s=2).get("binance.api")
except SecretsError as error:
    print(error.code)
"""


def session(home: Path, daemon: str, code: str) -> subprocess.CompletedProcess[str]:
    """`code` on a session bus of its own, with a keyring of its own, unlocked by `daemon`."""
    for name in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"]}
    script = f'{daemon} >/dev/null 2>&1 || exit 9; exec "$0" -c "$1"'
    command = ["dbus-run-session", "--", "sh", "-c", script, sys.executable, code]
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.keyring
def test_a_real_keyring_keeps_gives_back_and_forgets(tmp_path: Path) -> None:
    unlock = "printf pw | gnome-keyring-daemon --unlock --components=secrets"
    done = session(tmp_path, unlock, REAL)
    assert done.stdout.strip() == "keyring.backends.SecretService.Keyring", done.stderr
    files = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert files
    assert not any(b"hunter2" in content for content in files)


@pytest.mark.keyring
def test_a_real_keyring_that_is_locked_or_absent_ends_in_an_error_in_time(tmp_path: Path) -> None:
    unlock = "printf pw | gnome-keyring-daemon --unlock --components=secrets"
    assert session(tmp_path, unlock, REAL).returncode == 0
    locked = session(tmp_path, "gnome-keyring-daemon --start --components=secrets", LOCKED)
    assert locked.stdout.strip() in {"secrets.timeout", "secrets.failed"}, locked.stderr
    assert "Traceback" not in locked.stderr
    absent = subprocess.run(
        [sys.executable, "-c", LOCKED],
        env={"HOME": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "PATH": os.environ["PATH"]},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert absent.stdout.strip() == "secrets.backend", absent.stderr
