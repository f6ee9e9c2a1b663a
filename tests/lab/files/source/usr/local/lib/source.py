"""Feeds of made-up prices at /feed/N. While /run/feeds-403 is there, every client is refused."""

import http.server
import json
import math
import os
import time

SYMBOLS = {"1": ["AAPL", "AMZN"], "2": ["ESZ6", "NQZ6"], "3": ["GOOG", "MSFT"], "4": ["NVDA", "TSLA"]}


class Feed(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        symbols = SYMBOLS.get(self.path.removeprefix("/feed/"))
        if os.path.exists("/run/feeds-403"):
            self.answer(403, {"error": "credentials expired"})
        elif symbols is None:
            self.answer(404, {"error": "no such feed"})
        else:
            self.answer(200, [{"symbol": symbol, "price": price(symbol)} for symbol in symbols])

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def price(symbol):
    return round(100 + 40 * math.sin(time.time() / 9000 + len(symbol)) + time.time() % 1, 4)


http.server.ThreadingHTTPServer(("", 80), Feed).serve_forever()
