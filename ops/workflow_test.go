package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The steps of the workflows are scripts. Here they run with a stand-in for GitHub's command, which writes down how it was called.

// scripted runs a script of .ci in a copy of the folder, with commands that do what the test says.
func scripted(t *testing.T, commands map[string]string, script string, arguments ...string) (said, called string, err error) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-r", "../.ci", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	calls := filepath.Join(dir, "calls")
	for name, does := range commands {
		if strings.HasSuffix(name, ".yaml") { // a file of the project
			if err := os.WriteFile(filepath.Join(dir, name), []byte(does), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text := "#!/bin/sh\necho \"" + name + " $*\" >>'" + calls + "'\n" + does + "\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(dir, ".ci", script), arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))
	output, err := cmd.CombinedOutput()
	written, _ := os.ReadFile(calls) // there is none if nothing was called
	summary, _ := os.ReadFile(filepath.Join(dir, "summary"))

	return string(output) + string(summary), string(written), err
}

func textFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return name
}

func TestThereIsOneCommentOfAKind(t *testing.T) {
	file := textFile(t, "**prod**: no change\n")
	for name, c := range map[string]struct{ gh, want string }{
		"the first":  {"true", "--method POST repos/{owner}/{repo}/issues/12/comments"},
		"the second": {"case \"$*\" in *--paginate*) echo 77; echo 78;; esac", "--method PATCH repos/{owner}/{repo}/issues/comments/77"},
	} {
		said, called, err := scripted(t, map[string]string{"gh": c.gh}, "comment", "12", "preview", file)
		if err != nil || !strings.Contains(called, c.want) || strings.Count(called, "--method") != 1 {
			t.Errorf("%s: %v %s\n%s", name, err, said, called)
		}
	}
}

func TestASummaryHasTheEndOfWhatFailed(t *testing.T) {
	said, _, err := scripted(t, nil, "summarized", "prod", "sh", "-c", "echo ECS rolled the deployment back; exit 3")
	if err == nil || err.Error() != "exit status 3" || !strings.Contains(said, "- **prod: failed with status 3**\n\n```\nECS rolled the deployment back\n```\n") {
		t.Errorf("%v\n%s", err, said)
	}
	said, _, err = scripted(t, nil, "summarized", "prod", "echo", "fine")
	if err != nil || !strings.HasSuffix(said, "fine\n- prod: done\n") {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestAnIssueIsOpenWhileAWSDiffers(t *testing.T) {
	const there = "case \"$*\" in *list*) echo 5;; esac"
	for name, c := range map[string]struct {
		preview, gh, want string
		fails             bool
	}{
		"a difference, and no issue":     {"echo '### prod: 1 to change'; exit 1", "true", "gh issue create --title AWS differs from stack prod", false},
		"a difference, and an issue":     {"echo '### prod: 1 to change'; exit 1", there, "gh issue edit 5", false},
		"no difference, and an issue":    {"echo '**prod**: no change'", there, "gh issue close 5", false},
		"no difference, and no issue":    {"echo '**prod**: no change'", "true", "", false},
		"a preview that fails":           {"echo '### prod: the preview failed'; exit 1", there, "", true},
		"a preview that cannot be begun": {"exit 1", there, "", true},
	} {
		said, called, err := scripted(t, map[string]string{"go": c.preview, "gh": c.gh}, "drift", "prod")
		if (err != nil) != c.fails {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		for _, verb := range []string{"create", "edit", "close"} {
			if done := strings.Contains(called, "gh issue "+verb); done != strings.Contains(c.want, "gh issue "+verb) {
				t.Errorf("%s: called\n%swant %q", name, called, c.want)
			}
		}
		if !strings.Contains(called, c.want) {
			t.Errorf("%s: called\n%swant %q", name, called, c.want)
		}
	}
}

func TestAPullRequestsStackComesAndGoes(t *testing.T) {
	pulumi := `case "$*" in
"stack ls --json") printf '[{\n    "name": "pr-12",\n    "current": false\n}]' ;;
"stack output url"*) echo https://pr-12.review.example.com ;;
"stack output monthlyEstimate"*) echo 'about 15 USD a month at list prices' ;;
esac`
	gh := `for word; do case "$word" in body=@*) cat "${word#body=@}" >>"$0.said" ;; esac; done; cat "$0.said" >&2 2>/dev/null; true`
	said, called, err := scripted(t, map[string]string{"go": "true", "gh": gh, "pulumi": pulumi}, "review", "12", "arn:aws:elasticloadbalancing:x", "true")
	if err != nil || !strings.Contains(called, "go run ./ops review --number 12 --listener arn:aws:elasticloadbalancing:x\n") ||
		!strings.Contains(called, "pulumi up --yes --stack pr-12") || !strings.Contains(said, "https://pr-12.review.example.com\n\nAbout 0.49 USD a day") {
		t.Errorf("it comes: %v\n%s\n%s", err, said, called)
	}
	said, called, err = scripted(t, map[string]string{"gh": gh, "pulumi": pulumi}, "review", "12", "arn", "false")
	if err != nil || !strings.Contains(called, "pulumi destroy --yes --skip-preview --remove --stack pr-12") || !strings.Contains(said, "is gone") {
		t.Errorf("it goes: %v\n%s\n%s", err, said, called)
	}
	// pr-1 is not pr-12.
	if _, called, err = scripted(t, map[string]string{"gh": gh, "pulumi": pulumi}, "review", "1", "arn", "false"); err != nil || strings.Contains(called, "destroy") {
		t.Errorf("a stack that does not exist: %v\n%s", err, called)
	}
}

// The newest four of a stack keep their tags: what runs, and the three before.
func TestWhatAStackRanLastDoesNotExpire(t *testing.T) {
	const image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app-1@sha256:" + "1111111111111111111111111111111111111111111111111111111111111111"
	aws := `case "$*" in
*batch-get-image*) echo manifest ;;
*list-images*) printf 'keep-prod-1700000001\tkeep-prod-1700000005\tkeep-prod-1700000003\tkeep-prod-1700000002\tkeep-prod-1700000004\tkeep-prod2-1600000000\tsha1\n' ;;
esac`
	file := "config:\n  # " + image + "\n  shop:app: {image: " + image + "}\n"
	said, called, err := scripted(t, map[string]string{"aws": aws, "Pulumi.prod.yaml": file}, "keep", "prod")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var deleted []string
	for line := range strings.Lines(called) {
		if _, tag, is := strings.Cut(strings.TrimSpace(line), "batch-delete-image --registry-id 123456789012 --repository-name app-1 --image-ids imageTag="); is {
			deleted = append(deleted, strings.Fields(tag)[0])
		}
	}
	if got := strings.Join(deleted, " "); got != "keep-prod-1700000001" {
		t.Errorf("these tags go: %q\n%s", got, called)
	}
	if strings.Count(called, "put-image") != 1 || !strings.Contains(called, "--image-tag keep-prod-") || !strings.Contains(called, "imageDigest=sha256:1111") {
		t.Errorf("called\n%s", called)
	}
}

func TestACommitGoesOnTopOfWhatCameMeanwhile(t *testing.T) {
	dir := t.TempDir()
	script := `set -e
git init -q --bare origin.git
git clone -q origin.git one 2>/dev/null; cd one; git checkout -q -b main
git config user.name x; git config user.email x@example.com
echo a >Pulumi.prod.yaml; echo a >other; git add .; git commit -qm first; git push -q origin main; cd ..
git clone -q -b main origin.git two
cd two; git config user.name x; git config user.email x@example.com; echo b >other; git commit -qam second; git push -q origin main; cd ../one
"$CI/commit" "Promote staging to prod" Pulumi.prod.yaml
[ "$(git -C ../origin.git log --format=%s main | head -n 1)" = second ] # nothing has changed, so nothing is committed
echo digest >Pulumi.prod.yaml
"$CI/commit" "Promote staging to prod" Pulumi.prod.yaml
git -C ../origin.git log --format=%s main`
	ci, err := filepath.Abs("../.ci")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CI="+ci)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "Promote staging to prod\nsecond\nfirst\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
