package settings

import (
	"fmt"
	"strings"
)

// Markdown describes all declared settings, one table for each group.
func (r *Reader) Markdown() string {
	var text strings.Builder
	for _, m := range r.root.members {
		if m.setting != nil {
			fmt.Fprintf(&text, "## `%s`\n\n", m.setting.Name)
			table(&text, "", []member{m})
			continue
		}
		fmt.Fprintf(&text, "## `%s`\n\n%s\n\n", m.object.name, m.object.meaning)
		prefix := m.object.name
		if m.object.kind == mapOf {
			prefix += ".<name>"
		}
		table(&text, prefix, m.object.members)
	}

	return strings.TrimSpace(text.String()) + "\n"
}

func table(text *strings.Builder, prefix string, members []member) {
	text.WriteString("| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n")
	rows(text, prefix, members)
	text.WriteString("\n")
}

func rows(text *strings.Builder, prefix string, members []member) {
	for _, m := range members {
		path := strings.TrimPrefix(prefix+"."+m.name(), ".")
		if m.setting != nil {
			s := m.setting
			fmt.Fprintf(text, "| `%s` | %s | %s | %s [Source](%s) |\n", path, s.shownDefault(), escaped(s.Allowed), escaped(s.Meaning), s.Source)
			continue
		}
		if m.object.meaning != "" {
			kind, source := "a group", ""
			if m.object.kind == listOf {
				kind = "a list"
				path += "[]"
			}
			if m.object.source != "" {
				source = fmt.Sprintf(" [Source](%s)", m.object.source)
			}
			fmt.Fprintf(text, "| `%s` | | %s | %s%s |\n", strings.TrimSuffix(path, "[]"), kind, escaped(m.object.meaning), source)
		}
		rows(text, path, m.object.members)
	}
}

func (s Setting) shownDefault() string {
	switch {
	case s.Required:
		return "required"
	case s.InProd != "":
		return fmt.Sprintf("dev: %s, prod: %s", s.inDev(), code(s.InProd))
	default:
		return s.inDev()
	}
}

func (s Setting) inDev() string {
	if s.Absent == "false" {
		return code(s.Absent)
	}
	if s.Absent != "" {
		return s.Absent
	}

	return code(s.Default)
}

// code marks a value of a stack file.
func code(value string) string {
	if value == "" {
		return ""
	}

	return "`" + value + "`"
}

func escaped(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
