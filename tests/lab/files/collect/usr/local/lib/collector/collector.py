"""Polls one feed and inserts what it gets into db01. A failure is logged as what it was; nothing is tried twice in a hurry."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

FEED = os.environ["FEED"]
PERIOD_S = 5
STATE = "/var/lib/collector/last.json"
INSERT = "insert into ticks (symbol, price, source) select symbol, price, :'source' from json_to_recordset(:'ticks') as t(symbol text, price numeric)"
DATABASE = "host=db01 dbname=market user=collector connect_timeout=5 application_name=collector options='-c lock_timeout=3000'"


def log(priority, message):
    """journald takes the priority from the front of the line."""
    print(f"<{priority}>{message}")


def fetch():
    with urllib.request.urlopen(FEED, timeout=4) as answer:
        ticks = json.load(answer)
    return [{"symbol": str(tick["symbol"]), "price": float(tick["price"])} for tick in ticks]


def insert(ticks):
    psql = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--set=ticks={json.dumps(ticks)}", f"--set=source={FEED}", DATABASE]
    # Variables are filled in only where psql reads a script.
    done = subprocess.run(psql, input=INSERT, env={"PGPASSFILE": "/etc/collector/pgpass", "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, errors="replace", timeout=20, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "psql failed")


def remember(rows):
    with open(STATE + ".new", "w", encoding="utf-8") as file:
        json.dump({"feed": FEED, "last_success": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rows": rows}, file)
    os.replace(STATE + ".new", STATE)


def once():
    try:
        ticks = fetch()
    except urllib.error.HTTPError as error:
        return log(3, f"GET {FEED} {error.code} {error.reason}")
    except (OSError, ValueError, KeyError) as error:
        return log(3, f"GET {FEED} failed: {error}")
    try:
        insert(ticks)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        return log(3, f"insert into market failed: {error}")
    remember(len(ticks))
    return log(6, f"GET {FEED} 200 OK, {len(ticks)} rows")


log(6, f"collecting {FEED} every {PERIOD_S} s")
while True:
    once()
    time.sleep(PERIOD_S)
