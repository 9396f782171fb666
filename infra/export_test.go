package infra

// ReadTopics reads all settings without the rules between them.
var ReadTopics = read
