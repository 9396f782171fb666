package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Serve reads jobs and does one after the other, until the input ends. Each
// gives several replies: its moments, then its end.
func Serve(in io.Reader, out io.Writer) error {
	jobs, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var job Job
		if err := jobs.Decode(&job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		var unread error
		results, err := Run(job, func(moment string) {
			reply := Reply{Moment: moment}
			for _, path := range job.Counters {
				text, err := os.ReadFile(path)
				unread = errors.Join(unread, err)
				reply.Counters = append(reply.Counters, string(text))
			}
			unread = errors.Join(unread, replies.Encode(reply))
		})
		end := Reply{Results: results}
		if err = errors.Join(err, unread); err != nil {
			end.Error = err.Error()
		}
		if err := replies.Encode(end); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
}
