package main

import "github.com/anishathalye/porcupine"

// A session as the promises describe it.
type session struct {
	phase   phase
	version int64
	value   string
	// Which of its secrets opens it.
	secret int
}

type phase int

const (
	absent phase = iota
	alive
	ended
)

// What was seen or done, at one moment between the two that are told of it.
type step struct {
	act act
	// The secret that was presented; none for who comes with tokens.
	secret int
	// The secret that an elevation makes.
	to int
	// The version of If-Match; none when any will do.
	expected int64
	// The version that was answered.
	version int64
	// What was written or read.
	value string
	// Whether the answer said that it was done; otherwise it may have been.
	sure bool
}

type act int

const (
	create  act = iota
	opens       // the secret was accepted
	refused     // the secret was refused
	read
	write
	stale   // a write was refused for its version
	elevate // the secret changes
	end
	signOut // ends it where the secret opens it; an older secret may end it, too
	mayEnd  // what overlaps with an end of everything of the person
)

const none = -1

func (state session) openedBy(secret int) bool {
	return state.phase == alive && (secret == none || secret == state.secret)
}

// The states in which a session can be after this; none when it cannot have happened.
func (state session) after(what step) []session {
	only := func(holds bool) []session {
		if holds {
			return []session{state}
		}
		return nil
	}
	switch what.act {
	case create:
		if state.phase == absent {
			return []session{{phase: alive}}
		}
		return nil
	case opens:
		return only(state.openedBy(what.secret))
	case refused:
		return only(!state.openedBy(what.secret))
	case read:
		return only(state.phase == alive && state.version == what.version && state.value == what.value)
	case write:
		return state.written(what)
	case stale:
		isGuests := what.version == 0 && !state.openedBy(what.secret)
		isOlder := state.phase == alive && state.version == what.version && what.expected != what.version
		return only(isGuests || isOlder)
	case elevate:
		if !state.openedBy(what.secret) {
			return only(!what.sure)
		}
		state.secret = what.to
		return []session{state}
	case end:
		if state.phase == absent {
			return only(!what.sure)
		}
		state.phase = ended
		return []session{state}
	case signOut, mayEnd:
		after := state
		after.phase = ended
		if what.act == signOut && state.openedBy(what.secret) {
			return []session{after}
		}
		return []session{state, after}
	}
	return nil
}

func (state session) written(what step) []session {
	applies := state.phase == alive && (what.expected == none || what.expected == state.version)
	if what.sure && (!applies || what.version != state.version+1) {
		return nil
	}
	if applies {
		state.version++
		state.value = what.value
	}
	return []session{state}
}

var model = porcupine.NondeterministicModel{
	Init: func() []any { return []any{session{}} },
	Step: func(state, input, _ any) []any {
		var after []any
		for _, next := range state.(session).after(input.(step)) {
			after = append(after, next)
		}
		return after
	},
}
