package infra

// ReadTopics reads all settings without the rules between them.
var ReadTopics = read

// Replaced lists what a preview would replace.
var Replaced = (*Stack).replaced
