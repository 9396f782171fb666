package stage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fargate-nginx-sidecar/bench/contract"
	"fargate-nginx-sidecar/bench/load"
	"fargate-nginx-sidecar/bench/logs"
)

// Check asks every port variant for the contract, with the recording backend as
// the application.
func (s *Stage) Check(ctx context.Context, t *Target, cases contract.Cases) (contract.Report, error) {
	var report contract.Report
	s.progress("contract of %s: %d attacks", t.Name(), len(cases.Attacks))
	if err := s.ask(ctx, contract.Question{Address: t.Address(), Control: control, Cases: cases}, &report); err != nil {
		return report, err
	}
	line, err := s.lastLine(t)
	if err != nil {
		return report, err
	}
	if err := contract.LogLine(line, report.LoggedID); err != nil {
		report.Failed = append(report.Failed, contract.Failure{Demand: contract.LogDemand, Got: err.Error()})
	}
	return report, nil
}

// lastLine is a target's log line of the contract's last request but one, as soon
// as it is written.
func (s *Stage) lastLine(t *Target) (string, error) {
	for range 30 {
		streams, err := s.Streams()
		if err != nil {
			return "", err
		}
		for _, line := range strings.Split(streams[t.Name()+".out"].Tail, "\n") {
			if strings.Contains(line, contract.LoggedPath) {
				return line, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", nil
}

// ask runs the agent for one question.
func (s *Stage) ask(_ context.Context, question contract.Question, report *contract.Report) error {
	a, err := startAgent("run", "--interactive", "--rm", "--name="+s.name("contract"), "--network=container:"+s.name("hold"),
		"--cpuset-cpus="+loadCPU, "--log-driver=none", tag("agent"), "contract")
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.tell.Encode(question); err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	return a.next(report)
}

// answering waits until every target forwards.
func (s *Stage) answering(ctx context.Context, targets []*Target, path string) error {
	for _, t := range targets {
		job := load.Job{
			Address: t.Address(), TLS: t.TLS, Window: 20 * time.Millisecond, Drain: 2 * time.Second,
			Streams: []load.Stream{{Connections: 1, Request: []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), Want: []int{200}, Fresh: true}},
		}
		var last []load.Result
		for range 100 {
			var err error
			if last, err = s.Load(ctx, job, nil); err != nil {
				return err
			}
			if last[0].Responses > 0 && last[0].Lost.Total() == 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if last[0].Responses == 0 || last[0].Lost.Total() > 0 {
			return fmt.Errorf("%s: no answer on port %d: %+v", t.Name(), t.Port, last[0].Lost)
		}
	}
	return nil
}

// Load runs one job; moment is called after each of its moments.
func (s *Stage) Load(ctx context.Context, job load.Job, moment func(load.Reply)) ([]load.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.load.tell.Encode(job); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	for {
		var reply load.Reply
		if err := s.load.next(&reply); err != nil {
			return nil, err
		}
		switch {
		case reply.Error != "":
			return nil, errors.New(reply.Error)
		case reply.Moment == "":
			return reply.Results, nil
		case moment != nil:
			moment(reply)
		}
	}
}

// Streams is what every container has written so far, as "name.out" and "name.err".
func (s *Stage) Streams() (map[string]logs.Stream, error) {
	if err := s.logs.tell.Encode(true); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	var streams map[string]logs.Stream
	return streams, s.logs.next(&streams)
}
