package ecs

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Service returns what DescribeServices shows of a service beyond what its creator sent, false when the scheduler has not
// seen it.
func (s *Scheduler) Service(arn string) (types.Service, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	service, ok := s.services[arn]
	if !ok {
		return types.Service{}, false
	}
	return service.describe(), true
}

// Tasks returns all tasks, oldest first. Stopped ones are kept one hour.
func (s *Scheduler) Tasks() []types.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Concat(s.stopped, s.everyTask())
	slices.SortFunc(all, func(a, b *task) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ARN, b.ARN))
	})
	var tasks []types.Task
	for _, task := range all {
		tasks = append(tasks, task.Describe())
	}
	return tasks
}
