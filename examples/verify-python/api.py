"""An API with one answer, for those who show an access token that is for it."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

from verify import Verifier

VERIFIER = Verifier(os.environ["ISSUER"], os.environ["AUDIENCE"])


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        status, headers, body = self.answer()
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(content), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def answer(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return 401, {"WWW-Authenticate": "Bearer"}, {"error": "no token"}
        try:
            claims = VERIFIER.verify(token)
            return 200, {}, {"hello": claims["sub"], "scope": claims.get("scope")}
        except jwt.PyJWKClientConnectionError as error:
            return self.unknown(error)
        except jwt.PyJWTError:
            return 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, {"error": "invalid token"}
        except Exception as error:
            return self.unknown(error)

    def unknown(self, error):
        """Gateward cannot be asked: what is not known to be good is not let in."""
        print(repr(error), file=sys.stderr)
        return 503, {"Retry-After": "1"}, {"error": "try again"}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Api)
    print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
