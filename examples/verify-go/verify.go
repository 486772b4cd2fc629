package main

// Verifies Gateward's access tokens. go-jose does the JWT (signature, issuer, audience, times); the rest is the status list,
// which tells that a token was revoked before its time.

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var algorithms = []jose.SignatureAlgorithm{jose.ES256} // as `algorithm` in Gateward's settings

const (
	largestList   = 1 << 20
	largestAnswer = 4 << 20
	keysLast      = 15 * time.Minute
	keysAgain     = time.Second
)

// ErrRefused says that a token is not good; any other error means that this is not known.
var ErrRefused = errors.New("invalid token")

// Claims are what a token says.
type Claims struct {
	jwt.Claims
	Scope  string `json:"scope"`
	Status struct {
		List struct {
			Index uint64 `json:"idx"`
			URI   string `json:"uri"`
		} `json:"status_list"`
	} `json:"status"`
}

type listClaims struct {
	jwt.Claims
	TTL  int64 `json:"ttl"`
	List struct {
		Bits   uint64 `json:"bits"`
		Packed string `json:"lst"`
	} `json:"status_list"`
}

type list struct {
	bits  uint64
	bytes []byte
	until time.Time
}

// Verifier verifies the tokens of one issuer for one audience.
type Verifier struct {
	issuer, audience, keysURI string
	client                    http.Client

	lock        sync.Mutex
	keys        jose.JSONWebKeySet
	keysFetched time.Time
	lists       map[string]list
}

// NewVerifier asks the issuer for its addresses.
func NewVerifier(issuer, audience string) (*Verifier, error) {
	v := &Verifier{issuer: issuer, audience: audience, lists: map[string]list{}}
	v.client.Timeout = 5 * time.Second
	answer, err := v.fetch(issuer + "/.well-known/oauth-authorization-server")
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		KeysURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(answer, &metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != issuer {
		return nil, fmt.Errorf("%s calls itself %s", issuer, metadata.Issuer)
	}
	v.keysURI = metadata.KeysURI
	return v, nil
}

// Verify reads the claims of a token that is good.
func (v *Verifier) Verify(token string) (*Claims, error) {
	var claims Claims
	if err := v.read(token, "at+jwt", &claims); err != nil {
		return nil, err
	}
	expected := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.audience}, Time: time.Now()}
	if claims.Expiry == nil || claims.Subject == "" || claims.Validate(expected) != nil {
		return nil, ErrRefused
	}
	list, err := v.list(claims.Status.List.URI)
	if err != nil {
		return nil, err
	}
	place := claims.Status.List.Index * list.bits
	// A place beyond the end of the list is no token's.
	if place/8 >= uint64(len(list.bytes)) || list.bytes[place/8]>>(place%8)&(1<<list.bits-1) != 0 {
		return nil, ErrRefused
	}
	return &claims, nil
}

// read verifies signature and type. Only an unknown key is worth asking for the keys again, and only now and then.
func (v *Verifier) read(token, typ string, claims any) error {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return ErrRefused
	}
	header := parsed.Headers[0]
	if named, _ := header.ExtraHeaders[jose.HeaderType].(string); !strings.EqualFold(named, typ) {
		return ErrRefused
	}
	keys, err := v.keysWith(header.KeyID)
	if err != nil {
		return err
	}
	if parsed.Claims(keys, claims) != nil {
		return ErrRefused
	}
	return nil
}

func (v *Verifier) keysWith(id string) (jose.JSONWebKeySet, error) {
	v.lock.Lock()
	defer v.lock.Unlock()
	age := time.Since(v.keysFetched)
	if age < keysAgain || (age < keysLast && len(v.keys.Key(id)) > 0) {
		return v.keys, nil
	}
	answer, err := v.fetch(v.keysURI)
	if err != nil {
		return v.keys, err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(answer, &keys); err != nil {
		return v.keys, err
	}
	v.keys, v.keysFetched = keys, time.Now()
	return keys, nil
}

// list is what Gateward has published under this address; it is not asked for again before `ttl` has passed.
func (v *Verifier) list(uri string) (list, error) {
	v.lock.Lock()
	known, there := v.lists[uri]
	v.lock.Unlock()
	if there && time.Now().Before(known.until) {
		return known, nil
	}
	fetched, err := v.fetchList(uri)
	if err != nil {
		return list{}, fmt.Errorf("the status list %s: %v", uri, err)
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	for old := range v.lists {
		if time.Now().After(v.lists[old].until) {
			delete(v.lists, old)
		}
	}
	v.lists[uri] = fetched
	return fetched, nil
}

func (v *Verifier) fetchList(uri string) (list, error) {
	token, err := v.fetch(uri)
	if err != nil {
		return list{}, err
	}
	var claims listClaims
	if err := v.read(string(token), "statuslist+jwt", &claims); err != nil {
		return list{}, err
	}
	if claims.Expiry == nil || claims.Validate(jwt.Expected{Subject: uri, Time: time.Now()}) != nil {
		return list{}, errors.New("it is another one, or old")
	}
	packed, err := base64.RawURLEncoding.DecodeString(claims.List.Packed)
	if err != nil {
		return list{}, err
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return list{}, err
	}
	unpacked, err := io.ReadAll(io.LimitReader(reader, largestList))
	until := time.Now().Add(time.Duration(claims.TTL) * time.Second)
	if end := claims.Expiry.Time(); end.Before(until) {
		until = end
	}
	return list{bits: claims.List.Bits, bytes: unpacked, until: until}, err
}

func (v *Verifier) fetch(url string) ([]byte, error) {
	answer, err := v.client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, largestAnswer))
}
