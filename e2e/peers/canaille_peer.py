"""A real Canaille (identity provider with OIDC and SCIM 2.0), seeded and served on 127.0.0.1.

`--dir` is an empty directory for its configuration and database; started again on the same directory it keeps what is
there. It prints one line of JSON when it answers, and ends when standard input closes. Its own command changes it while
it runs: `CANAILLE_CONFIG=<dir>/canaille.toml .tools/py/bin/canaille set user ada --title Boss`.
"""

import argparse
import datetime
import json
import os
import pathlib
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configure(directory, port, token_seconds, administrator):
    """Writes Canaille's configuration and names it in the environment, before anything of Canaille is imported."""
    path = directory / "canaille.toml"
    path.write_text(
        f"""SECRET_KEY = "only-for-tests-on-this-machine"
SERVER_NAME = "127.0.0.1:{port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{directory}/canaille.sqlite"
[CANAILLE_SCIM]
ENABLE_SERVER = true
[CANAILLE_OIDC]
"""
        + (
            f"""[OAUTH2_TOKEN_EXPIRES_IN]
authorization_code = {token_seconds}
refresh_token = {token_seconds}
"""
            if token_seconds
            else ""
        )
        + (
            f"""[CANAILLE.ACL.DEFAULT]
PERMISSIONS = ["edit_self", "use_oidc"]
[CANAILLE.ACL.ADMIN]
PERMISSIONS = ["manage_users", "manage_all_groups"]
FILTER = {{ user_name = "{administrator}" }}
"""
            if administrator
            else ""
        )
    )
    os.environ["CANAILLE_CONFIG"] = str(path)
    return path


def seed(wanted):
    """Creates the schema and the seed's records through Canaille's own models."""
    from canaille import create_app
    from canaille.app import models
    from canaille.app.installation import install
    from canaille.backends import Backend

    app = create_app()
    with app.app_context():
        install(app)
        with Backend.instance.session():
            for values in wanted["clients"]:
                client = models.Client(client_id_issued_at=datetime.datetime.now(datetime.timezone.utc), **values)
                Backend.instance.save(client)
            users = {}
            for values in wanted["users"]:
                if "lock_date" in values:
                    values["lock_date"] = datetime.datetime.fromisoformat(values["lock_date"])
                user = users[values["user_name"]] = models.User(**values)
                Backend.instance.save(user)
            for values in wanted["groups"]:
                values["members"] = [users[name] for name in values["members"]]
                values["owner"] = users[values["owner"]]
                Backend.instance.save(models.Group(**values))


def announce_when_up(facts):
    """Waits for the first answer, prints the facts, then waits for the parent's end of standard input."""
    for _ in range(600):
        try:
            urllib.request.urlopen(facts["url"] + "/.well-known/openid-configuration", timeout=2).read()
            break
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.05)
    else:
        print(f"peer canaille: no answer at {facts['url']} after 30 s", file=sys.stderr, flush=True)
        os._exit(1)
    print(json.dumps(facts), flush=True)
    sys.stdin.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token-seconds", type=int, default=0, help="how long tokens of people last")
    parser.add_argument("--administrator", help="the user who may read everybody")
    parser.add_argument("--seed", type=pathlib.Path, default=HERE / "canaille.seed.json")
    options = parser.parse_args()
    directory = options.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    port = options.port or free_port()
    config = configure(directory, port, options.token_seconds, options.administrator)
    wanted = json.loads(options.seed.read_text())
    url = f"http://127.0.0.1:{port}"
    facts = {
        "url": url,
        "scim_url": f"{url}/scim/v2",
        "token_url": f"{url}/oauth/token",
        "client_id": wanted["clients"][0]["client_id"],
        "client_secret": wanted["clients"][0]["client_secret"],
        "config": str(config),
        "admin": str(pathlib.Path(sys.executable).parent / "canaille"),
        "pid": os.getpid(),
    }
    if not (directory / "canaille.sqlite").exists():
        # The command prints migrations on standard output; the one line there is ours.
        seed(wanted)
    threading.Thread(target=announce_when_up, args=(facts,), daemon=True).start()

    from canaille.commands import cli

    # No worker processes: whoever stops or kills this process has stopped the server.
    cli(["run", "--workers", "0", "--bind", f"127.0.0.1:{port}"], standalone_mode=True)


if __name__ == "__main__":
    main()
