// The peers in Go. A peer reads tasks from standard input, one JSON object per line, and answers
// each with a JSON object on standard output. It exits at the end of its input, so it cannot
// outlive the benchmark.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

type task struct {
	Brokers          string            `json:"brokers"`
	Input            string            `json:"input"`
	Output           string            `json:"output"`
	FailedOutput     string            `json:"failedOutput"`
	Topic            string            `json:"topic"`
	Group            string            `json:"group"`
	Records          int               `json:"records"`
	Batch            int               `json:"batch"`
	ReservedSchemaID int32             `json:"reservedSchemaID"`
	FailedSchemaID   int32             `json:"failedSchemaID"`
	OrderSchemaID    int32             `json:"orderSchemaID"`
	DatabaseURL      string            `json:"databaseURL"`
	SQL              map[string]string `json:"sql"`
}

type answer struct {
	Seconds    float64 `json:"seconds,omitempty"`
	CPUSeconds float64 `json:"cpuSeconds,omitempty"`
	Commits    int     `json:"commits,omitempty"`
	Port       int     `json:"port,omitempty"`
}

func main() {
	work := map[string]func(task) (answer, error){
		"stage":     runStage,
		"inventory": runInventory,
		"order":     runOrder,
	}[os.Args[1]]
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var given task
		if err := json.Unmarshal(line, &given); err != nil {
			fail(err)
		}
		result, err := work(given)
		if err != nil {
			fail(err)
		}
		text, _ := json.Marshal(result)
		fmt.Println(string(text))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// stopwatch measures wall-clock time and CPU time of the process, from the first record to the last
// commit.
type stopwatch struct {
	started    time.Time
	startedCPU float64
}

func (s *stopwatch) startOnce() {
	if s.started.IsZero() {
		s.started = time.Now()
		s.startedCPU = cpuSeconds()
	}
}

func (s *stopwatch) stop() answer {
	return answer{Seconds: time.Since(s.started).Seconds(), CPUSeconds: cpuSeconds() - s.startedCPU}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	seconds := func(value syscall.Timeval) float64 { return float64(value.Sec) + float64(value.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}
