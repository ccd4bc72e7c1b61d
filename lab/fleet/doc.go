// Package fleet is the range of a fleet: three servers that connwarden watches, a hub of three nodes, an attacker and a
// stolen member, each in a network namespace of its own at one switch. All of it is in the tests. Linux only.
package fleet
