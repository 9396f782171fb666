// Command project makes the project one's own: it gives a clone another name, or writes a template for `pulumi new`.
package main

import (
	"errors"
	"fmt"
	"os"
)

const usage = `usage: project COMMAND

  rename NAME     give the project in this folder another name
  template DIR    write a folder from which pulumi new makes projects`

func main() {
	said, err := dispatch(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Println(said)
}

func dispatch(arguments []string) (string, error) {
	if len(arguments) != 2 {
		return "", errors.New("want a command and its argument\n" + usage)
	}
	switch command, argument := arguments[0], arguments[1]; command {
	case "rename":
		return rename(".", argument)
	case "template":
		return template(".", argument)
	default:
		return "", fmt.Errorf("unknown command %q\n%s", command, usage)
	}
}
