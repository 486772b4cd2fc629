package main

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
)

// The steps of one session without those that may have been done or not and of which every order is as good without them. While an
// engine is away nearly everything is of that kind, and each of them doubles the orders that there are.
func thin(steps []porcupine.Operation) []porcupine.Operation {
	seen, kept := look(steps), []porcupine.Operation{}
	alike := map[step][]porcupine.Operation{}
	for _, one := range steps {
		what := one.Input.(step)
		switch {
		case what.sure || one.Return != never:
			kept = append(kept, one)
		case what.act == write && !seen.known[what.value]:
			kind := step{act: write, expected: what.expected}
			alike[kind] = append(alike[kind], one)
		case what.act == end || what.act == mayEnd:
			alike[step{act: end}] = append(alike[step{act: end}], one)
		case what.act == elevate:
			kind := step{act: elevate, secret: what.secret}
			alike[kind] = append(alike[kind], one)
		default:
			kept = append(kept, one)
		}
	}
	// Those that do the same at any time after their calls: the ones that were called first can do what any of them did.
	for kind, all := range alike {
		slices.SortFunc(all, func(one, other porcupine.Operation) int { return cmp.Compare(one.Call, other.Call) })
		kept = append(kept, all[:min(len(all), seen.places(kind))]...)
	}
	return kept
}

// Which value each version was seen with; the newest version that anybody was told of.
type versions struct {
	values map[int64]string
	known  map[string]bool
	newest int64
}

func look(steps []porcupine.Operation) versions {
	seen := versions{values: map[int64]string{}, known: map[string]bool{}}
	for _, one := range steps {
		what := one.Input.(step)
		if what.act == read || what.act == write && what.sure {
			seen.values[what.version], seen.known[what.value] = what.value, true
		}
		if what.act == read || what.act == write && what.sure || what.act == stale {
			seen.newest = max(seen.newest, what.version)
		}
	}
	return seen
}

// How many of a kind can have done what anybody saw. Values are written once only: a write whose value was never seen has made a version
// that nobody saw, below the newest.
func (seen versions) places(kind step) int {
	unseen := func(version int64) bool {
		_, isSeen := seen.values[version]
		return !isSeen && version <= seen.newest
	}
	switch {
	case kind.act != write:
		return 1
	case kind.expected != none:
		if unseen(kind.expected + 1) {
			return 1
		}
		return 0
	}
	count := 0
	for version := int64(1); version <= seen.newest; version++ {
		if unseen(version) {
			count++
		}
	}
	return count
}
