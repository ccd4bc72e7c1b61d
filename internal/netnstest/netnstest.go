// Package netnstest gives tests network namespaces of their own, so that they can make sockets, lose packets and read the
// kernel's tables without meeting anyone else's.
//
// It is imported by tests only. It needs root; without it tests are skipped and say so. Linux only: elsewhere every
// helper skips.
package netnstest
