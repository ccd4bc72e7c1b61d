package block

// Hops reads the next hops of a route.
func Hops(route []byte) { hops(route) }
