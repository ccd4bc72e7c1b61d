package logs

// errorFormats lists the formats of error logs, most particular first.
var errorFormats []*Format

// errorState is what the error formats keep from line to line in a parser.
type errorState struct{}
