// The library go-jose, asked by the tests: a question in JSON on each line of standard input, an answer on each line of output.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Question holds what the tests ask; each operation reads what it needs.
type Question struct {
	Op      string                 `json:"op"`
	Alg     string                 `json:"alg"`
	Enc     jose.ContentEncryption `json:"enc"`
	Key     jose.JSONWebKey        `json:"key"`
	Typ     jose.ContentType       `json:"typ"`
	Kty     string                 `json:"kty"`
	Crv     string                 `json:"crv"`
	Bits    int                    `json:"bits"`
	Payload string                 `json:"payload"`
	Token   string                 `json:"token"`
	Inner   *Question              `json:"inner"`
	Outer   *Question              `json:"outer"`

	URL      string `json:"url"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
}

// Answer is what there is to say, or why nothing was done.
type Answer struct {
	Token      string           `json:"token,omitempty"`
	Payload    string           `json:"payload,omitempty"`
	Key        *jose.JSONWebKey `json:"key,omitempty"`
	Thumbprint string           `json:"thumbprint,omitempty"`
	Kid        string           `json:"kid,omitempty"`
	Sub        string           `json:"sub,omitempty"`
	Fetched    int              `json:"fetched,omitempty"`
	Refused    string           `json:"refused,omitempty"`
}

func (q *Question) signer() (jose.Signer, error) {
	key := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(q.Alg), Key: q.Key}
	return jose.NewSigner(key, (&jose.SignerOptions{}).WithType(q.Typ))
}

func (q *Question) encrypter(options *jose.EncrypterOptions) (jose.Encrypter, error) {
	to := jose.Recipient{Algorithm: jose.KeyAlgorithm(q.Alg), Key: q.Key}
	return jose.NewEncrypter(q.Enc, to, options)
}

func (q *Question) signatures() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.SignatureAlgorithm(q.Alg)}
}

func (q *Question) encryptions() ([]jose.KeyAlgorithm, []jose.ContentEncryption) {
	return []jose.KeyAlgorithm{jose.KeyAlgorithm(q.Alg)}, []jose.ContentEncryption{q.Enc}
}

func sign(q *Question) (answer Answer, err error) {
	signer, err := q.signer()
	if err != nil {
		return answer, err
	}
	signed, err := signer.Sign([]byte(q.Payload))
	if err != nil {
		return answer, err
	}
	answer.Token, err = signed.CompactSerialize()
	return answer, err
}

func verify(q *Question) (answer Answer, err error) {
	signed, err := jose.ParseSignedCompact(q.Token, q.signatures())
	if err != nil {
		return answer, err
	}
	payload, err := signed.Verify(q.Key)
	return Answer{Payload: string(payload)}, err
}

func encrypt(q *Question) (answer Answer, err error) {
	encrypter, err := q.encrypter(nil)
	if err != nil {
		return answer, err
	}
	encrypted, err := encrypter.Encrypt([]byte(q.Payload))
	if err != nil {
		return answer, err
	}
	answer.Token, err = encrypted.CompactSerialize()
	return answer, err
}

func decrypt(q *Question) (answer Answer, err error) {
	algorithms, encryptions := q.encryptions()
	encrypted, err := jose.ParseEncryptedCompact(q.Token, algorithms, encryptions)
	if err != nil {
		return answer, err
	}
	payload, err := encrypted.Decrypt(q.Key)
	return Answer{Payload: string(payload)}, err
}

func export(q *Question) (Answer, error) {
	return Answer{Key: &q.Key}, nil
}

func thumbprint(q *Question) (Answer, error) {
	print, err := q.Key.Thumbprint(crypto.SHA256)
	return Answer{Thumbprint: base64.RawURLEncoding.EncodeToString(print)}, err
}

func makeKey(q *Question) (Answer, error) {
	var key any
	var err error
	switch {
	case q.Kty == "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case q.Kty == "oct":
		secret := make([]byte, q.Bits/8)
		_, err = rand.Read(secret)
		key = secret
	case q.Crv == "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
		curve, known := curves[q.Crv]
		if !known {
			return Answer{}, errors.New("it makes no such key")
		}
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	return Answer{Key: &jose.JSONWebKey{Key: key}}, err
}

func nest(q *Question) (answer Answer, err error) {
	signer, err := q.Inner.signer()
	if err != nil {
		return answer, err
	}
	encrypter, err := q.Outer.encrypter((&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return answer, err
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(q.Payload), &claims); err != nil {
		return answer, err
	}
	answer.Token, err = jwt.SignedAndEncrypted(signer, encrypter).Claims(claims).Serialize()
	return answer, err
}

// unnest takes the two layers off one after the other: the package jwt reads only those that were encrypted with a shared secret.
func unnest(q *Question) (answer Answer, err error) {
	algorithms, encryptions := q.Outer.encryptions()
	encrypted, err := jose.ParseEncryptedCompact(q.Token, algorithms, encryptions)
	if err != nil {
		return answer, err
	}
	if encrypted.Header.ExtraHeaders[jose.HeaderContentType] != "JWT" {
		return answer, errors.New("it holds no token")
	}
	content, err := encrypted.Decrypt(q.Outer.Key)
	if err != nil {
		return answer, err
	}
	signed, err := jwt.ParseSigned(string(content), q.Inner.signatures())
	if err != nil {
		return answer, err
	}
	var claims map[string]any
	if err := signed.Claims(q.Inner.Key, &claims); err != nil {
		return answer, err
	}
	payload, err := json.Marshal(claims)
	return Answer{Payload: string(payload)}, err
}

var operations = map[string]func(*Question) (Answer, error){
	"sign": sign, "verify": verify, "encrypt": encrypt, "decrypt": decrypt, "export": export,
	"thumbprint": thumbprint, "make": makeKey, "nest": nest, "unnest": unnest,
	"follow": follow, "check": check,
}

func answer(line []byte) Answer {
	var question Question
	err := json.Unmarshal(line, &question)
	if err == nil {
		var answer Answer
		if answer, err = operations[question.Op](&question); err == nil {
			return answer
		}
	}
	return Answer{Refused: err.Error()}
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if err := answers.Encode(answer(line)); err != nil {
			return
		}
	}
}
