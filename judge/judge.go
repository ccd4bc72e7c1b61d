// Package judge folds readings into a ledger an address, counts what fits the rules, and says which addresses and groups
// are harmful, and why.
//
// It opens nothing, reads no clock and writes no log: readings and times come in as arguments, and a verdict can be
// made again from the same readings. Readings are counted in absolute buckets of time and samples are chosen by
// earliest, so that tables of the parts of a log, merged in any order, equal the table of the whole; and so that following
// a log gives the verdicts of reading it afterwards. A Table belongs to one goroutine; merging is done by one.
package judge
