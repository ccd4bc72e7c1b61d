$TTL 300
@ SOA ns hostmaster 1 300 300 300 300
@ NS ns
ns A 192.0.2.1
www A 192.0.2.1
