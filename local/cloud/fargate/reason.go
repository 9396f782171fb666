package fargate

import "strings"

// isFailure tells a task that went down by itself, or failed a check, from one that was wanted gone.
func isFailure(code, reason string) bool {
	switch code {
	case stopCodeFailedToStart, stopCodeEssential:
		return true
	case stopCodeScheduler:
		return reason == reasonContainerCheck || strings.HasPrefix(reason, "Task failed ELB health checks")
	}
	return false
}
