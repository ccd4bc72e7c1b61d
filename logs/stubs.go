package logs

type scratch struct{}
type layout struct{}
type columns struct{}
