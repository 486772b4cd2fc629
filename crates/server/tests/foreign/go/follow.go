package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Followed is the key set of an issuer. The library brings none that is fetched, so this one is kept as simply as HTTP has it:
// as long as Cache-Control says, and never fetched before, not even for a key that it lacks.
type Followed struct {
	url     string
	set     jose.JSONWebKeySet
	until   time.Time
	fetched int
}

var followed Followed

func (f *Followed) keys() (*jose.JSONWebKeySet, error) {
	if time.Now().Before(f.until) {
		return &f.set, nil
	}
	f.fetched++
	answer, err := http.Get(f.url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	age, err := maxAge(answer.Header.Get("Cache-Control"))
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return nil, err
	}
	f.set, f.until = set, time.Now().Add(age)
	return &f.set, nil
}

func maxAge(control string) (time.Duration, error) {
	for _, directive := range strings.Split(control, ",") {
		if age, found := strings.CutPrefix(strings.TrimSpace(directive), "max-age="); found {
			seconds, err := strconv.Atoi(age)
			return time.Duration(seconds) * time.Second, err
		}
	}
	return 0, fmt.Errorf("no max-age in %q", control)
}

func follow(q *Question) (answer Answer, err error) {
	followed = Followed{url: q.URL}
	return answer, nil
}

func check(q *Question) (answer Answer, err error) {
	parsed, err := jwt.ParseSigned(q.Token, q.signatures())
	if err != nil {
		return answer, err
	}
	keys, err := followed.keys()
	if err != nil {
		return answer, err
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil {
		return answer, err
	}
	expected := jwt.Expected{Issuer: q.Issuer, AnyAudience: jwt.Audience{q.Audience}}
	if err := claims.Validate(expected); err != nil {
		return answer, err
	}
	return Answer{Kid: parsed.Headers[0].KeyID, Sub: claims.Subject, Fetched: followed.fetched}, nil
}
