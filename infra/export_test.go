package infra

// ReadTopics reads all settings without the rules between them.
var ReadTopics = read

// NewClients returns the clients of the AWS SDK.
var NewClients = newClients

// Doubtful lists what is allowed, but hardly ever intended.
var Doubtful = doubtful

// Replaced lists what a preview would replace.
var Replaced = (*Stack).replaced
