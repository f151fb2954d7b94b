"""A real SMTP server (aiosmtpd) that wants STARTTLS and a password, and a certificate authority of its own.

`--dir` is a directory for certificates and the password; started again on it, it keeps them. The password that it accepts is
read from `DIR/password` at each sign-in, so that a test can change it. Mails are written to `DIR/mails` as they came, one
file each, after a line that says how the connection was secured and who had signed in. It prints one line of JSON when it
answers, and ends when standard input closes.
"""

import argparse
import email
import email.policy
import json
import pathlib
import ssl
import subprocess
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificates(directory):
    """An authority and a certificate for this machine, made once."""
    if (directory / "server.pem").exists():
        return
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", str(directory / "ca.key"), "-out", str(directory / "ca.pem"))
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", str(directory / "server.key"),
        "-out", str(directory / "server.csr"))
    extensions = directory / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    run("openssl", "x509", "-req", "-in", str(directory / "server.csr"), "-CA", str(directory / "ca.pem"), "-CAkey",
        str(directory / "ca.key"), "-CAcreateserial", "-days", "30", "-extfile", str(extensions), "-out",
        str(directory / "server.pem"))


class Box:
    """Keeps what arrives."""

    def __init__(self, directory):
        self.mails = directory / "mails"
        self.mails.mkdir(exist_ok=True)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        facts = {
            "tls": session.ssl is not None,
            "login": getattr(session.auth_data, "login", b"").decode() if session.auth_data else None,
            "to": envelope.rcpt_tos,
            "id": message["Message-ID"],
            "subject": message["Subject"],
            "headers": {name: str(value) for name, value in message.items()},
            "parts": {part.get_content_type(): part.get_payload(decode=True).decode() for part in message.walk()
                      if not part.is_multipart()},
        }
        number = len(list(self.mails.iterdir()))
        draft = self.mails.parent / "draft.json"
        draft.write_text(json.dumps(facts))
        draft.rename(self.mails / f"{number:04}.json")
        return "250 taken"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    certificates(given.dir)
    password = given.dir / "password"
    if not password.exists():
        password.write_text("let-me-in")

    def authenticate(server, session, envelope, mechanism, data):
        good = data.login == b"parapet" and data.password == password.read_bytes()
        return AuthResult(success=good, handled=False, auth_data=data)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given.dir / "server.pem", given.dir / "server.key")

    class Server(Controller):
        def factory(self):
            return SMTP(self.handler, hostname="mail.test", tls_context=context, require_starttls=True, auth_required=True,
                        auth_require_tls=True, authenticator=authenticate)

    port = given.port
    if port == 0:
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    server = Server(Box(given.dir), hostname="127.0.0.1", port=port)
    server.start()
    print(json.dumps({"url": f"smtp://127.0.0.1:{port}", "port": port, "ca": str(given.dir / "ca.pem")}), flush=True)
    sys.stdin.read()
    server.stop()


main()
