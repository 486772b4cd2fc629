"""A web application that signs its people in with oauthlib, by requests-oauthlib.

These know OAuth alone: PyJWT verifies the ID token, and the rest of OpenID Connect is done here. Neither looks at `iss` of the
answer (RFC 9207).
"""

import html
import json
import os
import secrets
from urllib.parse import urlencode

import jwt
import requests
from flask import Flask, redirect, request, session
from requests_oauthlib import OAuth2Session
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

ISSUER = os.environ["ISSUER"]
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
PORT = int(os.environ["PORT"])
HOME = f"http://127.0.0.1:{PORT}"

# oauthlib insists on https otherwise, even for a redirect URI on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
# It takes it for an error otherwise when the person allows less than was asked for.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
# Cookies know no ports: this keeps apart what several Flask applications on one host remember.
app.config["SESSION_COOKIE_NAME"] = "oauthlib"

discovery = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10)
discovery.raise_for_status()
provider = discovery.json()
if provider["issuer"] != ISSUER:
    raise ValueError(f"{ISSUER} says it is {provider['issuer']}")
keys = jwt.PyJWKClient(provider["jwks_uri"])

# By session: an OAuth2Session keeps state, verifier and tokens to itself.
starting = {}
people = {}


@app.get("/")
def home():
    if "state" in request.args:
        if request.args["state"] != session.pop("signing_out", None):
            raise ValueError("the state after signing out is not ours")
        return redirect("/")
    if session.get("id") not in people:
        return said({"signed_in": False})
    claims = people[session["id"]]["claims"]
    return said({"signed_in": True, "sub": claims["sub"], "name": claims.get("name"), "email": claims.get("email")})


@app.get("/sign-in")
def sign_in():
    oauth = OAuth2Session(
        CLIENT_ID, redirect_uri=f"{HOME}/callback", scope=["openid", "profile", "email", "offline_access"], pkce="S256"
    )
    nonce = secrets.token_urlsafe()
    url, _ = oauth.authorization_url(provider["authorization_endpoint"], nonce=nonce)
    session["starting"] = secrets.token_urlsafe()
    starting[session["starting"]] = oauth, nonce
    return redirect(url)


@app.get("/callback")
def callback():
    oauth, nonce = starting.pop(session.pop("starting", None), (None, None))
    if not oauth:
        raise LookupError("no sign-in began here")
    token = oauth.fetch_token(
        provider["token_endpoint"], authorization_response=request.url, client_secret=CLIENT_SECRET
    )
    # Repeated when it refreshes: what the person has allowed, not what was asked for.
    oauth.scope = token["scope"]
    claims = verified(token["id_token"])
    if claims.get("nonce") != nonce:
        raise ValueError("the nonce is not ours")
    # The ID token says who it is; name and email are for UserInfo, unless the request asks for them here.
    claims |= asked(oauth, claims)
    session["id"] = secrets.token_urlsafe()
    people[session["id"]] = {"oauth": oauth, "claims": claims, "id_token": token["id_token"]}
    return redirect("/")


@app.get("/refresh")
def refresh():
    person = signed_in()
    old = person["oauth"].token
    new = person["oauth"].refresh_token(provider["token_endpoint"], auth=(CLIENT_ID, CLIENT_SECRET))
    if "id_token" in new:
        same_person(verified(new["id_token"]), person["claims"])
        person["id_token"] = new["id_token"]
    return said({
        "refreshed": True,
        "sub": person["claims"]["sub"],
        "new_access_token": new["access_token"] != old["access_token"],
        "new_refresh_token": new["refresh_token"] != old["refresh_token"],
    })


@app.get("/userinfo")
def userinfo():
    person = signed_in()
    return said(asked(person["oauth"], person["claims"]))


@app.get("/sign-out")
def sign_out():
    person = signed_in()
    del people[session.pop("id")]
    session["signing_out"] = secrets.token_urlsafe()
    parameters = {
        "id_token_hint": person["id_token"],
        "post_logout_redirect_uri": f"{HOME}/",
        "state": session["signing_out"],
    }
    return redirect(f"{provider['end_session_endpoint']}?{urlencode(parameters)}")


@app.errorhandler(Exception)
def failed(error):
    if isinstance(error, HTTPException):
        return error
    app.logger.exception(error)
    code = getattr(error, "error", None) or type(error).__name__
    return said({"error": code, "error_description": getattr(error, "description", None) or str(error)}), 500


def verified(id_token):
    """The claims of an ID token that is for us."""
    return jwt.decode(
        id_token,
        keys.get_signing_key_from_jwt(id_token),
        # Not what the provider lists: a public key must never count as the secret of an HMAC.
        algorithms=["RS256", "PS256", "ES256", "EdDSA"],
        issuer=ISSUER,
        audience=CLIENT_ID,
        options={"require": ["iss", "sub", "aud", "exp", "iat"]},
    )


def signed_in():
    if session.get("id") not in people:
        raise LookupError("nobody is signed in")
    return people[session["id"]]


def asked(oauth, known):
    answer = oauth.get(provider["userinfo_endpoint"])
    answer.raise_for_status()
    claims = answer.json()
    same_person(claims, known)
    return claims


def same_person(claims, known):
    if claims["sub"] != known["sub"]:
        raise ValueError(f"{claims['sub']} is not {known['sub']}")


def said(content):
    return f'<!doctype html><title>App</title><pre id="said">{html.escape(json.dumps(content))}</pre>'


if __name__ == "__main__":
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    server.serve_forever()
