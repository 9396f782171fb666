package awsmodel

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fargate-nginx-sidecar/local/cloud/emulator/emulatortest"
)

func TestEveryRequestIsCheckedAndPassedOnAsItCame(t *testing.T) {
	dir := t.TempDir()
	journal, err := NewJournal(t.Context(), dir, emulatortest.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	var passed []string
	handler := journal.Before(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		passed = append(passed, string(body))
	}))
	bodies := []string{`{"clusterName":"web"}`, `{"clusterName":"my web"}`, `{"clusterName":"my web"}`, strings.Repeat("a", maxBody+1)}
	for _, body := range bodies {
		request, _ := asJSON("ecs", ecsTarget+"CreateCluster", body)()
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/dogs", nil))
	for i, body := range bodies {
		if passed[i] != body {
			t.Errorf("request %d is passed on with %d bytes, not %d", i, len(passed[i]), len(body))
		}
	}
	summary, err := Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	const want = `requests  3 of 1 operations checked against AWS's API models; violations: 1; not checked: 2
          AWS would refuse this: ecs CreateCluster: clusterName is "my web"; allowed: up to 255 letters, digits, underscores and hyphens (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html)
          not checked: GET /dogs: the request is not signed, and the signature names the service
          not checked: POST /: longer than 4194304 bytes`
	if summary.String() != want {
		t.Errorf("got\n%s\nwant\n%s", summary, want)
	}
	if err := journal.Close(); err != nil {
		t.Error(err)
	}
}

func TestWithoutModelsTheRunGoesOnAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "moto_server")
	if err := os.WriteFile(program, []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	journal, err := NewJournal(t.Context(), dir, program)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := asJSON("ecs", ecsTarget+"CreateCluster", "{}")()
	answer := httptest.NewRecorder()
	journal.Before(http.NotFoundHandler()).ServeHTTP(answer, request)
	summary, err := Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "requests  0 of 0 operations checked against AWS's API models; violations: 0; not checked: 1\n          not checked: AWS API models: " + program + " names no interpreter in its first line, so its Python is not known"
	if summary.String() != want || answer.Code != http.StatusNotFound {
		t.Errorf("got %d and\n%s\nwant\n%s", answer.Code, summary, want)
	}
}

func TestALineThatIsBeingWrittenIsNotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(journalFile(dir), []byte(`{"service":"ecs","operation":"ListClusters"}`+"\n"+`{"service":"e`), 0o600); err != nil {
		t.Fatal(err)
	}
	if summary, err := Summarize(dir); err != nil || summary.Requests != 1 {
		t.Errorf("got %+v, %v", summary, err)
	}
	if summary, err := Summarize(t.TempDir()); err != nil || summary.Requests != 0 {
		t.Errorf("no journal: got %+v, %v", summary, err)
	}
}
