"""What the app finds where it is started: proxies, folders for temporary files, ports, an output that is not UTF-8.

Looked at before torch and Gradio are imported: both take seconds, and Gradio reads all of these while it starts.
"""

import atexit
import contextlib
import errno
import io
import os
import shutil
import socket
import ssl
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx

LOCAL = ("localhost", "127.0.0.1", "::1")
PORTS = range(1, 65536)
OFFERED = 100  # ports after a taken one that are tried


def prepare() -> tuple[str, int]:
    """Makes the surroundings fit for Gradio; the host and the port to serve at. Raises SystemExit in one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="replace")
    host, port = address()
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):  # Gradio reads them once more, and not all that they say
        os.environ.pop(name, None)
    leave_out_lost_certificates()
    tame_proxies(host)
    own_temporary_folder()
    return host, port


# ---- Certificates and proxies


def leave_out_lost_certificates() -> None:
    """SSL_CERT_FILE of an environment that is gone, as conda leaves it behind: httpx would not start."""
    given = os.environ.get("SSL_CERT_FILE")
    try:
        if given:
            ssl.create_default_context(cafile=given)
    except (OSError, ValueError):
        del os.environ["SSL_CERT_FILE"]
        print(f"SSL_CERT_FILE is left out: {given} holds no certificates that can be read.", file=sys.stderr)


def tame_proxies(host: str) -> None:
    """Gradio asks its own server at the start, and httpx does not start with a proxy that it can't use."""
    found = urllib.request.getproxies()  # of the environment, or else of Windows and macOS
    for scheme in ("http", "https", "all"):
        url = found.get(scheme, "").strip()
        _set_both(f"{scheme}_proxy", url if url and _usable(scheme, url) else "")
    spared = [name.strip() for name in found.get("no", "").split(",") if name.strip()]
    spared += [name for name in (*LOCAL, host.strip("[]")) if name not in spared]
    _set_both("no_proxy", ",".join(name for name in spared if name == "*" or _can_be_spared(name)))


def _set_both(name: str, value: str) -> None:
    """In both spellings: which of them a library prefers differs."""
    for spelling in [key for key in os.environ if key.lower() == name]:
        del os.environ[spelling]
    if value:
        os.environ[name] = os.environ[name.upper()] = value


def _usable(scheme: str, url: str) -> bool:
    try:
        httpx.HTTPTransport(proxy=url if "://" in url else f"http://{url}", verify=False).close()
        return True
    except ImportError:
        why = "it is a SOCKS proxy, which needs pip install socksio"
    except Exception:  # httpx has several for what is no address
        why = "it is no address of a proxy of a kind that can be used"
    print(f"The proxy of {scheme.upper()}_PROXY is left out: {why}.", file=sys.stderr)
    return False


def _can_be_spared(name: str) -> bool:
    """Whether httpx bears this entry of NO_PROXY: it reads each as an address."""
    with _only("no_proxy", name):
        try:
            httpx.Client(verify=False).close()
            return True
        except Exception:
            print(f"The entry {name!r} of NO_PROXY is left out: it is no address.", file=sys.stderr)
            return False


@contextlib.contextmanager
def _only(name: str, value: str) -> Iterator[None]:
    """With this variable alone of those that are about proxies."""
    before = {key: os.environ.pop(key) for key in list(os.environ) if key.lower().endswith("_proxy")}
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        os.environ.update(before)


# ---- Folders


def own_temporary_folder() -> None:
    """Gradio's own, /tmp/gradio, is shared by all users of a machine, and may belong to another one."""
    given = os.environ.get("GRADIO_TEMP_DIR", "").strip()
    if given and writable(Path(given)):
        return
    if given:
        print(f"GRADIO_TEMP_DIR is left out: {given} can't be written to.", file=sys.stderr)
    try:
        folder = tempfile.mkdtemp(prefix="dogvae-")
    except OSError:
        sys.exit("There is no folder for temporary files; set TMPDIR to one that can be written to.")
    os.environ["GRADIO_TEMP_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return True
    except (OSError, ValueError):
        return False


# ---- Host and port


def address() -> tuple[str, int]:
    """GRADIO_SERVER_NAME, PORT or GRADIO_SERVER_PORT, if they can be served at. Raises SystemExit."""
    host = os.environ.get("GRADIO_SERVER_NAME", "").strip().strip("[]") or "127.0.0.1"
    name = "PORT" if os.environ.get("PORT") else "GRADIO_SERVER_PORT"
    given = os.environ.get(name) or "7860"
    port = int(given) if given.strip().isascii() and given.strip().isdigit() and len(given) < 9 else 0
    if port not in PORTS:
        sys.exit(f"{name} is a number from 1 to 65535, such as 7860; {given!r} is not.")
    why = blocked(host, port)
    if why:
        sys.exit(why)
    return f"[{host}]" if ":" in host else host, port


def blocked(host: str, port: int) -> str:
    """Why the app can't be served there, in one sentence; empty where it can."""
    host = host.strip("[]")
    try:
        for place in dict.fromkeys((host, "127.0.0.1")):  # Gradio tries the second in any case
            _bind(place, port)
    except socket.gaierror:
        return f"There is no address {host!r} to serve at; set GRADIO_SERVER_NAME to 127.0.0.1 or 0.0.0.0."
    except (OSError, UnicodeError) as error:
        reason = error.errno if isinstance(error, OSError) else None
        if reason == errno.EACCES:
            return f"Port {port} needs rights that you don't have; start with a higher one, such as PORT=7860."
        if reason != errno.EADDRINUSE:
            return f"This machine can't serve at {host}; set GRADIO_SERVER_NAME to 127.0.0.1 or 0.0.0.0."
        free = next((other for other in range(port + 1, min(port + OFFERED, 65536)) if _free(host, other)), None)
        offer = f"start with PORT={free}, which is free" if free else "start with another one, such as PORT=7860"
        return f"Port {port} is taken by another program; {offer}."
    return ""


def _free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
        _bind("127.0.0.1", port)
        return True
    except OSError:
        return False


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as tried:
        if sys.platform != "win32":  # where it would take a port from another program
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(place)
        tried.listen(1)
