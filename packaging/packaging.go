// Package packaging holds what the packages of a release are made of; the script build makes them. Its tests install,
// upgrade, remove and purge them on a machine of their own, whose systemd is a real one and runs the units.
package packaging
