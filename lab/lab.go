// Package lab is the range for tests: a machine of its own with real servers and daemons from Debian's packages,
// and the net around it, from which real requests come from any address of the documentation ranges.
//
// The machine is a folder ([Lab.Root]) laid out as a root tree: etc/apache2, etc/nginx, etc/php, var/log, var/www. Its
// servers run in that folder as their root, as ordinary children of the test, in network, mount and process namespaces
// of their own; the world is the other end of the machine's one interface. Nothing listens on the host, nothing is mounted
// where the host sees it, and no process is left when the test ends: that the servers end whole is checked, too.
//
// It never sleeps: it waits for files to be written, with a deadline that only a broken server meets. A test skips,
// saying what is missing, without root or without the servers. Linux only; methods of one [Lab] may be called from
// several goroutines unless their comment says otherwise.
package lab
