// Tests of the routes of processes: one that is started for nobody is not kept.

package server

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAStartWhoseCallerHasLeftLeavesNothing(t *testing.T) {
	agent := &Agent{Manager: onlyManager()}
	before := len(agent.Manager.List())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	body := strings.NewReader(`{"argv":["sleep","1000"],"overflow":"block"}`)
	agent.start(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/v1/processes", body))
	if after := len(agent.Manager.List()); after != before {
		t.Fatalf("%d processes are known, %d were", after, before)
	}
}
