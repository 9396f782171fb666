package infra_test

import (
	"regexp"
	"strings"
	"testing"
)

// People copy these names into a stack file.
func TestMigrationTablesNameSettingsThatExist(t *testing.T) {
	text, err := readFile(t, "docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	settings := settingNames(t)
	seen := 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		for _, name := range regexp.MustCompile("`([^`:]+)(?:: [^`]+)?`").FindAllStringSubmatch(cells[2], -1) {
			seen++
			if !settings[name[1]] {
				t.Errorf("%s: there is no setting %s", strings.TrimSpace(line), name[1])
			}
		}
	}
	if seen < 80 {
		t.Errorf("%d settings are named; want the four tables", seen)
	}
}
