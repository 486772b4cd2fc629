// A web application that signs its people in with golang.org/x/oauth2 and go-oidc.
//
// go-oidc verifies ID tokens. State, nonce, and whether what comes later is about the same person, are left to the application;
// neither looks at iss of the answer (RFC 9207).
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const cookie = "go-application"

// application is what all requests share.
type application struct {
	home       string
	provider   *oidc.Provider
	config     oauth2.Config
	verifier   *oidc.IDTokenVerifier
	endSession string

	mutex sync.Mutex
	// By the value of the cookie.
	sessions map[string]session
}

// session is what the application knows about a browser.
type session struct {
	// What must come back from Gateward; the state that of a sign-out, too.
	state, nonce, verifier string
	// The person, once signed in.
	token   *oauth2.Token
	idToken string
	claims  claims
}

type claims struct {
	Subject string `json:"sub"`
	Name    string `json:"name"`
	Email   string `json:"email"`
}

type said map[string]any

func main() {
	app, err := discover(context.Background(), os.Getenv("ISSUER"), "http://127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{$}", app.page(app.showHome))
	http.HandleFunc("GET /sign-in", app.page(app.signIn))
	http.HandleFunc("GET /callback", app.page(app.callback))
	http.HandleFunc("GET /refresh", app.page(app.refresh))
	http.HandleFunc("GET /userinfo", app.page(app.userInfo))
	http.HandleFunc("GET /sign-out", app.page(app.signOut))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}

func discover(ctx context.Context, issuer, home string) (*application, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, err
	}
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Endpoint:     provider.Endpoint(),
		RedirectURL:  home + "/callback",
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}
	return &application{
		home:       home,
		provider:   provider,
		config:     config,
		verifier:   provider.Verifier(&oidc.Config{ClientID: config.ClientID}),
		endSession: metadata.EndSession,
		sessions:   map[string]session{},
	}, nil
}

func (app *application) showHome(w http.ResponseWriter, r *http.Request, known session) (said, error) {
	if r.FormValue("state") != "" {
		if r.FormValue("state") != known.state {
			return nil, errors.New("the state after signing out is not ours")
		}
		app.keep(w, r, session{})
		return app.lead(w, r, "/")
	}
	if known.token == nil {
		return said{"signed_in": false}, nil
	}
	return said{"signed_in": true, "sub": known.claims.Subject, "name": known.claims.Name, "email": known.claims.Email}, nil
}

func (app *application) signIn(w http.ResponseWriter, r *http.Request, _ session) (said, error) {
	begun := session{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	app.keep(w, r, begun)
	return app.lead(w, r, app.config.AuthCodeURL(begun.state, oidc.Nonce(begun.nonce), oauth2.S256ChallengeOption(begun.verifier)))
}

func (app *application) callback(w http.ResponseWriter, r *http.Request, begun session) (said, error) {
	if begun.state == "" || r.FormValue("state") != begun.state {
		return nil, errors.New("the state is not ours")
	}
	if code := r.FormValue("error"); code != "" {
		return nil, &oauth2.RetrieveError{ErrorCode: code, ErrorDescription: r.FormValue("error_description")}
	}
	token, err := app.config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(begun.verifier))
	if err != nil {
		return nil, err
	}
	idToken, raw, err := app.verify(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != begun.nonce {
		return nil, errors.New("the nonce is not ours")
	}
	// The ID token says who it is; name and email are for UserInfo, unless the request asks for them here.
	signedIn := session{token: token, idToken: raw, claims: claims{Subject: idToken.Subject}}
	info, err := app.ask(r.Context(), signedIn)
	if err != nil {
		return nil, err
	}
	if err := info.Claims(&signedIn.claims); err != nil {
		return nil, err
	}
	app.keep(w, r, signedIn)
	return app.lead(w, r, "/")
}

func (app *application) refresh(w http.ResponseWriter, r *http.Request, known session) (said, error) {
	if known.token == nil {
		return nil, errors.New("nobody is signed in")
	}
	// A token source refreshes when there is no access token, or one that has run out.
	old := known.token
	token, err := app.config.TokenSource(r.Context(), &oauth2.Token{RefreshToken: old.RefreshToken}).Token()
	if err != nil {
		return nil, err
	}
	known.token = token
	// The answer need not hold an ID token.
	if token.Extra("id_token") != nil {
		idToken, raw, err := app.verify(r.Context(), token)
		if err != nil {
			return nil, err
		}
		if idToken.Subject != known.claims.Subject {
			return nil, fmt.Errorf("%s is not %s", idToken.Subject, known.claims.Subject)
		}
		known.idToken = raw
	}
	app.keep(w, r, known)
	return said{
		"refreshed":         true,
		"sub":               known.claims.Subject,
		"new_access_token":  token.AccessToken != old.AccessToken,
		"new_refresh_token": token.RefreshToken != old.RefreshToken,
	}, nil
}

func (app *application) userInfo(_ http.ResponseWriter, r *http.Request, known session) (said, error) {
	if known.token == nil {
		return nil, errors.New("nobody is signed in")
	}
	info, err := app.ask(r.Context(), known)
	if err != nil {
		return nil, err
	}
	all := said{}
	return all, info.Claims(&all)
}

func (app *application) signOut(w http.ResponseWriter, r *http.Request, known session) (said, error) {
	if known.token == nil {
		return nil, errors.New("nobody is signed in")
	}
	ended := session{state: rand.Text()}
	app.keep(w, r, ended)
	parameters := url.Values{
		"id_token_hint":            {known.idToken},
		"post_logout_redirect_uri": {app.home + "/"},
		"state":                    {ended.state},
	}
	return app.lead(w, r, app.endSession+"?"+parameters.Encode())
}

// verify checks the ID token that came with an access token.
func (app *application) verify(ctx context.Context, token *oauth2.Token) (*oidc.IDToken, string, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, "", errors.New("there is no ID token")
	}
	idToken, err := app.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, "", err
	}
	if idToken.AccessTokenHash != "" {
		err = idToken.VerifyAccessToken(token.AccessToken)
	}
	return idToken, raw, err
}

func (app *application) ask(ctx context.Context, known session) (*oidc.UserInfo, error) {
	info, err := app.provider.UserInfo(ctx, oauth2.StaticTokenSource(known.token))
	if err != nil {
		return nil, err
	}
	if info.Subject != known.claims.Subject {
		return nil, fmt.Errorf("%s is not %s", info.Subject, known.claims.Subject)
	}
	return info, nil
}

// page answers with what the handler says, or the error it failed with.
func (app *application) page(handle func(http.ResponseWriter, *http.Request, session) (said, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := handle(w, r, app.known(r))
		status := http.StatusOK
		if err != nil {
			log.Print(err)
			status = http.StatusInternalServerError
			content = said{"error": err.Error()}
			var refused *oauth2.RetrieveError
			if errors.As(err, &refused) && refused.ErrorCode != "" {
				content = said{"error": refused.ErrorCode, "error_description": refused.ErrorDescription}
			}
		}
		if content == nil {
			return
		}
		text, err := json.Marshal(content)
		if err != nil {
			log.Panic(err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<!doctype html><title>App</title><pre id="said">%s</pre>`, html.EscapeString(string(text)))
	}
}

func (app *application) lead(w http.ResponseWriter, r *http.Request, to string) (said, error) {
	http.Redirect(w, r, to, http.StatusFound)
	return nil, nil
}

func (app *application) known(r *http.Request) session {
	id, err := r.Cookie(cookie)
	if err != nil {
		return session{}
	}
	app.mutex.Lock()
	defer app.mutex.Unlock()
	return app.sessions[id.Value]
}

// keep remembers a browser by a new id, and forgets the one before it.
func (app *application) keep(w http.ResponseWriter, r *http.Request, known session) {
	id := rand.Text()
	app.mutex.Lock()
	defer app.mutex.Unlock()
	if before, err := r.Cookie(cookie); err == nil {
		delete(app.sessions, before.Value)
	}
	app.sessions[id] = known
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
