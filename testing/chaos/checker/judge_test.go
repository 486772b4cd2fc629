package main

import (
	"slices"
	"testing"
)

// A history of session 1 of person 1: each operation takes half of its second, and what it says is of that time.
type telling struct {
	history []operation
}

func (told *telling) add(one operation) *telling {
	at := int64(len(told.history)+1) * 1_000_000
	one.Number, one.Session, one.Person = len(told.history), 1, 1
	one.Since, one.Call, one.Return = at, at, at+500_000
	told.history = append(told.history, one)
	return told
}

func created() *telling {
	return new(telling).add(operation{Kind: "create", Outcome: "ok"})
}

func wrote(expected, version int64, value string) operation {
	return operation{Kind: "write", Expected: expected, Version: version, Value: value, Outcome: "ok"}
}

func saw(version int64, value string) operation {
	return operation{Kind: "read", Version: version, Value: value, Outcome: "ok"}
}

func unknown(one operation) operation {
	one.Outcome = "unknown"
	return one
}

var (
	accepted   = operation{Kind: "check", Outcome: "ok"}
	notAsked   = operation{Kind: "check", Outcome: "no"}
	rejected   = operation{Kind: "check", Outcome: "no", Status: 401}
	over       = operation{Kind: "end", Outcome: "ok"}
	signedOut  = operation{Kind: "sign-out", Outcome: "ok"}
	allOver    = operation{Kind: "end-all", Outcome: "ok"}
	elevated   = operation{Kind: "elevate", To: 1, Outcome: "ok"}
	byNew      = operation{Kind: "check", Secret: 1, Outcome: "ok"}
	withTokens = operation{Kind: "check", Secret: none, Outcome: "ok"}
)

func conflict(expected, current int64) operation {
	return operation{Kind: "write", Expected: expected, Version: current, Outcome: "no", Status: 412}
}

func holds(t *testing.T, name string, told *telling, expected bool) {
	t.Helper()
	found := judge(told.history)
	if len(found.Unsure) != 0 || slices.Contains(found.Broken, 1) == expected {
		t.Errorf("%s: %+v", name, found)
	}
}

func TestSoundHistories(t *testing.T) {
	holds(t, "a life", created().add(accepted).add(wrote(0, 1, "a")).add(saw(1, "a")).
		add(wrote(none, 2, "b")).add(conflict(1, 2)).add(elevated).add(rejected).add(byNew).add(over), true)
	holds(t, "a node that is not there", created().add(notAsked).add(accepted), true)
	holds(t, "an unknown write that came", created().add(unknown(wrote(0, 0, "a"))).add(saw(0, "")).
		add(saw(1, "a")), true)
	holds(t, "an unknown write that never came", created().add(unknown(wrote(0, 0, "a"))).add(wrote(0, 1, "b")).
		add(saw(1, "b")), true)
	holds(t, "an unknown end that came late", created().add(unknown(over)).add(accepted).add(rejected), true)
	holds(t, "an old secret need not sign out", created().add(elevated).add(signedOut).add(byNew), true)
	holds(t, "a guest's session instead", created().add(wrote(0, 1, "a")).add(over).add(conflict(1, 0)), true)
	holds(t, "ended with all", created().add(withTokens).add(allOver).add(rejected), true)
	// An answer from memory may be of the time before the end.
	late := created().add(over).add(accepted)
	late.history[2].Since = late.history[1].Call
	holds(t, "a memory that lags", late, true)
	// Of two who write at once on one version, the one that is first.
	race := created().add(wrote(0, 1, "a")).add(conflict(0, 1)).add(saw(1, "a"))
	race.history[2].Call = race.history[1].Call
	holds(t, "one winner", race, true)
	// Whoever signs in again while everything is ended may stay.
	overlap := created().add(allOver).add(elevated).add(byNew)
	overlap.history[2].Call = overlap.history[1].Call
	overlap.history[1].Return = overlap.history[2].Return
	holds(t, "signed in again meanwhile", overlap, true)
}

func TestBrokenHistories(t *testing.T) {
	holds(t, "a lost update", created().add(wrote(0, 1, "a")).add(wrote(0, 1, "b")), false)
	holds(t, "a lost update without a condition", created().add(wrote(none, 1, "a")).add(wrote(none, 1, "b")), false)
	holds(t, "an update that vanished", created().add(wrote(0, 1, "a")).add(saw(0, "")), false)
	holds(t, "a value nobody wrote", created().add(wrote(0, 1, "a")).add(saw(1, "b")), false)
	holds(t, "a conflict that was none", created().add(wrote(0, 1, "a")).add(conflict(1, 1)), false)
	holds(t, "a conflict with the past", created().add(wrote(0, 1, "a")).add(conflict(1, 0)), false)
	holds(t, "a session that came back", created().add(over).add(accepted), false)
	holds(t, "a write to what has ended", created().add(over).add(wrote(none, 1, "a")), false)
	holds(t, "one that outlived the end of all", created().add(allOver).add(accepted), false)
	holds(t, "a session that was lost", created().add(rejected), false)
	holds(t, "refused for a moment", created().add(accepted).add(rejected).add(accepted), false)
	holds(t, "a sign-out that did nothing", created().add(signedOut).add(accepted), false)
	holds(t, "an old secret", created().add(elevated).add(accepted), false)
	holds(t, "an unknown end that came and went", created().add(unknown(over)).add(rejected).add(accepted), false)
	holds(t, "an unknown write that came and went", created().add(unknown(wrote(0, 0, "a"))).add(saw(1, "a")).
		add(saw(0, "")), false)
}

func TestOnlyTheBrokenSessionIsNamed(t *testing.T) {
	told := created().add(over).add(accepted)
	other := created().add(accepted)
	for _, one := range other.history {
		one.Session = 2
		told.history = append(told.history, one)
	}
	found := judge(told.history)
	if found.Sessions != 2 || !slices.Equal(found.Broken, []int{1}) {
		t.Errorf("%+v", found)
	}
}

// An engine is away, and forty operations of each kind have come to nobody knows what.
func muchUnknown() *telling {
	told := created().add(wrote(0, 1, "a"))
	for count := range 40 {
		value := string(rune('A' + count))
		told.add(unknown(wrote(1, 0, value+"1"))).add(unknown(wrote(none, 0, value+"2")))
		told.add(unknown(operation{Kind: "elevate", To: int(count) + 10}))
	}
	return told
}

func TestWhatNobodyKnowsIsThinned(t *testing.T) {
	holds(t, "nothing of it was done", muchUnknown().add(saw(1, "a")).add(wrote(1, 2, "b")).add(saw(2, "b")), true)
	holds(t, "one of them was done", muchUnknown().add(saw(2, "B2")).add(wrote(2, 3, "b")), true)
	holds(t, "one that nobody saw was done", muchUnknown().add(wrote(2, 3, "b")), true)
	holds(t, "the secret was changed", muchUnknown().add(rejected).add(rejected), true)
	holds(t, "the secret was changed back", muchUnknown().add(rejected).add(accepted), false)
	holds(t, "an update that vanished", muchUnknown().add(saw(2, "B2")).add(saw(1, "a")), false)
	holds(t, "more versions than writes", created().add(unknown(wrote(0, 0, "a"))).add(wrote(2, 3, "b")), false)
	over := muchUnknown()
	for range 40 {
		over.add(unknown(over.history[0])).add(unknown(operation{Kind: "end"}))
	}
	holds(t, "ended by one of many", over.add(rejected), true)
	holds(t, "and it came back", over.add(accepted), false)
}
