package main

import (
	"math"

	"github.com/anishathalye/porcupine"
)

// An operation as the program that ran it wrote it down; moments in microseconds.
type operation struct {
	Number   int    `json:"number"`
	Client   int    `json:"client"`
	Session  int    `json:"session"`
	Person   int    `json:"person"`
	Kind     string `json:"kind"`
	Secret   int    `json:"secret"`
	To       int    `json:"to"`
	Expected int64  `json:"expected"`
	Value    string `json:"value"`
	// What the answer says may have been so at this moment already: memory may lag.
	Since   int64  `json:"since"`
	Call    int64  `json:"call"`
	Return  int64  `json:"return"`
	Outcome string `json:"outcome"`
	Status  int    `json:"status"`
	Version int64  `json:"version"`
}

const never = math.MaxInt64

// The steps of each session, with the moments between which each happened.
func steps(history []operation) map[int][]porcupine.Operation {
	found := map[int][]porcupine.Operation{}
	persons := map[int]int{}
	for _, one := range history {
		if one.Kind == "create" && one.Outcome == "ok" {
			persons[one.Session] = one.Person
		}
	}
	add := func(session int, one operation, what step, call, until int64) {
		found[session] = append(found[session], porcupine.Operation{
			ClientId: one.Client, Input: what, Call: call, Return: until, Metadata: one.Number,
		})
	}
	overlaps := overlaps(history)
	for _, one := range history {
		if one.Kind != "end-all" {
			of(one, func(what step, call, until int64) { add(one.Session, one, what, call, until) })
			continue
		}
		if one.Outcome == "no" {
			continue
		}
		for session, person := range persons {
			switch {
			case person != one.Person || overlaps.begunAfter(session, one):
			case one.Outcome == "unknown":
				add(session, one, step{act: mayEnd}, one.Call, never)
			case overlaps.with(session, one):
				add(session, one, step{act: mayEnd}, one.Call, one.Return)
			default:
				add(session, one, step{act: end, sure: true}, one.Call, one.Return)
			}
		}
	}
	return found
}

// When people proved who they are, by session: what rests on a proof that came while everything was ended may live.
type proofs map[int][]operation

func overlaps(history []operation) proofs {
	found := proofs{}
	for _, one := range history {
		if (one.Kind == "create" || one.Kind == "elevate") && one.Outcome != "no" {
			found[one.Session] = append(found[one.Session], one)
		}
	}
	return found
}

func (all proofs) with(session int, other operation) bool {
	for _, one := range all[session] {
		if one.Call <= other.Return && (one.Outcome == "unknown" || other.Call <= one.Return) {
			return true
		}
	}
	return false
}

func (all proofs) begunAfter(session int, other operation) bool {
	for _, one := range all[session] {
		if one.Kind == "create" {
			return one.Call > other.Return
		}
	}
	return false
}

// What an operation on one session comes to.
func of(one operation, add func(what step, call, until int64)) {
	passes := func() { add(step{act: opens, secret: one.Secret}, one.Since, one.Return) }
	until, sure := one.Return, true
	if one.Outcome == "unknown" {
		until, sure = never, false
	}
	if one.Outcome == "no" && one.Status == 412 {
		// Whose session is refused begins a guest's, which is at version 0.
		if one.Version > 0 {
			passes()
		}
		what := step{act: stale, secret: one.Secret, expected: one.Expected, version: one.Version}
		add(what, one.Call, one.Return)
		return
	}
	if one.Outcome == "no" {
		// Where nobody took the question, nothing was refused either.
		if one.Kind != "create" && one.Status != 0 {
			add(step{act: refused, secret: one.Secret}, one.Call, one.Return)
		}
		return
	}
	switch one.Kind {
	case "create":
		if sure {
			add(step{act: create}, one.Call, one.Return)
		}
	case "check", "refresh":
		if sure {
			passes()
		}
	case "read":
		if sure {
			passes()
			add(step{act: read, version: one.Version, value: one.Value}, one.Since, one.Return)
		}
	case "write":
		if sure {
			passes()
		}
		what := step{act: write, expected: one.Expected, version: one.Version, value: one.Value, sure: sure}
		add(what, one.Call, until)
	case "elevate":
		add(step{act: elevate, secret: one.Secret, to: one.To, sure: sure}, one.Call, until)
	case "end":
		add(step{act: end, sure: sure}, one.Call, until)
	case "sign-out":
		what := step{act: signOut, secret: one.Secret}
		if !sure {
			what = step{act: mayEnd}
		}
		add(what, one.Call, until)
	}
}
