// Judges a recorded history of compare-and-swaps on one register: is there an order of all of them, each
// between its call and its return, in which every one has the answer that its client heard?
//
// Input: a line of JSON for each operation. Output: linearizable, or not, or not known in time.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// An operation as it was recorded. Times are microseconds of one clock.
type operation struct {
	Client int    `json:"client"`
	Kind   string `json:"kind"` // read, or cas
	Base   int64  `json:"base"` // cas: the value that it replaces
	Value  int64  `json:"value"`
	// ok: it was done, and for a read what it showed; unknown: nobody knows, it may be done at any later time.
	Outcome string `json:"outcome"`
	Call    int64  `json:"call"`
	Return  int64  `json:"return"`
}

// A register whose values are written once each: a compare-and-swap that was acknowledged found its base,
// and one of which nobody knows may have found it or not.
var register = porcupine.Model{
	Init: func() interface{} { return int64(0) },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		op, now := input.(operation), state.(int64)
		switch {
		case op.Kind == "read":
			return now == op.Value, now
		case now == op.Base:
			return true, op.Value
		default:
			return op.Outcome == "unknown", now
		}
	},
	DescribeOperation: func(input, _ interface{}) string {
		op := input.(operation)
		if op.Kind == "read" {
			return fmt.Sprintf("read %d", op.Value)
		}
		return fmt.Sprintf("cas %d to %d: %s", op.Base, op.Value, op.Outcome)
	},
}

// A history of some thousands is judged in well under a second, or its search explodes.
const bound = 60 * time.Second

func main() {
	var history []porcupine.Operation
	var last int64
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var op operation
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			fmt.Fprintln(os.Stderr, "history:", err)
			os.Exit(2)
		}
		last = max(last, op.Call, op.Return)
		history = append(history, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return})
	}
	// What nobody knows of may come to be at any later time.
	for index := range history {
		if history[index].Input.(operation).Outcome == "unknown" {
			history[index].Return = last + 1
		}
	}
	switch porcupine.CheckOperationsTimeout(register, history, bound) {
	case porcupine.Ok:
		fmt.Println("linearizable")
	case porcupine.Illegal:
		fmt.Println("not linearizable")
		os.Exit(1)
	default:
		fmt.Println("not known in time")
		os.Exit(3)
	}
}
