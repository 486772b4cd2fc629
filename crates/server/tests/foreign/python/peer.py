"""PyJWT or jwcrypto, asked by the tests: a question in JSON on each line of standard input, an answer on each line of output."""

import json
import sys


def pyjwt():
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    jws = jwt.PyJWS()

    def key_of(q):
        return jwt.PyJWK(q["key"], algorithm=q["alg"])

    def sign(q):
        headers = {"typ": q["typ"], "kid": q["key"]["kid"]}
        return {"token": jws.encode(q["payload"].encode(), key_of(q), algorithm=q["alg"], headers=headers)}

    def verify(q):
        return {"payload": jws.decode(q["token"], key_of(q), algorithms=[q["alg"]]).decode()}

    def export(q):
        return {"key": jwt.PyJWS().get_algorithm_by_name(q["alg"]).to_jwk(key_of(q).key, as_dict=True)}

    def make(q):
        curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
        if q["kty"] == "RSA":
            key = rsa.generate_private_key(65537, 2048)
        elif q["kty"] == "EC":
            key = ec.generate_private_key(curves[q["crv"]]())
        elif q.get("crv") == "Ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        else:
            raise NotImplementedError("it makes no such key")
        return {"key": jws.get_algorithm_by_name(q["alg"]).to_jwk(key, as_dict=True)}

    class Followed(jwt.PyJWKClient):
        """The key set of an issuer, kept and fetched again by the library's own rules, and how often it was fetched."""

        fetched = 0

        def fetch_data(self):
            self.fetched += 1
            return super().fetch_data()

    followed = {}

    def follow(q):
        followed["keys"] = Followed(q["url"], lifespan=q["lifetime"])
        return {}

    def check(q):
        keys = followed["keys"]
        key = keys.get_signing_key_from_jwt(q["token"])
        expected = {"issuer": q["issuer"], "audience": q["audience"]}
        decoded = jwt.decode_complete(q["token"], key, algorithms=[q["alg"]], **expected)
        return {"kid": decoded["header"]["kid"], "sub": decoded["payload"]["sub"], "fetched": keys.fetched}

    return {
        "sign": sign,
        "verify": verify,
        "export": export,
        "make": make,
        "follow": follow,
        "check": check,
    }


def jwcrypto():
    from jwcrypto import jwe, jwk, jws, jwt

    def key_of(q):
        return jwk.JWK(**q["key"])

    def sign(q):
        token = jws.JWS(q["payload"].encode())
        header = {"alg": q["alg"], "typ": q["typ"], "kid": q["key"]["kid"]}
        token.add_signature(key_of(q), q["alg"], json.dumps(header))
        return {"token": token.serialize(compact=True)}

    def verify(q):
        token = jws.JWS()
        token.allowed_algs = [q["alg"]]
        token.deserialize(q["token"], key_of(q), q["alg"])
        return {"payload": token.payload.decode()}

    def encrypt(q):
        header = {"alg": q["alg"], "enc": q["enc"], "kid": q["key"]["kid"]}
        token = jwe.JWE(q["payload"].encode(), json.dumps(header), recipient=key_of(q))
        return {"token": token.serialize(compact=True)}

    def decrypt(q):
        token = jwe.JWE(algs=[q["alg"], q["enc"]])
        token.deserialize(q["token"], key_of(q))
        return {"payload": token.payload.decode()}

    def make(q):
        size = {"size": 2048} if q["kty"] == "RSA" else {}
        if q["kty"] == "oct":
            size = {"size": q["bits"]}
        curve = {"crv": q["crv"]} if "crv" in q else {}
        return {"key": jwk.JWK.generate(kty=q["kty"], **size, **curve).export(as_dict=True)}

    def nest(q):
        inner, outer = q["inner"], q["outer"]
        signed = jwt.JWT(header={"alg": inner["alg"], "typ": inner["typ"]}, claims=q["payload"])
        signed.make_signed_token(key_of(inner))
        header = {"alg": outer["alg"], "enc": outer["enc"], "cty": "JWT"}
        token = jwt.JWT(header=header, claims=signed.serialize())
        token.make_encrypted_token(key_of(outer))
        return {"token": token.serialize()}

    def unnest(q):
        inner, outer = q["inner"], q["outer"]
        token = jwt.JWT(jwt=q["token"], key=key_of(outer), algs=[outer["alg"], outer["enc"]], expected_type="JWE")
        signed = jwt.JWT(jwt=token.claims, key=key_of(inner), algs=[inner["alg"]], expected_type="JWS")
        return {"payload": signed.claims}

    return {
        "sign": sign,
        "verify": verify,
        "encrypt": encrypt,
        "decrypt": decrypt,
        "export": lambda q: {"key": key_of(q).export(as_dict=True)},
        "thumbprint": lambda q: {"thumbprint": key_of(q).thumbprint()},
        "make": make,
        "nest": nest,
        "unnest": unnest,
    }


def answer(operations, question):
    if question["op"] not in operations:
        return {"refused": "it has no such operation"}
    try:
        return operations[question["op"]](question)
    except Exception as error:  # Whatever a library raises is its way to say no.
        return {"refused": f"{type(error).__name__}: {error}"}


OPERATIONS = {"pyjwt": pyjwt, "jwcrypto": jwcrypto}[sys.argv[1]]()
for line in sys.stdin:
    print(json.dumps(answer(OPERATIONS, json.loads(line))), flush=True)
