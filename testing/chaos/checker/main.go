// Reads a history of sessions and says which of them no order of its operations explains.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// A session whose history takes longer to explain is told as one that could not be checked.
const patience = 60 * time.Second

type verdict struct {
	// How many sessions were looked at, and how many steps of them.
	Sessions int `json:"sessions"`
	Steps    int `json:"steps"`
	// Those that no order explains.
	Broken []int `json:"broken"`
	// Those that could not be explained in time.
	Unsure []int `json:"unsure"`
}

func judge(history []operation) verdict {
	all := verdict{Broken: []int{}, Unsure: []int{}}
	checked := model.ToModel()
	for session, steps := range steps(history) {
		if session < 0 {
			continue
		}
		all.Sessions++
		all.Steps += len(steps)
		switch porcupine.CheckOperationsTimeout(checked, thin(steps), patience) {
		case porcupine.Illegal:
			all.Broken = append(all.Broken, session)
		case porcupine.Unknown:
			all.Unsure = append(all.Unsure, session)
		}
	}
	sort.Ints(all.Broken)
	sort.Ints(all.Unsure)
	return all
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("the file of the history is missing")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var history []operation
	if err := json.Unmarshal(text, &history); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(judge(history))
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
