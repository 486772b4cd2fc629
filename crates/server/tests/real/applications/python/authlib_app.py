"""A web application that signs its people in with Authlib, by its integration for Flask.

Authlib does not look at `iss` of the answer (RFC 9207).
"""

import html
import json
import os
import secrets

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, request, session
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

ISSUER = os.environ["ISSUER"]
CLIENT_ID = os.environ["CLIENT_ID"]
PORT = int(os.environ["PORT"])
HOME = f"http://127.0.0.1:{PORT}"

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
# Cookies know no ports: this keeps apart what several Flask applications on one host remember.
app.config["SESSION_COOKIE_NAME"] = "authlib"

oauth = OAuth(app)
gateward = oauth.register(
    "gateward",
    client_id=CLIENT_ID,
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email offline_access", "code_challenge_method": "S256"},
)

# Otherwise Authlib trusts the issuer that discovery names, and an ID token for somebody else whose `azp` is ours.
CLAIMS = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT_ID}}

# What is known by session: too large for a cookie, and none of the browser's business.
people = {}


@app.get("/")
def home():
    if "state" in request.args:
        gateward.validate_logout_response()
        return redirect("/")
    if session.get("id") not in people:
        return said({"signed_in": False})
    claims = people[session["id"]]["claims"]
    return said({"signed_in": True, "sub": claims["sub"], "name": claims.get("name"), "email": claims.get("email")})


@app.get("/sign-in")
def sign_in():
    return gateward.authorize_redirect(f"{HOME}/callback")


@app.get("/callback")
def callback():
    token = gateward.authorize_access_token(claims_options=CLAIMS)
    # The ID token says who it is; name and email are for UserInfo, unless the request asks for them here.
    claims = token["userinfo"] | asked(token, token["userinfo"])
    session["id"] = secrets.token_urlsafe()
    people[session["id"]] = {"token": token, "claims": claims}
    return redirect("/")


@app.get("/refresh")
def refresh():
    person = signed_in()
    old = person["token"]
    # Authlib repeats what was asked for, which is refused when the person has allowed less.
    new = gateward.fetch_access_token(
        grant_type="refresh_token", refresh_token=old["refresh_token"], scope=old["scope"]
    )
    # A refreshed ID token need not repeat the nonce, and the answer need not hold one at all.
    claims = gateward.parse_id_token(new, nonce=None, claims_options=CLAIMS)
    if claims:
        same_person(claims, person["claims"])
    person["token"] = old | new
    return said({
        "refreshed": True,
        "sub": claims["sub"] if claims else person["claims"]["sub"],
        "new_access_token": new["access_token"] != old["access_token"],
        "new_refresh_token": new.get("refresh_token", old["refresh_token"]) != old["refresh_token"],
    })


@app.get("/userinfo")
def userinfo():
    person = signed_in()
    return said(asked(person["token"], person["claims"]))


@app.get("/sign-out")
def sign_out():
    token = signed_in()["token"]
    del people[session.pop("id")]
    return gateward.logout_redirect(post_logout_redirect_uri=f"{HOME}/", id_token_hint=token["id_token"])


@app.errorhandler(Exception)
def failed(error):
    if isinstance(error, HTTPException):
        return error
    app.logger.exception(error)
    code = getattr(error, "error", None) or type(error).__name__
    return said({"error": code, "error_description": getattr(error, "description", None) or str(error)}), 500


def signed_in():
    if session.get("id") not in people:
        raise LookupError("nobody is signed in")
    return people[session["id"]]


def asked(token, known):
    claims = gateward.userinfo(token=token)
    same_person(claims, known)
    return claims


def same_person(claims, known):
    """Authlib leaves it to the application to compare `sub` of what comes later."""
    if claims["sub"] != known["sub"]:
        raise ValueError(f"{claims['sub']} is not {known['sub']}")


def said(content):
    return f'<!doctype html><title>App</title><pre id="said">{html.escape(json.dumps(content))}</pre>'


if __name__ == "__main__":
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    server.serve_forever()
