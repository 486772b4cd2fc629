// An API with one answer, for those who show an access token that is for it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	verifier, err := NewVerifier(os.Getenv("ISSUER"), os.Getenv("AUDIENCE"))
	if err != nil {
		log.Fatal(err)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(http.Serve(listener, api(verifier)))
}

func api(verifier *Verifier) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			response.Header().Set("WWW-Authenticate", "Bearer")
			answer(response, http.StatusUnauthorized, map[string]string{"error": "no token"})
			return
		}
		claims, err := verifier.Verify(token)
		switch {
		case errors.Is(err, ErrRefused):
			response.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			answer(response, http.StatusUnauthorized, map[string]string{"error": "invalid token"})
		case err != nil:
			// Gateward cannot be asked: what is not known to be good is not let in.
			log.Print(err)
			response.Header().Set("Retry-After", "1")
			answer(response, http.StatusServiceUnavailable, map[string]string{"error": "try again"})
		default:
			answer(response, http.StatusOK, map[string]string{"hello": claims.Subject, "scope": claims.Scope})
		}
	}
}

func answer(response http.ResponseWriter, status int, body map[string]string) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(status)
	json.NewEncoder(response).Encode(body)
}
