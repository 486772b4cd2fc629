"""Verifies Gateward's access tokens. PyJWT does the JWT (signature, issuer, audience, times); the rest is the status list,
which tells that a token was revoked before its time."""

import json
import threading
import time
import urllib.request
import zlib
from base64 import urlsafe_b64decode

import jwt

ALGORITHMS = ["ES256"]  # as `algorithm` in Gateward's settings
LARGEST_LIST = 1 << 20


class Verifier:
    def __init__(self, issuer, audience):
        metadata = json.loads(_fetched(f"{issuer}/.well-known/oauth-authorization-server"))
        if metadata["issuer"] != issuer:
            raise ValueError(f"{issuer} calls itself {metadata['issuer']}")
        self.issuer, self.audience = issuer, audience
        self.keys = jwt.PyJWKClient(metadata["jwks_uri"], timeout=5, cooldown_duration=1)
        self.lists = {}
        self.lock = threading.Lock()

    def verify(self, token):
        """The claims of a token. Raises a jwt.PyJWTError when it is not good, and something else when that is not known."""
        claims = self._decoded(token, "at+jwt", issuer=self.issuer, audience=self.audience)
        reference = claims["status"]["status_list"]
        bits, data = self._list(reference["uri"])
        byte, shift = divmod(reference["idx"] * bits, 8)
        # A place beyond the end of the list is no token's.
        if byte >= len(data) or data[byte] >> shift & (1 << bits) - 1:
            raise jwt.InvalidTokenError("revoked")
        return claims

    def _decoded(self, token, typ, **expected):
        key = self.keys.get_signing_key_from_jwt(token)
        required = {"require": ["exp", "sub"], "verify_aud": "audience" in expected}
        decoded = jwt.decode_complete(token, key, algorithms=ALGORITHMS, options=required, leeway=60, **expected)
        if decoded["header"].get("typ", "").lower().removeprefix("application/") != typ:
            raise jwt.InvalidTokenError("a token of another type")
        return decoded["payload"]

    def _list(self, uri):
        """Whoever comes while a list is fetched waits for it; nobody asks again before `ttl` has passed."""
        with self.lock:
            now = time.monotonic()
            self.lists = {uri: entry for uri, entry in self.lists.items() if entry[0] > now}
            if uri not in self.lists:
                claims = self._decoded(_fetched(uri).decode(), "statuslist+jwt", subject=uri)
                until = now + min(claims.get("ttl", 0), claims["exp"] - time.time())
                self.lists[uri] = (until, _unpacked(claims["status_list"]))
            return self.lists[uri][1]


def _unpacked(status_list):
    packed = status_list["lst"]
    data = zlib.decompressobj().decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), LARGEST_LIST)
    return status_list["bits"], data


def _fetched(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()
