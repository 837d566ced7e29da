package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// request is one finished request, as the API server's audit log has it.
type request struct {
	Stage      string
	Verb       string
	RequestURI string
	User       struct{ Username string }
}

// reads tells whether the request only reads. A dry run does not: it takes the
// rights and most of the work of a write.
func (r request) reads() bool {
	return r.Verb == "get" || r.Verb == "list" || r.Verb == "watch"
}

// addRequests gives each run the requests of its user.
func addRequests(results []result, log string) error {
	byUser, err := readAudit(log)
	if err != nil {
		return fmt.Errorf("counting the requests: %w", err)
	}
	for t := range results {
		r := &results[t]
		r.cold.requests = byUser[r.cold.user]
		for i := range r.warm {
			r.warm[i].requests = byUser[r.warm[i].user]
		}
		if len(r.cold.requests) == 0 {
			return errors.New("counting the requests: the audit log has none of " + r.cold.user)
		}
	}
	return nil
}

// readAudit returns the finished requests by user. The log is in several files
// once it has grown large.
func readAudit(log string) (map[string][]request, error) {
	extension := filepath.Ext(log)
	files, err := filepath.Glob(strings.TrimSuffix(log, extension) + "*" + extension)
	if err != nil {
		return nil, err
	}
	byUser := map[string][]request{}
	for _, file := range files {
		if err := readAuditFile(file, byUser); err != nil {
			return nil, err
		}
	}
	return byUser, nil
}

func readAuditFile(file string, byUser map[string][]request) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the server is still writing this one
		}
		if r.Stage == "ResponseComplete" { // a watch has an earlier stage, too
			byUser[r.User.Username] = append(byUser[r.User.Username], r)
		}
	}
	return lines.Err()
}
